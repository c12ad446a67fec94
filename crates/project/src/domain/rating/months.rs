//! MONTHLY: what falls due on the start day and on each 1st, for the days to the month's end (R5.3).
//!
//! In arrears, a resource that was resized within a month has more than one charge standing on the days that
//! are left: each day is charged once, at the dearest of them. A larger plan is therefore paid from the day
//! it was taken, and a smaller one from the next 1st, because what was due is not reduced.
//!
//! In advance, what is standing has been invoiced: only what a resource grew by is charged, at once.

use std::num::NonZeroU32;

use florin_settlement::{Instant, Month, Period, Quantity, RateError, rounding};

use super::{Charged, Held, Lines, Offer, Rated, RatingError, Stretch, months_from};
use crate::domain::tariff::Tariff;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A monthly charge that fell due: it stands on every day from `from` to the month's end.
#[derive(Clone, Copy)]
pub(super) struct Commitment<'held> {
    offer: Offer<'held>,
    from: Instant,
    to: Instant,
}

impl<'held> Stretch<'held> {
    /// The charges that stand on days of `period`: due at the start, and on each 1st it is there.
    pub(super) fn months_in(
        self,
        period: Period,
        tariff: &Tariff<'_>,
    ) -> Result<Vec<Commitment<'held>>, RatingError> {
        let (start, held) = (self.held.from, self.held);
        let mut commitments = Vec::new();
        for month in months_from(Month::of(start)) {
            let due = start.max(month.start());
            if due > start && (due >= period.to() || !self.is_there_on(due)) {
                break;
            }
            let (from, to) = (due.floor_day(), month.end());
            if from < period.to() && period.from() < to {
                let offer = Offer::of(held, tariff.price(&held.plan, due)?)?;
                commitments.push(Commitment { offer, from, to });
            }
        }
        Ok(commitments)
    }

    /// The months charged in advance with `period`: those that begin in it, or at its very end, with the
    /// resource there.
    pub(super) fn renewals_in(
        self,
        period: Period,
        tariff: &Tariff<'_>,
        lines: &mut Lines,
    ) -> Result<(), RatingError> {
        let start = self.held.from.max(period.from());
        for month in months_from(Month::of(start)).take_while(|month| month.start() <= period.to()) {
            let due = month.start();
            if due > start && self.is_there_on(due) {
                let (quantity, divisor) = (Quantity::whole(1), NonZeroU32::MIN);
                let charged = Charged { from: due, to: month.end(), quantity, divisor };
                lines.add(self.held, tariff.price(&self.held.plan, due)?, charged)?;
            }
        }
        Ok(())
    }

    /// Whether it is known to be there at `first`, which is after its start.
    fn is_there_on(self, first: Instant) -> bool {
        first <= self.until && self.held.to.is_none_or(|to| first < to)
    }
}

/// Charges each day that begins in `period` once, at the dearest of what stands on it.
pub(super) fn charge(
    commitments: &[Commitment<'_>],
    period: Period,
    lines: &mut Lines,
) -> Result<(), RatingError> {
    let bounds = [ceil_day(period.from()), ceil_day(period.to())];
    let mut cuts: Vec<_> = commitments
        .iter()
        .flat_map(|commitment| [commitment.from, commitment.to])
        .chain(bounds)
        .filter(|at| bounds[0] <= *at && *at <= bounds[1])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut charged: Vec<Commitment<'_>> = Vec::new();
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let standing = commitments.iter().filter(|standing| standing.from <= *from && *to <= standing.to);
        let Some(dearest) = standing.max_by(|one, other| one.offer.against(&other.offer)) else { continue };
        match charged.last_mut() {
            Some(last) if last.to == *from && is_same(last, dearest) => last.to = *to,
            Some(_) | None => charged.push(Commitment { from: *from, to: *to, ..*dearest }),
        }
    }
    for Commitment { offer, from, to } in charged {
        let (quantity, divisor) = pro_rata(from, to);
        lines.add(offer.held, offer.priced, Charged { from, to, quantity, divisor })?;
    }
    Ok(())
}

/// Whether two charges make one line of one month.
fn is_same(one: &Commitment<'_>, other: &Commitment<'_>) -> bool {
    one.offer.against(&other.offer).is_eq() && Month::of(one.from) == Month::of(other.from)
}

/// Days of a month as a quantity and its divisor: 1 for the whole month.
fn pro_rata(from: Instant, to: Instant) -> (Quantity, NonZeroU32) {
    let days = Month::of(from).days();
    match days_between(from, to) {
        charged if charged < days.get() => (Quantity::whole(charged), days),
        _ => (Quantity::whole(1), NonZeroU32::MIN),
    }
}

fn ceil_day(at: Instant) -> Instant {
    let floor = at.floor_day();
    if floor == at { at } else { floor.plus_days(1) }
}

fn days_between(from: Instant, to: Instant) -> u32 {
    // The last month of the calendar ends a microsecond before its day does.
    let days = (to.micros() - from.micros() + MICROS_PER_DAY - 1) / MICROS_PER_DAY;
    u32::try_from(days).expect("a month has fewer days than 32 bits count")
}

/// What falls due at once as a resource begins to hold `new`, a plan charged in advance, after it held
/// `before`: the days to the month's end, of its size or of what it grew by beyond what it was already
/// charged for in this month. None if it did not grow.
///
/// # Errors
/// [`RatingError`].
pub(crate) fn due_at_once(
    before: &[Held],
    new: &Held,
    tariff: &Tariff<'_>,
) -> Result<Option<Rated>, RatingError> {
    let month = Month::of(new.from);
    let is_charged = |held: &&Held| {
        let was_there = held.from >= month.start() || held.to.is_none_or(|to| to > month.start());
        held.plan == new.plan && was_there
    };
    let charged = before.iter().filter(is_charged).map(|held| held.size).max().unwrap_or(Quantity::ZERO);
    if new.size <= charged {
        return Ok(None);
    }
    let growth = new.size.value().checked_sub(charged.value()).ok_or(RateError::TooLarge)?;
    let (from, to) = (new.from.floor_day(), month.end());
    let (part, divisor) = pro_rata(from, to);
    let quantity = Quantity::try_new(growth)?.checked_mul(part)?;
    let priced = tariff.price(&new.plan, new.from)?;
    Ok(Some(Rated {
        plan: new.plan.clone(),
        price_effective: priced.version.effective,
        period: Period::try_new(from, to).expect("a day begins before its month ends"),
        quantity,
        divisor,
        unit_price: priced.price,
        net: rounding::line_net(quantity, priced.price, divisor)?,
    }))
}
