//! HOURLY: every wall-clock hour touched is charged once, at the dearest of what touched it (R5.2, R5.4).

use std::num::NonZeroU32;

use florin_settlement::{Instant, Month, Period, Quantity};

use super::{Charged, Held, Lines, Offer, RatingError, Stretch, months_from};
use crate::domain::tariff::Tariff;

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// The wall-clock hours a stretch touches, `[from, to)` on full hours.
#[derive(Clone, Copy)]
pub(super) struct Hours<'held> {
    held: &'held Held,
    from: Instant,
    to: Instant,
}

impl<'held> Stretch<'held> {
    /// The hours touched that begin in `period`. What came and went in one instant touched its hour.
    pub(super) fn hours_in(self, period: Period) -> Option<Hours<'held>> {
        let first = self.held.from.floor_hour();
        let from = first.max(period.from().ceil_hour());
        let to = self.end().ceil_hour().max(first.plus_hours(1)).min(period.to().ceil_hour());
        (from < to).then_some(Hours { held: self.held, from, to })
    }
}

/// Between two neighbouring cuts nothing changes: who touches the hours, at which price, in which month.
pub(super) fn charge(
    touched: &[Hours<'_>],
    tariff: &Tariff<'_>,
    lines: &mut Lines,
) -> Result<(), RatingError> {
    let cuts = cuts(touched, tariff)?;
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let mut dearest: Option<Offer<'_>> = None;
        for hours in touched.iter().filter(|hours| hours.from <= *from && *to <= hours.to) {
            let offer = Offer::of(hours.held, tariff.price(&hours.held.plan, *from)?)?;
            if dearest.is_none_or(|known| offer.against(&known).is_gt()) {
                dearest = Some(offer);
            }
        }
        if let Some(Offer { held, priced, .. }) = dearest {
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
        let within = |at: &Instant| hours.from < *at && *at < hours.to;
        cuts.extend(tariff.changes(&hours.held.plan)?.map(Instant::ceil_hour).filter(within));
        let firsts =
            months_from(Month::of(hours.from)).map(Month::start).take_while(|first| *first < hours.to);
        cuts.extend(firsts.filter(within));
    }
    cuts.sort_unstable();
    cuts.dedup();
    Ok(cuts)
}

fn hours_between(from: Instant, to: Instant) -> u32 {
    u32::try_from((to.micros() - from.micros()) / MICROS_PER_HOUR)
        .expect("a month has fewer hours than 32 bits count")
}
