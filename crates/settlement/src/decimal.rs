//! Exact decimals read from and written as text.
//!
//! Owns: the one grammar of a decimal (`-?digits[.digits]`) and its one canonical text.
//! Always holds: what is read is exactly what was written, or it is refused; never rounded (R1.2).
//! Refuses to know: units. A bare [`Decimal`] is not an amount; see [`crate::Money`] and
//! [`crate::UnitPrice`].

use rust_decimal::Decimal;

/// The most digits a decimal may have, before and after the point together.
pub(crate) const DIGITS_MAX: usize = 28;

/// Why a text is not an acceptable decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not `-?digits[.digits]`. Exponents, signs `+`, spaces and separators are refused.
    #[error("not a plain decimal number")]
    Malformed,
    /// The value is finer than allowed here.
    #[error("more than {max} decimals")]
    TooManyDecimals {
        /// How many decimals are allowed.
        max: u32,
    },
    /// More than 28 digits.
    #[error("more than 28 digits")]
    TooManyDigits,
}

/// Reads a decimal exactly, with at most `max_scale` decimals (R1.2). Zeros written after the last
/// significant decimal do not make a value finer: `1.500` has one decimal.
///
/// # Errors
/// [`DecimalError`]; nothing is ever rounded to fit.
pub fn parse_decimal(text: &str, max_scale: u32) -> Result<Decimal, DecimalError> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(DecimalError::Malformed),
        None => (unsigned, ""),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(DecimalError::Malformed);
    }
    if whole.len() + fraction.len() > DIGITS_MAX {
        return Err(DecimalError::TooManyDigits);
    }
    let exact = Decimal::from_str_exact(text).map_err(|_| DecimalError::Malformed)?;
    let value = normal(exact);
    if value.scale() > max_scale {
        return Err(DecimalError::TooManyDecimals { max: max_scale });
    }
    Ok(value)
}

/// The one text of a value: no exponent, no trailing zeros, no `-0` (R1.2).
#[must_use]
pub fn canonical(value: Decimal) -> String {
    normal(value).to_string()
}

/// The value without trailing zeros and without a negative zero.
pub(crate) fn normal(value: Decimal) -> Decimal {
    if value.is_zero() { Decimal::ZERO } else { value.normalize() }
}

/// Ten to the power of `exponent`, or `None` beyond 128 bits.
pub(crate) fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_read_exactly_or_not_at_all() {
        let read = |text: &str| parse_decimal(text, 10).map(canonical);
        assert_eq!(read("0.0000555556").as_deref(), Ok("0.0000555556"));
        assert_eq!(read("-12.50").as_deref(), Ok("-12.5"));
        assert_eq!(read("007").as_deref(), Ok("7"));
        assert_eq!(read("1.00000000000000").as_deref(), Ok("1"));
        assert_eq!(read("0.00000000001"), Err(DecimalError::TooManyDecimals { max: 10 }));
        assert_eq!(parse_decimal("12.5", 0), Err(DecimalError::TooManyDecimals { max: 0 }));
    }

    #[test]
    fn exponents_signs_and_separators_are_refused() {
        for text in
            ["", "-", ".", ".5", "5.", "+1", "1e3", "1E-3", "1_000", "1,5", " 1", "1 ", "--1", "NaN", "٣"]
        {
            assert_eq!(parse_decimal(text, 28), Err(DecimalError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn twenty_eight_digits_are_kept_and_twenty_nine_refused() {
        let longest = "9".repeat(28);
        assert_eq!(parse_decimal(&longest, 0).map(canonical), Ok(longest.clone()));
        assert_eq!(parse_decimal(&format!("{longest}9"), 0), Err(DecimalError::TooManyDigits));
        assert_eq!(parse_decimal("99999999999999999999.999999999", 9), Err(DecimalError::TooManyDigits));
        let finest = format!("0.{}1", "0".repeat(26));
        assert_eq!(parse_decimal(&finest, 28).map(canonical), Ok(finest));
    }

    #[test]
    fn there_is_no_negative_zero_and_no_trailing_zero() {
        for zero in ["0", "-0", "0.000", "-0.0"] {
            assert_eq!(parse_decimal(zero, 2).map(canonical).as_deref(), Ok("0"), "{zero}");
        }
        assert_eq!(canonical(Decimal::new(1_000, 2)), "10");
        let mut negative_zero = Decimal::new(0, 3);
        negative_zero.set_sign_negative(true);
        assert_eq!(canonical(negative_zero), "0");
    }
}
