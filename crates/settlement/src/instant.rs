//! Points in time.
//!
//! Owns: [`Instant`], the arithmetic of hours, days and months on it.
//! Always holds: UTC, whole microseconds, within the years 1 to 9999 (R1.6). Arithmetic that would
//! leave those years stops at their end.
//! Refuses to know: what time it is (R1.7), and time zones.

use std::{fmt, time::Duration};

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, SecondsFormat, Utc};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// A point in time, in UTC, to the microsecond (R1.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    micros: i64,
}

/// Why something is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstantError {
    /// Outside the years 1 to 9999.
    #[error("instant outside the years 1 to 9999")]
    OutOfRange,
    /// Not an RFC 3339 timestamp.
    #[error("not an RFC 3339 timestamp")]
    Malformed,
}

impl Instant {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self { micros: -62_135_596_800 * MICROS_PER_SECOND };
    /// The last microsecond of the year 9999.
    pub const MAX: Self = Self { micros: 253_402_300_800 * MICROS_PER_SECOND - 1 };

    /// The instant of a date and time, truncated to microseconds (R1.6). What lies outside the years
    /// 1 to 9999 becomes the nearest end of them.
    #[must_use]
    pub fn new(datetime: DateTime<Utc>) -> Self {
        Self::saturating(i128::from(datetime.timestamp_micros()))
    }

    /// The instant so many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`InstantError::OutOfRange`].
    pub const fn from_micros(micros: i64) -> Result<Self, InstantError> {
        if micros < Self::MIN.micros || micros > Self::MAX.micros {
            return Err(InstantError::OutOfRange);
        }
        Ok(Self { micros })
    }

    /// Reads an RFC 3339 timestamp, truncated to microseconds.
    ///
    /// # Errors
    /// [`InstantError`].
    pub fn parse(text: &str) -> Result<Self, InstantError> {
        let read = DateTime::parse_from_rfc3339(text).map_err(|_| InstantError::Malformed)?;
        Self::from_micros(read.timestamp_micros())
    }

    /// Midnight at the start of a day of the calendar, or `None` if there is no such day.
    #[must_use]
    pub fn midnight(year: i32, month: u32, day: u32) -> Option<Self> {
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        Self::from_micros(date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()).ok()
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// The date and time.
    #[must_use]
    pub fn as_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros).expect("years 1 to 9999 are within chrono's range")
    }

    /// The same day and time `months` calendar months later, clamped to the last day of that month
    /// (R1.6): 2025-01-31 + 13 months is 2026-02-28.
    #[must_use]
    pub fn plus_months_clamped(self, months: u32) -> Self {
        self.as_datetime().checked_add_months(Months::new(months)).map_or(Self::MAX, Self::new)
    }

    /// So many days of 24 hours later.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        self.plus_steps(i128::from(days), MICROS_PER_DAY)
    }

    /// So many days of 24 hours earlier.
    #[must_use]
    pub fn minus_days(self, days: u32) -> Self {
        self.plus_steps(-i128::from(days), MICROS_PER_DAY)
    }

    /// So many hours later.
    #[must_use]
    pub fn plus_hours(self, hours: u32) -> Self {
        self.plus_steps(i128::from(hours), MICROS_PER_HOUR)
    }

    /// So many seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self.plus_steps(i128::from(seconds), MICROS_PER_SECOND)
    }

    /// So much later, in whole microseconds.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::saturating(i128::from(self.micros).saturating_add(micros_of(duration)))
    }

    /// So much earlier, in whole microseconds.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self::saturating(i128::from(self.micros).saturating_sub(micros_of(duration)))
    }

    /// How long after `earlier` this is; nothing if it is not after.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        u64::try_from(self.micros.saturating_sub(earlier.micros))
            .map_or(Duration::ZERO, Duration::from_micros)
    }

    /// The first instant of its calendar month.
    #[must_use]
    pub fn start_of_month(self) -> Self {
        crate::Month::of(self).start()
    }

    /// The first instant of the calendar month after its own.
    #[must_use]
    pub fn start_of_next_month(self) -> Self {
        crate::Month::of(self).end()
    }

    /// The start of its day.
    #[must_use]
    pub fn floor_day(self) -> Self {
        self.floor_to(MICROS_PER_DAY)
    }

    /// The day of its month, the first being 1.
    #[must_use]
    pub fn day_of_month(self) -> u32 {
        self.as_datetime().day()
    }

    /// The start of the wall-clock hour it lies in (R5.2).
    #[must_use]
    pub fn floor_hour(self) -> Self {
        self.floor_to(MICROS_PER_HOUR)
    }

    /// The first full hour not before it (R5.2).
    #[must_use]
    pub fn ceil_hour(self) -> Self {
        let floor = self.floor_hour();
        if floor == self { self } else { floor.plus_hours(1) }
    }

    fn floor_to(self, step: i64) -> Self {
        Self { micros: self.micros - self.micros.rem_euclid(step) }
    }

    fn plus_steps(self, count: i128, step: i64) -> Self {
        Self::saturating(i128::from(self.micros) + count * i128::from(step))
    }

    fn saturating(micros: i128) -> Self {
        let within = micros.clamp(i128::from(Self::MIN.micros), i128::from(Self::MAX.micros));
        Self { micros: i64::try_from(within).expect("clamped to 64 bits") }
    }
}

fn micros_of(duration: Duration) -> i128 {
    i128::try_from(duration.as_micros()).expect("a duration has fewer than 2^84 microseconds")
}

impl fmt::Display for Instant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.as_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests;
