//! Payable amounts.
//!
//! Owns: [`Money`], an integer count of a currency's minor unit.
//! Always holds: an amount is exact (R1.2); amounts of two currencies are never added, compared or
//! converted (R1.1); overflow is an error.
//! Refuses to know: rounding. What is finer than the minor unit is refused (R1.3); who must round
//! does so in [`crate::rounding`].

use std::{cmp::Ordering, fmt};

use rust_decimal::Decimal;

use crate::{Currency, decimal};

/// An amount in minor units of one currency (R1.2, R1.3). May be negative. There is deliberately no
/// `Ord`: amounts of two currencies have no order, see [`Money::compare`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why an amount could not be made or two amounts not be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies met (R1.1).
    #[error("{left} and {right} are never mixed")]
    CurrencyMismatch {
        /// The currency on the left.
        left: Currency,
        /// The currency on the right.
        right: Currency,
    },
    /// The amount does not fit in 64 bits of minor units.
    #[error("amount out of range")]
    Overflow,
    /// The input is finer than the currency's minor unit (R1.3).
    #[error("finer than the minor unit of {0}")]
    TooFine(Currency),
    /// Units and nanos of a wire amount have opposite signs.
    #[error("units and nanos have opposite signs")]
    SignMismatch,
    /// Nanos are outside −999 999 999 to 999 999 999.
    #[error("nanos out of range")]
    NanosOutOfRange,
}

/// Nanos in one unit of a wire amount.
const NANOS_PER_UNIT: i128 = 1_000_000_000;

impl Money {
    /// An amount of `minor` minor units (cents for EUR, yen for JPY).
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Exactly nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// More than nothing.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// Less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor.checked_add(other.minor).map(|minor| Self { minor, ..self }).ok_or(MoneyError::Overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor.checked_sub(other.minor).map(|minor| Self { minor, ..self }).ok_or(MoneyError::Overflow)
    }

    /// The amount with the opposite sign.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for the smallest 64-bit amount.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        self.minor.checked_neg().map(|minor| Self { minor, ..self }).ok_or(MoneyError::Overflow)
    }

    /// The sum of `amounts`, all of which must be in `currency`; of none it is zero.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>, currency: Currency) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    /// Which of two amounts of one currency is larger.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`].
    pub fn compare(self, other: Self) -> Result<Ordering, MoneyError> {
        self.same_currency(other)?;
        Ok(self.minor.cmp(&other.minor))
    }

    /// The smaller of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`].
    pub fn min(self, other: Self) -> Result<Self, MoneyError> {
        Ok(if self.compare(other)?.is_le() { self } else { other })
    }

    /// The amount of `value` units (12.34 EUR is 1234 cents). Finer input is refused (R1.3).
    ///
    /// # Errors
    /// [`MoneyError::TooFine`], [`MoneyError::Overflow`].
    pub fn from_decimal(value: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let value = decimal::normal(value);
        let missing = currency.exponent().checked_sub(value.scale()).ok_or(MoneyError::TooFine(currency))?;
        let minor = decimal::power_of_ten(missing).and_then(|factor| value.mantissa().checked_mul(factor));
        let minor = minor.and_then(|minor| i64::try_from(minor).ok()).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency })
    }

    /// The amount in units, exactly.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.exponent())
    }

    /// The amount of the parts of a `google.type.Money`: whole units and billionths.
    ///
    /// # Errors
    /// [`MoneyError::SignMismatch`], [`MoneyError::NanosOutOfRange`], [`MoneyError::TooFine`],
    /// [`MoneyError::Overflow`].
    pub fn from_units_nanos(units: i64, nanos: i32, currency: Currency) -> Result<Self, MoneyError> {
        let (units, nanos) = (i128::from(units), i128::from(nanos));
        if nanos.abs() >= NANOS_PER_UNIT {
            return Err(MoneyError::NanosOutOfRange);
        }
        if units.signum() * nanos.signum() < 0 {
            return Err(MoneyError::SignMismatch);
        }
        let minor_per_unit = minor_per_unit(currency);
        let nanos_per_minor = NANOS_PER_UNIT / minor_per_unit;
        if nanos % nanos_per_minor != 0 {
            return Err(MoneyError::TooFine(currency));
        }
        let minor = units * minor_per_unit + nanos / nanos_per_minor;
        Ok(Self { minor: i64::try_from(minor).map_err(|_| MoneyError::Overflow)?, currency })
    }

    /// The parts of a `google.type.Money`: whole units and billionths, both with the amount's sign.
    #[must_use]
    pub fn to_units_nanos(self) -> (i64, i32) {
        let minor_per_unit = minor_per_unit(self.currency);
        let minor = i128::from(self.minor);
        let nanos = minor % minor_per_unit * (NANOS_PER_UNIT / minor_per_unit);
        (
            i64::try_from(minor / minor_per_unit).expect("units are fewer than minor units"),
            i32::try_from(nanos).expect("nanos are below one billion"),
        )
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
        }
    }
}

fn minor_per_unit(currency: Currency) -> i128 {
    decimal::power_of_ten(currency.exponent()).expect("no currency has more than nine decimals")
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.to_decimal(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests;
