//! Numbers that are not yet money: prices per unit, quantities, percentages.
//!
//! Owns: [`UnitPrice`], [`Quantity`], [`Percentage`] and [`TaxRate`], and their limits.
//! Always holds: none is negative or finer than its kind allows (R1.2), and each is kept without
//! trailing zeros, so that equal values have equal text.
//! Refuses to know: how they become money. That rounds, and rounding is [`crate::rounding`].

use std::{cmp::Ordering, fmt};

use rust_decimal::Decimal;

use crate::{Currency, DecimalError, MoneyError, canonical, decimal, parse_decimal};

/// The most decimals of a unit price or a quantity (R1.2).
const SCALE_MAX: u32 = 10;
/// The most digits before the point of a unit price or a quantity.
const WHOLE_DIGITS_MAX: u32 = 18;
/// The most decimals of a percentage.
const PERCENT_SCALE_MAX: u32 = 4;

/// The price of one unit, net of tax, with up to 10 decimals (R1.2). Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitPrice {
    amount: Decimal,
    currency: Currency,
}

/// How much was used, in the plan's unit, with up to 10 decimals (R1.2). Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(Decimal);

/// A share in percent, 0 to 100, with up to 4 decimals (R1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentage(Decimal);

/// A rate of tax in percent, 0 to 100, with up to 4 decimals (R1.2, R8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaxRate(Percentage);

/// Why a number is not a price, quantity or percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// The text is not an acceptable decimal.
    #[error("not an acceptable number")]
    Decimal(#[from] DecimalError),
    /// Below zero.
    #[error("below zero")]
    Negative,
    /// Above the largest allowed value: 100 for a percentage, 18 digits before the point otherwise.
    #[error("too large")]
    TooLarge,
}

impl UnitPrice {
    /// A price of `amount` units of `currency`.
    ///
    /// # Errors
    /// [`RateError`]: negative, more than 10 decimals, 10¹⁸ or more.
    pub fn try_new(amount: Decimal, currency: Currency) -> Result<Self, RateError> {
        Ok(Self { amount: bounded(amount, SCALE_MAX)?, currency })
    }

    /// Reads a price.
    ///
    /// # Errors
    /// [`RateError`], as [`Self::try_new`], and for what is not a plain decimal.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, RateError> {
        Self::try_new(parse_decimal(text, SCALE_MAX)?, currency)
    }

    /// The price in units of its currency.
    #[must_use]
    pub const fn amount(self) -> Decimal {
        self.amount
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Which of two prices in one currency is dearer.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] (R1.1).
    pub fn compare(self, other: Self) -> Result<Ordering, MoneyError> {
        if self.currency == other.currency {
            Ok(self.amount.cmp(&other.amount))
        } else {
            Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
        }
    }
}

impl Quantity {
    /// Nothing used.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// A quantity.
    ///
    /// # Errors
    /// [`RateError`]: negative, more than 10 decimals, 10¹⁸ or more.
    pub fn try_new(value: Decimal) -> Result<Self, RateError> {
        bounded(value, SCALE_MAX).map(Self)
    }

    /// Reads a quantity.
    ///
    /// # Errors
    /// [`RateError`], as [`Self::try_new`], and for what is not a plain decimal.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        Self::try_new(parse_decimal(text, SCALE_MAX)?)
    }

    /// A whole number of units.
    #[must_use]
    pub fn whole(units: u32) -> Self {
        Self(decimal::normal(Decimal::from(units)))
    }

    /// The number of units.
    #[must_use]
    pub const fn value(self) -> Decimal {
        self.0
    }

    /// Nothing at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The sum: roll-ups keep quantities, never amounts (R1.4).
    ///
    /// # Errors
    /// [`RateError::TooLarge`].
    pub fn checked_add(self, other: Self) -> Result<Self, RateError> {
        Self::try_new(self.0.checked_add(other.0).ok_or(RateError::TooLarge)?)
    }

    /// What is left of it without `other`.
    ///
    /// # Errors
    /// [`RateError::Negative`], if that is more.
    pub fn checked_sub(self, other: Self) -> Result<Self, RateError> {
        Self::try_new(self.0.checked_sub(other.0).ok_or(RateError::TooLarge)?)
    }

    /// The exact product, as of a size and the hours it was held (R5.4). Refused, not rounded, when it
    /// needs more than 10 decimals.
    ///
    /// # Errors
    /// [`RateError`].
    pub fn checked_mul(self, other: Self) -> Result<Self, RateError> {
        let mantissa = self.0.mantissa().checked_mul(other.0.mantissa()).ok_or(RateError::TooLarge)?;
        let scale = self.0.scale() + other.0.scale();
        let exact = Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| RateError::TooLarge)?;
        Self::try_new(exact)
    }
}

impl Percentage {
    /// So many percent.
    ///
    /// # Errors
    /// [`RateError`]: negative, more than 4 decimals, above 100.
    pub fn try_new(percent: Decimal) -> Result<Self, RateError> {
        let percent = bounded(percent, PERCENT_SCALE_MAX)?;
        if percent > Decimal::ONE_HUNDRED { Err(RateError::TooLarge) } else { Ok(Self(percent)) }
    }

