//! Rating of what was measured: from sums to lines (R5.4, R5.5, R1.4).
//!
//! Owns: which sums become one line, and at which price version.
//! Always holds: a sum is rated at the price in force in its hours, under the plan held then; one line per plan ×
//! price version × month of use, divided and rounded once.
//! Refuses to know: events, and which months are closed.

use std::{collections::BTreeMap, num::NonZeroU32};

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_settlement::{Currency, Instant, Month, Period, RateError, rounding};

use super::{
    metering::Measured,
    plan::PlanCode,
    rating::{Rated, RatingError},
    resource::{Labels, ResourceId},
    tariff::{Priced, Tariff},
};

/// What was measured of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metered {
    /// Whose.
    pub(crate) account: AccountId,
    /// In which project.
    pub(crate) project: ProjectId,
    /// What used it.
    pub(crate) resource: ResourceId,
    /// The account's currency.
    pub(crate) currency: Currency,
    /// What the customer calls the resource.
    pub(crate) name: String,
    /// Where it runs.
    pub(crate) region: String,
    /// The customer's labels.
    pub(crate) labels: Labels,
    /// In no particular order.
    pub(crate) sums: Vec<Sum>,
}

/// The sum of some hours of one month, in which no price changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Under which plan.
    pub(crate) plan: PlanCode,
    /// The month of use.
    pub(crate) month: Month,
    /// The first month whose invoice could carry it.
    pub(crate) billed_with: Month,
    /// The first of the hours, by its beginning.
    pub(crate) first: Instant,
    /// The last of them, by its beginning.
    pub(crate) last: Instant,
    /// How much.
    pub(crate) quantity: Measured,
}

/// The instants at which the price of a sum's plan changes within its hours.
///
/// # Errors
/// [`RatingError::UnknownPlan`].
pub(crate) fn cuts(sum: &Sum, tariff: &Tariff<'_>) -> Result<Vec<Instant>, RatingError> {
    let changes = tariff.changes(&sum.plan)?.map(Instant::ceil_hour);
    Ok(changes.filter(|at| sum.first < *at && *at <= sum.last).collect())
}

/// The lines of one resource, and for each what `apart` says of its sums: sums of which it says different things
/// are different lines.
///
/// # Errors
/// [`RatingError`].
pub(crate) fn rate<K: Ord + Clone>(
    metered: &Metered,
    tariff: &Tariff<'_>,
    apart: impl Fn(&Sum) -> K,
) -> Result<Vec<(K, Rated)>, RatingError> {
    let mut lines: BTreeMap<_, Line> = BTreeMap::new();
    for sum in &metered.sums {
        let Priced { price: unit_price, version } = tariff.price(&sum.plan, sum.first)?;
        let key = (sum.month, sum.plan.clone(), version, apart(sum));
        let end = sum.last.plus_hours(1);
        let line = lines.entry(key).or_insert(Line {
            from: sum.first,
            to: end,
            quantity: Measured::default(),
            unit_price,
        });
        line.from = line.from.min(sum.first);
        line.to = line.to.max(end);
        line.quantity = line.quantity.checked_add(sum.quantity).ok_or(RateError::TooLarge)?;
    }
    let rated = lines.into_iter().map(|((_, plan, version, apart), line)| {
        let (quantity, divisor) = (line.quantity.quantity()?, NonZeroU32::MIN);
        let net = rounding::line_net(quantity, line.unit_price, divisor)?;
        let period = Period::try_new(line.from, line.to).expect("an hour ends after it begins");
        let (unit_price, price_effective) = (line.unit_price, version.effective);
        Ok((apart, Rated { plan, price_effective, period, quantity, divisor, unit_price, net }))
    });
    rated.collect()
}

struct Line {
    from: Instant,
    to: Instant,
    quantity: Measured,
    unit_price: florin_settlement::UnitPrice,
}
