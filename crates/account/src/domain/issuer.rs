//! The provider's legal entity that sells to an account.

use std::collections::BTreeMap;

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
    /// What it must say on its documents.
    pub legal_mentions: LegalMentions,
}

/// The longest text of legal mentions in one language, in characters.
pub(crate) const MENTIONS_CHARACTERS_MAX: usize = 2000;

/// What an issuer must say on its documents by law beside its name, address and VAT number (R8.6), by language: its form,
/// its capital, where it is registered, how it is to be paid. Each line is a mention of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegalMentions(BTreeMap<String, String>);

impl LegalMentions {
    /// Texts by language, an ISO 639-1 code.
    #[must_use]
    pub fn new(by_language: BTreeMap<String, String>) -> Self {
        Self(by_language)
    }

    /// The texts, by language.
    #[must_use]
    pub const fn by_language(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// What is said to who reads `language`: in English if there is no such text, and in whatever language there is one
    /// if there is none in English either. A document without its mentions is none.
    #[must_use]
    pub fn said_in(&self, language: &str) -> &str {
        let text = self.0.get(language).or_else(|| self.0.get("en")).or_else(|| self.0.values().next());
        text.map_or("", String::as_str)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_said_in_the_language_of_the_reader_as_far_as_there_are_any() {
        let of = |texts: &[(&str, &str)]| {
            LegalMentions::new(texts.iter().map(|(code, text)| ((*code).into(), (*text).into())).collect())
        };
        let both = of(&[("en", "Registered"), ("fr", "Immatriculée")]);
        assert_eq!([both.said_in("fr"), both.said_in("de")], ["Immatriculée", "Registered"]);
        assert_eq!(of(&[("fr", "Immatriculée")]).said_in("de"), "Immatriculée");
        assert_eq!(LegalMentions::default().said_in("en"), "");
    }
}
