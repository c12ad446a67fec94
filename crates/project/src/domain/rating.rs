//! Rating: from what a resource held to what is due for it (R5.2, R5.3, R1.4).
//!
//! Owns: which hours and months are charged, under which plan and at which price version.
//! Always holds: no hour and no day of a month is charged twice; one line per plan × price version × calendar
//! month, rounded once; what is due for a period is what is due for its parts, wherever it is cut; the order
//! in which intervals come changes nothing.
//! Refuses to know: the clock, the database, tax, and who pays.
//!
//! | model | charged | quantity | divisor |
//! |---|---|---|---|
//! | HOURLY | every wall-clock hour touched, the begun ones included | size × hours | 1 |
//! | MONTHLY, month of activation | from the start day to the month's end | size × days left | days of the month |
//! | MONTHLY, there on the 1st | the full month | size | 1 |
//! | MONTHLY in advance, there on the 1st | the month that begins, with the period that ends there | size | 1 |
//! | MONTHLY in advance, added or grown | at once, by [`due_at_once`], and never here | size or growth × days left | days of the month |
//! | METERED | nothing here: what is measured comes as events, see [`super::metered`] | | |
//!
//! An hour touched under two HOURLY plans, or at two sizes, is charged once, at the dearer ([`hours`]). A
//! monthly charge once due is not reduced by removal; where a resource was resized within the month, each
//! of its days is charged once, at the dearest of what fell due for it ([`months`]).

use std::{
    cmp::{Ordering, Reverse},
    collections::BTreeMap,
    num::NonZeroU32,
};

use florin_settlement::{
    Currency, Instant, Money, Month, Period, Quantity, RateError, RoundingError, UnitPrice, rounding,
};

use super::{
    plan::{ChargeModel, PlanCode, Timing},
    tariff::{Priced, Tariff, Version},
};

mod burn;
mod hours;
mod months;

pub use burn::{Burn, StartingCost};
pub(crate) use burn::{burn_per_hour, cost_of_starting};
pub(crate) use months::due_at_once;

/// What a resource was for a while: a plan and a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The plan it ran under.
    pub plan: PlanCode,
    /// How much of it: GiB for storage, 1 for what has no size.
    pub size: Quantity,
    /// From when on.
    pub from: Instant,
    /// Until when; open while it runs.
    pub to: Option<Instant>,
}

/// What is due for one resource under one plan at one price version in one calendar month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rated {
    /// The plan.
    pub plan: PlanCode,
    /// When the price version began.
    pub price_effective: Instant,
    /// What was charged, from the first instant to the one after the last, on full hours.
    pub period: Period,
    /// How many units, to be divided by `divisor`.
    pub quantity: Quantity,
    /// 1, or the days of the month of a pro-rata (R5.3).
    pub divisor: NonZeroU32,
    /// The price of one unit.
    pub unit_price: UnitPrice,
    /// Quantity × price / divisor, rounded once.
    pub net: Money,
}

/// Why usage cannot be rated. Each of them is a bug or a broken catalogue, never the customer's doing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// The plan is not in the catalogue.
    #[error("plan {0} is not in the catalogue")]
    UnknownPlan(PlanCode),
    /// The plan had no price in the currency then.
    #[error("plan {plan} has no price in {currency} at {at}")]
    Unpriced {
        /// The plan.
        plan: PlanCode,
        /// The currency of the account.
        currency: Currency,
        /// The hour to rate.
        at: Instant,
    },
    /// The quantity does not fit.
    #[error("a quantity out of range")]
    Quantity(#[from] RateError),
    /// The amount does not fit.
    #[error("an amount out of range")]
    Amount(#[from] RoundingError),
}

/// Rates what one resource held in `period`, as known at `until`: what still runs is counted up to
/// there, the hour that `until` cuts included. `held` may come in any order.
///
/// # Errors
/// [`RatingError`].
pub(crate) fn rate(
    held: &[Held],
    tariff: &Tariff<'_>,
    period: Period,
    until: Instant,
) -> Result<Vec<Rated>, RatingError> {
    let mut lines = Lines::default();
    let (mut touched, mut committed) = (Vec::new(), Vec::new());
    for held in held.iter().filter(|held| held.from <= until) {
        let stretch = Stretch { held, until };
        let plan = &tariff.plan(&held.plan)?.plan;
        match (plan.model, plan.timing) {
            (ChargeModel::Hourly, _) => touched.extend(stretch.hours_in(period)),
            (ChargeModel::Monthly, Timing::Arrears) => {
                committed.extend(stretch.months_in(period, tariff)?);
            }
            (ChargeModel::Monthly, Timing::Advance) => stretch.renewals_in(period, tariff, &mut lines)?,
            (ChargeModel::Metered, _) => {}
        }
    }
    hours::charge(&touched, tariff, &mut lines)?;
    months::charge(&committed, period, &mut lines)?;
    lines.into_rated()
}

/// What was held, as known at an instant.
#[derive(Clone, Copy)]
struct Stretch<'held> {
    held: &'held Held,
    until: Instant,
}

