//! What measured usage will come to by the month's end: it goes on at its rate so far (R5.6).
//!
//! Owns: the rate of a resource's plan in a month, and how it is spread over the price versions to come.
//! Always holds: what has been used stays as it is, only more is added; nothing is foretold of what no longer runs.
//! Refuses to know: what runs by the hour or the month: that is rated to the month's end exactly.

use std::collections::BTreeSet;

use florin_settlement::{Instant, Month, RateError};

use super::{
    metered::{Metered, Sum},
    metering::Measured,
    rating::{Held, RatingError},
    tariff::Tariff,
};

/// A rate is taken over an hour at least: what was measured in a resource's first minute tells little.
const ELAPSED_MICROS_MIN: i64 = 3_600_000_000;

/// Adds to `metered` what it will use from `now` to the end of the month, under each plan it still holds.
///
/// # Errors
/// [`RatingError::Quantity`] if it does not fit.
pub(crate) fn extend(
    metered: &mut Metered,
    held: &[Held],
    tariff: &Tariff<'_>,
    now: Instant,
) -> Result<(), RatingError> {
    let month = Month::of(now);
    let mut foretold = Vec::new();
    for running in held.iter().filter(|held| held.to.is_none() && held.from <= now) {
        let of_plan = metered.sums.iter().filter(|sum| sum.month == month && sum.plan == running.plan);
        let mut used = Measured::default();
        for sum in of_plan {
            used = used.checked_add(sum.quantity).ok_or(RateError::TooLarge)?;
        }
        if used == Measured::default() {
            continue;
        }
        let begun = held.iter().filter(|held| held.plan == running.plan).map(|held| held.from).min();
        let begun = begun.unwrap_or(running.from).max(month.start());
        let elapsed = (now.micros() - begun.micros()).max(ELAPSED_MICROS_MIN);
        let changes = tariff.changes(&running.plan)?.map(Instant::ceil_hour);
        let changes = changes.filter(|at| now < *at && *at < month.end());
        let bounds: BTreeSet<Instant> = changes.chain([now, month.end()]).collect();
        for (from, to) in bounds.iter().zip(bounds.iter().skip(1)) {
            let quantity = used.scaled(to.micros() - from.micros(), elapsed).ok_or(RateError::TooLarge)?;
            foretold.push(Sum {
                plan: running.plan.clone(),
                month,
                billed_with: month,
                first: from.floor_hour(),
                last: to.minus(std::time::Duration::from_micros(1)).floor_hour(),
                quantity,
            });
        }
    }
    metered.sums.extend(foretold);
    Ok(())
}
