//! When something unfinished is looked at again: by whom it is awaited decides how soon.

use std::time::Duration;

use florin_settlement::Instant;

const ANSWER_FIRST: Duration = Duration::from_secs(30);
const ANSWER_LAST: Duration = Duration::from_secs(3600);
const CUSTOMER: Duration = Duration::from_secs(15 * 60);
const BANK: Duration = Duration::from_secs(24 * 3600);

/// Who is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The provider's answer, which may have been lost: 30 seconds, then twice as long each time, at most
    /// an hour.
    Answer,
    /// The customer at the action URL: every 15 minutes, until the provider lets the action lapse.
    Customer,
    /// The bank: every day.
    Bank,
    /// The day on which it is to be done; a look that could do nothing is repeated like one for an answer.
    Day,
}

/// The next look at something unfinished, and how many there have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How often it has been looked at without news.
    pub looks: u32,
    /// When to look again.
    pub next: Instant,
}

impl Watch {
    /// The watch that begins at `at`.
    #[must_use]
    pub(crate) fn begin(awaited: Awaited, at: Instant) -> Self {
        Self { looks: 0, next: at.plus(pause(awaited, 0)) }
    }

    /// The watch after a look at `at` that brought no news.
    #[must_use]
    pub(crate) fn looked(self, awaited: Awaited, at: Instant) -> Self {
        let looks = self.looks.saturating_add(1);
        Self { looks, next: at.plus(pause(awaited, looks)) }
    }
}

fn pause(awaited: Awaited, looks: u32) -> Duration {
    match awaited {
        Awaited::Answer | Awaited::Day => ANSWER_FIRST.saturating_mul(1 << looks.min(16)).min(ANSWER_LAST),
        Awaited::Customer => CUSTOMER,
        Awaited::Bank => BANK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_sought_less_and_less_often_and_at_least_hourly() {
        let at = Instant::midnight(2026, 1, 1).expect("a day");
        let mut watch = Watch::begin(Awaited::Answer, at);
        assert_eq!(watch.next, at.plus_seconds(30));
        watch = watch.looked(Awaited::Answer, at);
        assert_eq!(watch.next, at.plus_seconds(60));
        for _ in 0..100 {
            watch = watch.looked(Awaited::Answer, at);
        }
        assert_eq!(watch.next, at.plus_hours(1));
    }

    #[test]
    fn customers_are_looked_after_each_quarter_and_banks_each_day() {
        let at = Instant::midnight(2026, 1, 1).expect("a day");
        assert_eq!(
            Watch::begin(Awaited::Customer, at).looked(Awaited::Customer, at).next,
            at.plus_seconds(900)
        );
        assert_eq!(Watch::begin(Awaited::Bank, at).next, at.plus_days(1));
    }
}
