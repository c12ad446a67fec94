//! The five places where Florin rounds, and no other (R1.4).
//!
//! Owns: [`hourly_from_monthly`], [`line_net`], [`tax`], [`loyalty_earning`], [`split_gross`].
//! Always holds: half away from zero (loyalty: down), on exact 128-bit fractions, once; what does not
//! fit is an error, never a wrong amount.
//! Refuses to know: groups and totals. Those are sums of rounded lines and never rounded again.

use std::num::NonZeroU32;

use rust_decimal::Decimal;

use crate::{Currency, Money, Percentage, Quantity, TaxRate, UnitPrice, decimal::power_of_ten};

/// The hours of a month that has a monthly price (R1.4, R5.4).
const HOURS_PER_MONTH: i128 = 720;
/// The decimals of an hourly price derived from a monthly one (R1.4).
const HOURLY_SCALE: u32 = 10;

/// Why nothing could be rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoundingError {
    /// A factor does not fit in 128 bits or the result not in 64 bits of minor units.
    #[error("amount out of range")]
    Overflow,
    /// Loyalty is earned on what was paid, which is never below zero.
    #[error("loyalty is earned on amounts above zero only")]
    NegativeEarning,
}

/// The hourly price of a monthly one: price / 720 to 10 decimals (R1.4), fixed when the price version
/// is created.
#[must_use]
pub fn hourly_from_monthly(monthly: UnitPrice) -> UnitPrice {
    let amount = monthly.amount();
    let missing = HOURLY_SCALE - amount.scale();
    let scaled = power_of_ten(missing).and_then(|factor| amount.mantissa().checked_mul(factor));
    let scaled = scaled.expect("a unit price has at most 28 digits at 10 decimals");
    let hourly = half_away_from_zero(scaled, HOURS_PER_MONTH);
    UnitPrice::try_new(Decimal::from_i128_with_scale(hourly, HOURLY_SCALE), monthly.currency())
        .expect("an hourly price is below its monthly price")
}

/// The net of a line: quantity × price / divisor, rounded once to the minor unit (R1.4). The quantity
/// is the sum of all that was used at this price; the divisor is 1, or the days of the month of a
/// pro-rata (R5.3).
///
/// # Errors
/// [`RoundingError::Overflow`].
pub fn line_net(quantity: Quantity, price: UnitPrice, divisor: NonZeroU32) -> Result<Money, RoundingError> {
    let (quantity, amount) = (quantity.value(), price.amount());
    let product = checked(quantity.mantissa().checked_mul(amount.mantissa()))?;
    let decimals = quantity.scale() + amount.scale();
    let exponent = price.currency().exponent();
    let numerator = checked(power_of_ten(exponent.saturating_sub(decimals)))?;
    let numerator = checked(product.checked_mul(numerator))?;
    let denominator = checked(power_of_ten(decimals.saturating_sub(exponent)))?;
    let denominator = checked(denominator.checked_mul(i128::from(divisor.get())))?;
    money(half_away_from_zero(numerator, denominator), price.currency())
}

/// The tax on a net amount, to the minor unit (R1.4). A negative net (a reversal) has the negative of
/// the tax of its opposite (R7.9).
///
/// # Errors
/// [`RoundingError::Overflow`].
pub fn tax(net: Money, rate: TaxRate) -> Result<Money, RoundingError> {
    let share = Share::of(rate.percent())?;
    let numerator = checked(i128::from(net.minor()).checked_mul(share.part))?;
    money(half_away_from_zero(numerator, share.whole), net.currency())
}

/// The loyalty earned on a net amount paid in money, rounded down to the minor unit (R1.4, R6.7).
///
/// # Errors
/// [`RoundingError::NegativeEarning`], [`RoundingError::Overflow`].
pub fn loyalty_earning(net_paid: Money, rate: Percentage) -> Result<Money, RoundingError> {
    if net_paid.is_negative() {
        return Err(RoundingError::NegativeEarning);
    }
    let share = Share::of(rate.percent())?;
    let numerator = checked(i128::from(net_paid.minor()).checked_mul(share.part))?;
    money(numerator / share.whole, net_paid.currency())
}

/// Splits a gross payment into (net, tax): the tax is rounded, the remainder is net (R1.4), so that
/// net + tax = gross always.
///
/// # Errors
/// [`RoundingError::Overflow`].
pub fn split_gross(gross: Money, rate: TaxRate) -> Result<(Money, Money), RoundingError> {
    let share = Share::of(rate.percent())?;
    let numerator = checked(i128::from(gross.minor()).checked_mul(share.part))?;
    let tax = money(half_away_from_zero(numerator, share.whole + share.part), gross.currency())?;
    let net = gross.checked_sub(tax).map_err(|_| RoundingError::Overflow)?;
    Ok((net, tax))
}

/// A percentage as an exact fraction.
struct Share {
    part: i128,
    whole: i128,
}

impl Share {
    fn of(percent: Decimal) -> Result<Self, RoundingError> {
        Ok(Self { part: percent.mantissa(), whole: checked(power_of_ten(percent.scale() + 2))? })
    }
}

/// The integer nearest to numerator / denominator; the half goes away from zero. The denominator is
/// above zero.
fn half_away_from_zero(numerator: i128, denominator: i128) -> i128 {
    let (quotient, rest) = (numerator / denominator, (numerator % denominator).abs());
    // rest ≥ denominator − rest is 2 × rest ≥ denominator without the overflow.
    if rest >= denominator - rest { quotient + numerator.signum() } else { quotient }
}

fn money(minor: i128, currency: Currency) -> Result<Money, RoundingError> {
    checked(i64::try_from(minor).ok()).map(|minor| Money::new(minor, currency))
}

fn checked<T>(result: Option<T>) -> Result<T, RoundingError> {
    result.ok_or(RoundingError::Overflow)
}

#[cfg(test)]
mod tests;