impl Stretch<'_> {
    /// Until when it was held, as far as is known.
    fn end(&self) -> Instant {
        self.held.to.unwrap_or(self.until).min(self.until).max(self.held.from)
    }
}

/// `first` and every month after it, to the end of the calendar.
fn months_from(first: Month) -> impl Iterator<Item = Month> {
    std::iter::successors(Some(first), |month| Some(month.next()).filter(|next| next > month))
}

/// What a unit of time of something costs, exactly: price × size as an integer at 20 decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost(i128);

impl Cost {
    const SCALE: u32 = 20;

    fn of(price: UnitPrice, size: Quantity) -> Result<Self, RatingError> {
        let (price, size) = (price.amount(), size.value());
        let missing = Self::SCALE.checked_sub(price.scale() + size.scale());
        missing
            .and_then(|missing| 10_i128.checked_pow(missing))
            .and_then(|factor| price.mantissa().checked_mul(size.mantissa())?.checked_mul(factor))
            .map(Self)
            .ok_or(RatingError::Quantity(RateError::TooLarge))
    }
}

/// Something that may be charged for an hour or a day, at its price and cost.
#[derive(Clone, Copy)]
struct Offer<'held> {
    held: &'held Held,
    priced: Priced,
    cost: Cost,
}

impl<'held> Offer<'held> {
    fn of(held: &'held Held, priced: Priced) -> Result<Self, RatingError> {
        Ok(Self { held, priced, cost: Cost::of(priced.price, held.size)? })
    }

    /// Which of two is charged: the dearer; of equals one that does not depend on the order they came in.
    fn against(&self, other: &Self) -> Ordering {
        let rank = |offer: &Self| (offer.cost, offer.held.size, Reverse(offer.priced.version));
        let by_plan = other.held.plan.cmp(&self.held.plan);
        rank(self).cmp(&rank(other)).then(by_plan)
    }
}

struct Charged {
    from: Instant,
    to: Instant,
    quantity: Quantity,
    divisor: NonZeroU32,
}

/// Lines in the making: quantities are summed, amounts are not (R1.4).
#[derive(Default)]
struct Lines(BTreeMap<(Month, PlanCode, Version, NonZeroU32), Line>);

struct Line {
    from: Instant,
    to: Instant,
    quantity: Quantity,
    unit_price: UnitPrice,
}

impl Lines {
    fn add(&mut self, held: &Held, priced: Priced, charged: Charged) -> Result<(), RatingError> {
        let quantity = held.size.checked_mul(charged.quantity)?;
        let key = (Month::of(charged.from), held.plan.clone(), priced.version, charged.divisor);
        let line = self.0.entry(key).or_insert(Line {
            from: charged.from,
            to: charged.to,
            quantity: Quantity::ZERO,
            unit_price: priced.price,
        });
        line.from = line.from.min(charged.from);
        line.to = line.to.max(charged.to);
        line.quantity = line.quantity.checked_add(quantity)?;
        Ok(())
    }

    fn into_rated(self) -> Result<Vec<Rated>, RatingError> {
        let rated = self.0.into_iter().map(|((_, plan, version, divisor), line)| {
            let Line { from, to, quantity, unit_price } = line;
            let net = rounding::line_net(quantity, unit_price, divisor)?;
            let period = Period::try_new(from, to).expect("a charge begins before it ends");
            Ok(Rated { plan, price_effective: version.effective, period, quantity, divisor, unit_price, net })
        });
        rated.collect()
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
