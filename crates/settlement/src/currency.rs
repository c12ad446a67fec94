//! Which currencies exist and how many decimals each has.
//!
//! Owns: the closed list of ISO 4217 currencies an amount can be paid in.
//! Always holds: a [`Currency`] has a minor unit, so every [`crate::Money`] is an integer of it.
//! Refuses to know: exchange rates. There is no conversion in Florin (R1.1).

use std::fmt;

/// An ISO 4217 currency with a minor unit (R1.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(iso_currency::Currency);

/// Why a text is not a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    /// The text is no ISO 4217 code in upper case.
    #[error("not an ISO 4217 currency code")]
    Unknown,
    /// The code exists (gold, test codes) but no amount can be paid in it.
    #[error("a currency without a minor unit")]
    NotPayable,
}

impl Currency {
    /// The euro, two decimals.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);
    /// The pound sterling, two decimals.
    pub const GBP: Self = Self(iso_currency::Currency::GBP);
    /// The Japanese yen, no decimals.
    pub const JPY: Self = Self(iso_currency::Currency::JPY);
    /// The Tunisian dinar, three decimals.
    pub const TND: Self = Self(iso_currency::Currency::TND);
    /// The United States dollar, two decimals.
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// Reads a three-letter code in upper case.
    ///
    /// # Errors
    /// [`CurrencyError::Unknown`] for anything else, [`CurrencyError::NotPayable`] for codes without
    /// a minor unit (`XAU`, `XXX`).
    pub fn parse(code: &str) -> Result<Self, CurrencyError> {
        let known = iso_currency::Currency::from_code(code).ok_or(CurrencyError::Unknown)?;
        known.exponent().map(|_| Self(known)).ok_or(CurrencyError::NotPayable)
    }

    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The decimals of the minor unit (R1.3): EUR 2, JPY 0, TND 3.
    #[must_use]
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().expect("a currency without a minor unit cannot be parsed"))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_unit_is_that_of_iso_4217() {
        for (code, exponent) in [("EUR", 2), ("JPY", 0), ("TND", 3), ("USD", 2), ("CLF", 4)] {
            assert_eq!(Currency::parse(code).map(Currency::exponent), Ok(exponent), "{code}");
        }
    }

    #[test]
    fn a_code_is_three_capital_letters_of_a_payable_currency() {
        for unknown in ["", "eur", "EURO", "ZZZ", " EUR"] {
            assert_eq!(Currency::parse(unknown), Err(CurrencyError::Unknown), "{unknown:?}");
        }
        for gold in ["XAU", "XXX", "XTS"] {
            assert_eq!(Currency::parse(gold), Err(CurrencyError::NotPayable), "{gold}");
        }
    }

    #[test]
    fn a_currency_prints_as_its_code() {
        assert_eq!(Currency::EUR.to_string(), "EUR");
        assert_eq!(format!("{:?}", Currency::JPY), "JPY");
    }
}