    /// Reads a percentage: `1` is one percent.
    ///
    /// # Errors
    /// [`RateError`], as [`Self::try_new`], and for what is not a plain decimal.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        Self::try_new(parse_decimal(text, PERCENT_SCALE_MAX)?)
    }

    /// The percentage: 20 for 20 %.
    #[must_use]
    pub const fn percent(self) -> Decimal {
        self.0
    }
}

impl TaxRate {
    /// No tax.
    pub const ZERO: Self = Self(Percentage(Decimal::ZERO));

    /// So many percent.
    ///
    /// # Errors
    /// [`RateError`]: negative, more than 4 decimals, above 100.
    pub fn try_new(percent: Decimal) -> Result<Self, RateError> {
        Percentage::try_new(percent).map(Self)
    }

    /// Reads a rate: `20` is 20 %.
    ///
    /// # Errors
    /// [`RateError`], as [`Self::try_new`], and for what is not a plain decimal.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        Percentage::parse(text).map(Self)
    }

    /// The rate in percent: 20 for 20 %.
    #[must_use]
    pub const fn percent(self) -> Decimal {
        self.0.percent()
    }

    /// Nought percent.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.percent().is_zero()
    }
}

fn bounded(value: Decimal, scale_max: u32) -> Result<Decimal, RateError> {
    let value = decimal::normal(value);
    if value.is_sign_negative() {
        return Err(RateError::Negative);
    }
    if value.scale() > scale_max {
        return Err(DecimalError::TooManyDecimals { max: scale_max }.into());
    }
    let limit = decimal::power_of_ten(WHOLE_DIGITS_MAX + value.scale()).ok_or(RateError::TooLarge)?;
    if value.mantissa() < limit { Ok(value) } else { Err(RateError::TooLarge) }
}

impl fmt::Display for UnitPrice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", canonical(self.amount), self.currency)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&canonical(self.0))
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&canonical(self.0))
    }
}

impl fmt::Display for TaxRate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_price_has_up_to_ten_decimals() {
        let price = |text| UnitPrice::parse(text, Currency::EUR).map(|price| price.to_string());
        assert_eq!(price("0.0000555556").as_deref(), Ok("0.0000555556 EUR"));
        assert_eq!(price("0.11100").as_deref(), Ok("0.111 EUR"));
        let finer = RateError::Decimal(DecimalError::TooManyDecimals { max: 10 });
        assert_eq!(price("0.00000000001"), Err(finer));
        assert_eq!(price("-0.1"), Err(RateError::Negative));
        assert_eq!(price("-0").as_deref(), Ok("0 EUR"));
        assert_eq!(
            price("999999999999999999.9999999999").as_deref(),
            Ok("999999999999999999.9999999999 EUR")
        );
        assert_eq!(price("1000000000000000000"), Err(RateError::TooLarge));
    }

    #[test]
    fn a_tax_rate_is_a_percentage_from_nought_to_a_hundred() {
        let rate = |text| TaxRate::parse(text).map(|rate| rate.to_string());
        assert_eq!(rate("20.00").as_deref(), Ok("20"));
        assert_eq!(rate("5.5").as_deref(), Ok("5.5"));
        assert_eq!(rate("100").as_deref(), Ok("100"));
        assert_eq!(rate("100.0001"), Err(RateError::TooLarge));
        assert_eq!(rate("-1"), Err(RateError::Negative));
        let finer = RateError::Decimal(DecimalError::TooManyDecimals { max: 4 });
        assert_eq!(rate("5.00001"), Err(finer));
        assert!(TaxRate::parse("20").is_ok_and(|high| TaxRate::parse("5.5").is_ok_and(|low| high > low)));
        assert_eq!(TaxRate::parse("20"), TaxRate::try_new(Decimal::new(2_000, 2)));
    }

    #[test]
    fn quantities_are_added_and_multiplied_exactly() {
        let quantity = |text| Quantity::parse(text).expect("a quantity");
        assert_eq!(quantity("250").checked_mul(Quantity::whole(103)), Ok(quantity("25750")));
        assert_eq!(quantity("0.1").checked_add(quantity("0.2")), Ok(quantity("0.3")));
        assert_eq!(quantity("0.000001").checked_mul(quantity("0.0001")), Ok(quantity("0.0000000001")));
        assert!(quantity("0.000001").checked_mul(quantity("0.00001")).is_err());
        let most = quantity("999999999999999999");
        assert_eq!(most.checked_add(Quantity::whole(1)), Err(RateError::TooLarge));
        assert_eq!(most.checked_mul(most), Err(RateError::TooLarge));
        assert!(Quantity::ZERO.is_zero() && Quantity::whole(100) == quantity("100.0"));
    }

    #[test]
    fn the_dearer_of_two_prices_is_known_only_within_a_currency() {
        let price = |text, currency| UnitPrice::parse(text, currency).expect("a price");
        let euro = price("0.111", Currency::EUR);
        assert_eq!(euro.compare(price("0.11", Currency::EUR)), Ok(Ordering::Greater));
        assert!(euro.compare(price("0.11", Currency::USD)).is_err());
    }
}
