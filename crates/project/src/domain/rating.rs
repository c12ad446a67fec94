//! Rating: from what a resource held to what is due for it (R5.2, R5.3, R1.4).
//!
//! Owns: which hours and months are charged, under which plan and at which price version.
//! Always holds: no hour of a resource is charged twice; one line per plan × price version × calendar
//! month, rounded once; the sum of the quantities of a period is the sum of the quantities of its parts.
//! Refuses to know: the clock, the database, tax, and who pays.
//!
//! | model | charged | quantity | divisor |
//! |---|---|---|---|
//! | HOURLY | every wall-clock hour touched, the begun ones included | size × hours | 1 |
//! | MONTHLY, month of activation | from the start day to the month's end | size × days left | days of the month |
//! | MONTHLY, there on the 1st | the full month | size | 1 |
//! | METERED | nothing here: what is measured comes as events | | |
//!
//! An hour touched under two HOURLY plans is charged once, at the dearer. A monthly charge once due is
//! not reduced by removal.

use std::{collections::BTreeMap, num::NonZeroU32};

use florin_settlement::{
    Currency, Instant, Money, Month, Period, Quantity, RateError, RoundingError, UnitPrice, rounding,
};

use super::plan::{ChargeModel, PlanCode, PricedPlan};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

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

/// The catalogue as one account sees it: priced plans by code, in its currency.
#[derive(Clone, Debug)]
pub(crate) struct Tariff<'catalogue> {
    currency: Currency,
    plans: &'catalogue BTreeMap<PlanCode, PricedPlan>,
}

impl<'catalogue> Tariff<'catalogue> {
    /// The tariff of accounts in `currency`.
    #[must_use]
    pub(crate) const fn new(currency: Currency, plans: &'catalogue BTreeMap<PlanCode, PricedPlan>) -> Self {
        Self { currency, plans }
    }

    fn plan(&self, code: &PlanCode) -> Result<&'catalogue PricedPlan, RatingError> {
        self.plans.get(code).ok_or_else(|| RatingError::UnknownPlan(code.clone()))
    }

    fn price(&self, code: &PlanCode, at: Instant) -> Result<Priced, RatingError> {
        let version = self
            .plan(code)?
            .version_at(self.currency, at)
            .ok_or_else(|| RatingError::Unpriced { plan: code.clone(), currency: self.currency, at })?;
        Ok(Priced { effective: version.effective, price: version.price })
    }
}

#[derive(Clone, Copy)]
struct Priced {
    effective: Instant,
    price: UnitPrice,
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
    let mut hourly = Vec::new();
    for held in held.iter().filter(|held| held.from <= until) {
        let stretch = Stretch { held, to: held.to.unwrap_or(until).min(until).max(held.from) };
        match tariff.plan(&held.plan)?.plan.model {
            ChargeModel::Hourly => hourly.extend(stretch.hours_in(period)),
            ChargeModel::Monthly => stretch.months_in(period, tariff, &mut lines)?,
            ChargeModel::Metered => {}
        }
    }
    charge_hours(&hourly, tariff, &mut lines)?;
    lines.into_rated()
}

/// What was held, up to the instant it is looked at.
#[derive(Clone, Copy)]
struct Stretch<'held> {
    held: &'held Held,
    to: Instant,
}

/// The wall-clock hours a stretch touches, `[from, to)` on full hours.
#[derive(Clone, Copy)]
struct Hours<'held> {
    held: &'held Held,
    from: Instant,
    to: Instant,
}

impl<'held> Stretch<'held> {
    /// The hours touched that begin in `period`. What came and went in one instant touched its hour.
    fn hours_in(self, period: Period) -> Option<Hours<'held>> {
        let first = self.held.from.floor_hour();
        let from = first.max(period.from().ceil_hour());
        let to = self.to.ceil_hour().max(first.plus_hours(1)).min(period.to().ceil_hour());
        (from < to).then_some(Hours { held: self.held, from, to })
    }

    /// The monthly charges that fall due in `period`: at the start, and on each 1st it is there.
    fn months_in(self, period: Period, tariff: &Tariff<'_>, lines: &mut Lines) -> Result<(), RatingError> {
        let start = self.held.from;
        if period.contains(start) {
            let month = Month::of(start);
            let days = month.days();
            let left = days.get() + 1 - start.day_of_month();
            let (quantity, divisor) = match NonZeroU32::new(left) {
                Some(left) if left < days => (Quantity::whole(left.get()), days),
                Some(_) | None => (Quantity::whole(1), NonZeroU32::MIN),
            };
            let charged = Charged { from: start.floor_day(), to: month.end(), quantity, divisor };
            lines.add(self.held, tariff.price(&self.held.plan, start)?, charged)?;
        }
        let firsts = months_from(Month::of(start.max(period.from())));
        for month in firsts.take_while(|month| month.start() < self.to && month.start() < period.to()) {
            if month.start() > start && period.contains(month.start()) {
                let (quantity, divisor) = (Quantity::whole(1), NonZeroU32::MIN);
                let charged = Charged { from: month.start(), to: month.end(), quantity, divisor };
                lines.add(self.held, tariff.price(&self.held.plan, month.start())?, charged)?;
            }
        }
        Ok(())
    }
}

