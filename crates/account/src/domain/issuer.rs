//! The provider's legal entity that sells to an account.

use florin_platform::id::AccountId;
use florin_settlement::{Currency, Money, TaxRate};

/// A legal entity of the provider: country, currency, series, delays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// As in `issuers/fr`.
    pub id: String,
    /// Its name on invoices.
    pub legal_name: String,
    /// Street and number.
    pub street: String,
    /// Postal code.
    pub postal_code: String,
    /// City.
    pub city: String,
    /// ISO 3166 alpha-2.
    pub country: String,
    /// Its own VAT number.
    pub vat_number: String,
    /// The currency of everything it sells.
    pub currency: Currency,
    /// Prefix of its invoice numbers.
    pub series_prefix: String,
    /// How many series of each kind its accounts are spread over, at least 1 (R8.3).
    pub series_count: u32,
    /// From the 1st, 00:00 UTC, to the settlement instant (R7.3).
    pub billing_delay_seconds: i64,
    /// The least initial credit, net (R4.2).
    pub initial_credit_minimum: Money,
    /// Share of what was paid in money that is earned as loyalty (R6.7).
    pub loyalty_rate: TaxRate,
}

impl Issuer {
    /// The series the documents of a new account of this id belong to, from 0: by its random digits, so that all
    /// series have about as many.
    #[must_use]
    pub(crate) fn series_of(&self, account: AccountId) -> u32 {
        let series = account.as_u128() % u128::from(self.series_count.max(1));
        u32::try_from(series).unwrap_or_default()
    }
}
