//! Stretches of time.
//!
//! Owns: [`Period`], half-open, and [`Month`], the billing period.
//! Always holds: a period contains its start, not its end, and is not empty (R1.6); months follow
//! each other without gap or overlap.
//! Refuses to know: what is billed in a month, and when.

use std::{fmt, num::NonZeroU32};

use chrono::{Datelike, NaiveDate};

use crate::Instant;

/// A half-open stretch of time, `[from, to)` (R1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    from: Instant,
    to: Instant,
}

/// A calendar month in UTC, within the years 1 to 9999 (R1.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

/// Why something is not a period or a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The end is not after the start.
    #[error("a period ends after it starts")]
    Empty,
    /// Not `YYYY-MM`.
    #[error("not a month of the form 2027-03")]
    MalformedMonth,
}

impl Period {
    /// The time from `from` up to, but without, `to`.
    ///
    /// # Errors
    /// [`PeriodError::Empty`] unless `from < to`.
    pub fn try_new(from: Instant, to: Instant) -> Result<Self, PeriodError> {
        if from < to { Ok(Self { from, to }) } else { Err(PeriodError::Empty) }
    }

    /// The calendar month in which `at` lies.
    #[must_use]
    pub fn month_of(at: Instant) -> Self {
        Month::of(at).period()
    }

    /// Its first instant.
    #[must_use]
    pub const fn from(self) -> Instant {
        self.from
    }

    /// The first instant after it.
    #[must_use]
    pub const fn to(self) -> Instant {
        self.to
    }

    /// Whether `at` lies in it: `from ≤ at < to`.
    #[must_use]
    pub fn contains(self, at: Instant) -> bool {
        self.from <= at && at < self.to
    }

    /// What it has in common with `other`, if anything.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::try_new(self.from.max(other.from), self.to.min(other.to)).ok()
    }

    /// The days of the calendar month in which it starts: the divisor of a pro-rata (R5.3).
    #[must_use]
    pub fn days_in_month(self) -> NonZeroU32 {
        Month::of(self.from).days()
    }
}

impl Month {
    const FIRST: Self = Self { year: 1, month: 1 };
    const LAST: Self = Self { year: 9999, month: 12 };

    /// The month in which `at` lies.
    #[must_use]
    pub fn of(at: Instant) -> Self {
        let date = at.as_datetime();
        Self { year: date.year(), month: date.month() }
    }

    /// Reads `YYYY-MM`.
    ///
    /// # Errors
    /// [`PeriodError::MalformedMonth`].
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let digits = |part: &str, count: usize| {
            let is_plain = part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_plain { part.parse::<u16>().ok() } else { None }
        };
        let (year, month) = text.split_once('-').ok_or(PeriodError::MalformedMonth)?;
        match (digits(year, 4), digits(month, 2)) {
            (Some(year @ 1..), Some(month @ 1..=12)) => {
                Ok(Self { year: i32::from(year), month: u32::from(month) })
            }
            (Some(_) | None, Some(_) | None) => Err(PeriodError::MalformedMonth),
        }
    }

    /// The year, 1 to 9999.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.year
    }

    /// The month of the year, January being 1.
    #[must_use]
    pub const fn month(self) -> u32 {
        self.month
    }

    /// Its first instant.
    #[must_use]
    pub fn start(self) -> Instant {
        Instant::midnight(self.year, self.month, 1)
            .expect("every month of the years 1 to 9999 has a first day")
    }

    /// The first instant of the month after it.
    #[must_use]
    pub fn end(self) -> Instant {
        if self == Self::LAST { Instant::MAX } else { self.next().start() }
    }

    /// From its first instant to the first of the next month.
    #[must_use]
    pub fn period(self) -> Period {
        Period { from: self.start(), to: self.end() }
    }

    /// How many days it has.
    #[must_use]
    pub fn days(self) -> NonZeroU32 {
        let first = NaiveDate::from_ymd_opt(self.year, self.month, 1);
        let days = first.map(|date| u32::from(date.num_days_in_month()));
        days.and_then(NonZeroU32::new).expect("every month has days")
    }

    /// The month after it; the last month of the year 9999 stays.
    #[must_use]
    pub fn next(self) -> Self {
        if self == Self::LAST {
            self
        } else if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { year: self.year, month: self.month + 1 }
        }
    }

    /// The month before it; the first month of the year 1 stays.
    #[must_use]
    pub fn previous(self) -> Self {
        if self == Self::FIRST {
            self
        } else if self.month == 1 {
            Self { year: self.year - 1, month: 12 }
        } else {
            Self { year: self.year, month: self.month - 1 }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{}, {})", self.from, self.to)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    #[test]
    fn a_period_contains_its_start_and_not_its_end() {
        let month = Period::month_of(at("2027-03-17T12:00:00Z"));
        assert_eq!(month.to_string(), "[2027-03-01T00:00:00Z, 2027-04-01T00:00:00Z)");
        assert!(month.contains(at("2027-03-01T00:00:00Z")));
        assert!(month.contains(at("2027-03-31T23:59:59.999999Z")));
        assert!(!month.contains(at("2027-04-01T00:00:00Z")));
    }

    #[test]
    fn a_period_is_not_empty() {
        let noon = at("2027-03-17T12:00:00Z");
        assert_eq!(Period::try_new(noon, noon), Err(PeriodError::Empty));
        assert_eq!(Period::try_new(noon.plus_hours(1), noon), Err(PeriodError::Empty));
        assert!(Period::try_new(noon, noon.plus_seconds(1)).is_ok());
    }

    #[test]
    fn periods_that_only_touch_have_nothing_in_common() {
        let march = Month::parse("2027-03").expect("a month");
        let april = march.next();
        assert_eq!(march.period().intersection(april.period()), None);
        assert_eq!(march.period().intersection(march.period()), Some(march.period()));
    }

    #[test]
    fn months_follow_each_other_across_the_year() {
        let december = Month::parse("2027-12").expect("a month");
        assert_eq!(december.next().to_string(), "2028-01");
        assert_eq!(december.next().previous(), december);
        assert_eq!(december.end(), december.next().start());
        assert_eq!(Month::LAST.next(), Month::LAST);
        assert_eq!(Month::FIRST.previous(), Month::FIRST);
        assert_eq!(Month::LAST.period().to(), Instant::MAX);
    }

    #[test]
    fn every_month_has_its_days_also_in_leap_years() {
        let days = |text: &str| Month::parse(text).expect("a month").days().get();
        let of_2027 = (1..=12).map(|month| days(format!("2027-{month:02}").as_str())).collect::<Vec<_>>();
        assert_eq!(of_2027, [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
        assert_eq!([days("2028-02"), days("2100-02"), days("2000-02")], [29, 28, 29]);
        assert_eq!(Period::month_of(at("2028-02-10T00:00:00Z")).days_in_month().get(), 29);
    }

    #[test]
    fn a_month_is_four_digits_a_dash_and_two_digits() {
        for text in ["2027-03", "0001-01", "9999-12"] {
            assert_eq!(Month::parse(text).map(|month| month.to_string()).as_deref(), Ok(text));
        }
        for text in
            ["", "2027", "2027-3", "2027-13", "2027-00", "0000-01", "2027-03-01", "+027-03", "2027-+3"]
        {
            assert_eq!(Month::parse(text), Err(PeriodError::MalformedMonth), "{text:?}");
        }
    }
}
