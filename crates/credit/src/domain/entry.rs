//! Wrong guesses of voucher codes, counted per account (R6.6).

use florin_settlement::Instant;

/// So many wrong tries within [`FORGET_AFTER_HOURS`] lock voucher entry.
pub(crate) const WRONG_MAX: u32 = 5;
/// Voucher entry stays locked for so long.
pub(crate) const LOCK_HOURS: u32 = 1;
/// A wrong try is forgotten so long after the first of its series.
pub(crate) const FORGET_AFTER_HOURS: u32 = 24;

/// How an account stands with its wrong tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VoucherEntry {
    /// How many since `since`.
    pub wrong: u32,
    /// When the first of them was.
    pub since: Option<Instant>,
    /// Until when codes are not even looked at.
    pub locked_until: Option<Instant>,
}

impl VoucherEntry {
    /// Until when it is locked, if it is at `at`.
    #[must_use]
    pub(crate) fn lock_at(&self, at: Instant) -> Option<Instant> {
        self.locked_until.filter(|until| at < *until)
    }

    /// After one more wrong try: the one that reaches the maximum locks and starts the count anew.
    #[must_use]
    pub(crate) fn wrong_try(self, at: Instant) -> Self {
        let since = self.since.filter(|since| at < since.plus_hours(FORGET_AFTER_HOURS));
        let wrong = if since.is_some() { self.wrong + 1 } else { 1 };
        if wrong >= WRONG_MAX {
            Self { wrong: 0, since: None, locked_until: Some(at.plus_hours(LOCK_HOURS)) }
        } else {
            Self { wrong, since: since.or(Some(at)), locked_until: self.locked_until }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    #[test]
    fn the_fifth_wrong_try_locks_for_one_hour() {
        let mut entry = VoucherEntry::default();
        for _ in 1..WRONG_MAX {
            entry = entry.wrong_try(at("2027-01-01T10:00:00Z"));
            assert_eq!(entry.lock_at(at("2027-01-01T10:00:00Z")), None);
        }
        entry = entry.wrong_try(at("2027-01-01T10:00:01Z"));
        let until = at("2027-01-01T11:00:01Z");
        assert_eq!(entry.lock_at(at("2027-01-01T11:00:00.999999Z")), Some(until));
        assert_eq!(entry.lock_at(until), None);
    }

    #[test]
    fn wrong_tries_of_another_day_are_forgotten() {
        let entry = (1..WRONG_MAX)
            .fold(VoucherEntry::default(), |entry, _| entry.wrong_try(at("2027-01-01T10:00:00Z")));
        let next_day = entry.wrong_try(at("2027-01-02T10:00:00Z"));
        assert_eq!((next_day.wrong, next_day.locked_until), (1, None));
    }
}