/// Between two neighbouring cuts nothing changes: who touches the hours, at which price, in which month.
fn charge_hours(touched: &[Hours<'_>], tariff: &Tariff<'_>, lines: &mut Lines) -> Result<(), RatingError> {
    let cuts = cuts(touched, tariff)?;
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let mut dearest: Option<(&Held, Priced, Cost)> = None;
        for hours in touched.iter().filter(|hours| hours.from <= *from && *to <= hours.to) {
            let priced = tariff.price(&hours.held.plan, *from)?;
            let cost = Cost::of(priced.price, hours.held.size)?;
            if dearest.as_ref().is_none_or(|(_, _, known)| *known < cost) {
                dearest = Some((hours.held, priced, cost));
            }
        }
        if let Some((held, priced, _)) = dearest {
            let (quantity, divisor) = (Quantity::whole(hours_between(*from, *to)), NonZeroU32::MIN);
            lines.add(held, priced, Charged { from: *from, to: *to, quantity, divisor })?;
        }
    }
    Ok(())
}

fn cuts(touched: &[Hours<'_>], tariff: &Tariff<'_>) -> Result<Vec<Instant>, RatingError> {
    let mut cuts = Vec::new();
    for hours in touched {
        cuts.extend([hours.from, hours.to]);
        let versions = tariff.plan(&hours.held.plan)?.versions_in(tariff.currency);
        let within = |at: &Instant| hours.from < *at && *at < hours.to;
        cuts.extend(versions.iter().map(|version| version.effective.ceil_hour()).filter(within));
        let firsts =
            months_from(Month::of(hours.from)).map(Month::start).take_while(|first| *first < hours.to);
        cuts.extend(firsts.filter(within));
    }
    cuts.sort_unstable();
    cuts.dedup();
    Ok(cuts)
}

/// `first` and every month after it, to the end of the calendar.
fn months_from(first: Month) -> impl Iterator<Item = Month> {
    std::iter::successors(Some(first), |month| Some(month.next()).filter(|next| next > month))
}

fn hours_between(from: Instant, to: Instant) -> u32 {
    u32::try_from((to.micros() - from.micros()) / MICROS_PER_HOUR)
        .expect("a month has fewer hours than 32 bits count")
}

/// What an hour costs, exactly: price × size as an integer at 20 decimals.
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

struct Charged {
    from: Instant,
    to: Instant,
    quantity: Quantity,
    divisor: NonZeroU32,
}

/// Lines in the making: quantities are summed, amounts are not (R1.4).
#[derive(Default)]
struct Lines(BTreeMap<(Month, PlanCode, Instant, NonZeroU32), Line>);

struct Line {
    from: Instant,
    to: Instant,
    quantity: Quantity,
    unit_price: UnitPrice,
}

impl Lines {
    fn add(&mut self, held: &Held, priced: Priced, charged: Charged) -> Result<(), RatingError> {
        let quantity = held.size.checked_mul(charged.quantity)?;
        let key = (Month::of(charged.from), held.plan.clone(), priced.effective, charged.divisor);
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
        let rated = self.0.into_iter().map(|((_, plan, price_effective, divisor), line)| {
            let Line { from, to, quantity, unit_price } = line;
            let net = rounding::line_net(quantity, unit_price, divisor)?;
            let period = Period::try_new(from, to).expect("a charge begins before it ends");
            Ok(Rated { plan, price_effective, period, quantity, divisor, unit_price, net })
        });
        rated.collect()
    }
}

#[cfg(test)]
mod tests;
