//! What runs now costs by the hour: for runways and holds, never for a charge (R4.8).

use std::num::NonZeroU32;

use florin_settlement::{Currency, Instant, Money, Month, Quantity, RateError, RoundingError};

use super::{Cost, Held, RatingError, due_at_once};
use crate::domain::{
    plan::{ChargeModel, PlanCode, Timing},
    tariff::Tariff,
};

/// The hours of the month a plan's price is compared by.
const HOURS_PER_MONTH: u32 = 720;
const HOURS_PER_DAY: u32 = 24;

/// What something costs for every hour it goes on. An estimate: exact while nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burn {
    currency: Currency,
    /// At 20 decimals.
    per_hour: i128,
}

impl Burn {
    /// Nothing runs.
    #[must_use]
    pub const fn none(currency: Currency) -> Self {
        Self { currency, per_hour: 0 }
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it costs nothing.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.per_hour == 0
    }

    /// Both together.
    ///
    /// # Errors
    /// [`RatingError::Quantity`] when out of range; one currency is a must (R1.1).
    pub fn checked_add(self, other: Self) -> Result<Self, RatingError> {
        let sum = self.per_hour.checked_add(other.per_hour).filter(|_| self.currency == other.currency);
        sum.map(|per_hour| Self { per_hour, ..self }).ok_or(RatingError::Quantity(RateError::TooLarge))
    }

    /// What `hours` of it cost, rounded up to the minor unit: an estimate must not be too low.
    ///
    /// # Errors
    /// [`RatingError::Amount`] when out of range.
    pub fn for_hours(self, hours: u32) -> Result<Money, RatingError> {
        let total = self.per_hour.checked_mul(i128::from(hours)).ok_or(RoundingError::Overflow)?;
        let unit = self.minor_unit();
        let minor = total / unit + i128::from(total % unit != 0);
        let minor = i64::try_from(minor).map_err(|_| RoundingError::Overflow)?;
        Ok(Money::new(minor, self.currency))
    }

    /// For how many whole hours `available` lasts; none if it lasts for ever, because nothing is burnt. What
    /// is overdrawn lasts for none.
    #[must_use]
    pub fn hours_lasting(self, available: Money) -> Option<u64> {
        if self.is_none() {
            return None;
        }
        let available = i128::from(available.minor().max(0)).checked_mul(self.minor_unit());
        let hours = available.map_or(u64::MAX.into(), |available| available / self.per_hour);
        Some(u64::try_from(hours).unwrap_or(u64::MAX))
    }

    /// One minor unit at 20 decimals.
    fn minor_unit(self) -> i128 {
        10_i128.pow(Cost::SCALE.saturating_sub(self.currency.exponent()))
    }
}

/// What `running`, plans and sizes, burn together per hour at the prices in force at `at`.
///
/// HOURLY plans cost their price; MONTHLY ones the part of their price that falls on an hour of the present
/// month; what METERED ones will cost is not known before it is measured, and counts as nothing.
///
/// # Errors
/// [`RatingError`].
pub(crate) fn burn_per_hour<'r>(
    running: impl IntoIterator<Item = (&'r PlanCode, Quantity)>,
    tariff: &Tariff<'_>,
    at: Instant,
) -> Result<Burn, RatingError> {
    let mut burn = Burn::none(tariff.currency());
    for (code, size) in running {
        let hours = match tariff.plan(code)?.plan.model {
            ChargeModel::Hourly => 1,
            ChargeModel::Monthly => i128::from(Month::of(at).days().get() * HOURS_PER_DAY),
            ChargeModel::Metered => continue,
        };
        let cost = Cost::of(tariff.price(code, at)?.price, size)?;
        let per_hour = cost.0 / hours + i128::from(cost.0 % hours != 0);
        burn = burn.checked_add(Burn { per_hour, ..burn })?;
    }
    Ok(burn)
}

/// What starting a plan costs (R4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartingCost {
    /// For every hour it goes on.
    pub per_hour: Burn,
    /// For a month of 720 hours, or the monthly price.
    pub per_month: Money,
    /// What falls due by its start alone: the hour begun, or the days to the month's end (R5.2, R5.3).
    pub at_once: Money,
}

/// What starting `size` of `plan` at `at` costs.
///
/// # Errors
/// [`RatingError`].
pub(crate) fn cost_of_starting(
    plan: &PlanCode,
    size: Quantity,
    tariff: &Tariff<'_>,
    at: Instant,
) -> Result<StartingCost, RatingError> {
    let known = &tariff.plan(plan)?.plan;
    let per_hour = burn_per_hour([(plan, size)], tariff, at)?;
    let nothing = Money::zero(tariff.currency());
    let (per_month, at_once) = match (known.model, known.timing) {
        (ChargeModel::Hourly, _) => (per_hour.for_hours(HOURS_PER_MONTH)?, per_hour.for_hours(1)?),
        (ChargeModel::Monthly, Timing::Arrears | Timing::Advance) => {
            let started = Held { plan: plan.clone(), size, from: at, to: None };
            let due = due_at_once(&[], &started, tariff)?.map_or(nothing, |rated| rated.net);
            let price = tariff.price(plan, at)?.price;
            (florin_settlement::rounding::line_net(size, price, NonZeroU32::MIN)?, due)
        }
        (ChargeModel::Metered, _) => (nothing, nothing),
    };
    Ok(StartingCost { per_hour, per_month, at_once })
}
