//! Column newtypes: how amounts, rates and instants are stored, exactly, on both backends (R1.2).
//!
//! | type | SQLite and PostgreSQL | because |
//! |---|---|---|
//! | [`Minor`] | bigint | integer minor units sum and compare exactly |
//! | [`Rate`] | text, canonical | ten decimals survive; SQLite would read a decimal through a float |
//! | [`Code`] | text | ISO 4217 |
//! | [`At`] | text / timestamptz, microseconds | both order by time |

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use florin_settlement::{Currency, CurrencyError, Decimal, Instant, Money, canonical, parse_decimal};
use sea_orm::{DbErr, DeriveValueType, QueryResult};

/// What a row held cannot be what was written: a loud error, never a default.
#[derive(Debug, thiserror::Error)]
#[error("corrupt row in {table}: {reason}")]
pub struct CorruptRow {
    table: &'static str,
    reason: String,
}

impl CorruptRow {
    /// Says which table held what cannot be.
    pub fn new(table: &'static str, reason: impl fmt::Display) -> Self {
        Self { table, reason: reason.to_string() }
    }

    /// For `map_err`: turns any parse error of a row of `table` into a corrupt row.
    pub fn of<E: fmt::Display>(table: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::new(table, error)
    }
}

impl From<CorruptRow> for DbErr {
    fn from(corrupt: CorruptRow) -> Self {
        Self::Type(corrupt.to_string())
    }
}

/// An amount in minor units of a currency stored beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Minor(pub i64);

impl Minor {
    /// The amount, given the currency column of the same row.
    #[must_use]
    pub fn money(self, currency: Currency) -> Money {
        Money::new(self.0, currency)
    }
}

impl From<Money> for Minor {
    fn from(money: Money) -> Self {
        Self(money.minor())
    }
}

/// An instant, to the microsecond, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct At(DateTime<Utc>);

impl At {
    /// The instant in a column, if it stands there as it would be written: on SQLite, where it is a text, several
    /// texts mean one instant, and only one of them is ever written.
    ///
    /// # Errors
    /// [`DbErr`] when the row has no such column.
    pub fn as_written(row: &QueryResult, column: &str) -> Result<Option<Instant>, DbErr> {
        if row.try_as_sqlite_row().is_none() {
            return Ok(Some(row.try_get::<Self>("", column)?.into()));
        }
        let text: String = row.try_get("", column)?;
        let instant = Instant::parse(&text).ok();
        let written = |instant: &Instant| instant.as_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, false);
        Ok(instant.filter(|instant| written(instant) == text))
    }
}

impl From<Instant> for At {
    fn from(instant: Instant) -> Self {
        Self(instant.as_datetime())
    }
}

impl From<At> for Instant {
    fn from(at: At) -> Self {
        Self::new(at.0)
    }
}

/// A unit price, quantity or percentage: canonical decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String")]
pub struct Rate(pub Decimal);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&canonical(self.0))
    }
}

impl FromStr for Rate {
    type Err = florin_settlement::DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_decimal(text, 28).map(Self)
    }
}

/// A currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String")]
pub struct Code(pub Currency);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

impl FromStr for Code {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Currency::parse(text).map(Self)
    }
}
