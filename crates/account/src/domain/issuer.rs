//! The provider's legal entity that sells to an account.

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
    /// From the 1st, 00:00 UTC, to the settlement instant (R7.3).
    pub billing_delay_seconds: i64,
    /// The least initial credit, net (R4.2).
    pub initial_credit_minimum: Money,
    /// Share of what was paid in money that is earned as loyalty (R6.7).
    pub loyalty_rate: TaxRate,
}
