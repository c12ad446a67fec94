//! Reference data read from a file: issuers, the countries they sell to, VAT rates, terms.
//!
//! Loading is idempotent: what is there already is left as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use florin_platform::{db::Tx, violation::Violations};
use florin_settlement::{Currency, Instant, Money, TaxRate};
use sea_orm::DbErr;
use serde::Deserialize;

use crate::{
    domain::{
        issuer::{Issuer, LegalMentions, MENTIONS_CHARACTERS_MAX},
        terms::TermsDocument,
    },
    store,
};

/// Reference data, read and checked.
#[derive(Clone, Debug)]
pub struct Seed {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) countries: Vec<ServedCountry>,
    pub(crate) vat_rates: Vec<VatRate>,
    pub(crate) required_fields: Vec<Required>,
    pub(crate) terms: Vec<TermsDocument>,
}

/// A country, who sells to it, and whether it is in the EU.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServedCountry {
    pub(crate) country: String,
    pub(crate) issuer: String,
    pub(crate) in_eu: bool,
}

/// A VAT rate from an instant on.
#[derive(Clone, Debug)]
pub(crate) struct VatRate {
    pub(crate) country: String,
    pub(crate) effective: Instant,
    pub(crate) rate: TaxRate,
}

/// A field that is mandatory; `*` stands for any country or legal form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Required {
    pub(crate) issuer: String,
    pub(crate) country: String,
    pub(crate) legal_form: String,
    pub(crate) field: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuers: Vec<IssuerEntry>,
    countries: Vec<ServedCountry>,
    vat_rates: Vec<VatRateEntry>,
    required_fields: Vec<Required>,
    terms: Vec<TermsEntry>,
}

/// The most series of a kind an issuer may have.
const SERIES_MAX: u32 = 99;

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerEntry {
    id: String,
    legal_name: String,
    street: String,
    postal_code: String,
    city: String,
    country: String,
    vat_number: String,
    currency: String,
    series_prefix: String,
    #[serde(default = "one")]
    series_count: u32,
    billing_delay_seconds: i64,
    initial_credit_minimum_minor: i64,
    loyalty_rate: String,
    #[serde(default)]
    legal_mentions: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VatRateEntry {
    country: String,
    effective: String,
    rate: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsEntry {
    issuer: String,
    version: i64,
    title: String,
    text: String,
    effective: String,
}

impl Seed {
    /// Reads a YAML file; everything that is wrong in it at once.
    pub fn parse(yaml: &str) -> Result<Self, Violations> {
        let file: File = serde_norway::from_str(yaml).map_err(|error| Violations::one("file", error))?;
        let mut violations = Violations::new();
        let issuers = file
            .issuers
            .into_iter()
            .enumerate()
            .filter_map(|(n, entry)| entry.read(&format!("issuers[{n}]"), &mut violations))
            .collect();
        let vat_rates = file
            .vat_rates
            .into_iter()
            .enumerate()
            .filter_map(|(n, entry)| {
                let at = violations.take(&format!("vat_rates[{n}].effective"), instant(&entry.effective));
                let rate = violations.take(&format!("vat_rates[{n}].rate"), TaxRate::parse(&entry.rate));
                Some(VatRate { country: entry.country, effective: at?, rate: rate? })
            })
            .collect();
        let terms = file
            .terms
            .into_iter()
            .enumerate()
            .filter_map(|(n, entry)| {
                let effective =
                    violations.take(&format!("terms[{n}].effective"), instant(&entry.effective))?;
                let TermsEntry { issuer, version, title, text, .. } = entry;
                Some(TermsDocument { issuer, version, title, body: text, effective })
            })
            .collect();
        violations.finish().map(|()| Self {
            issuers,
            countries: file.countries,
            vat_rates,
            required_fields: file.required_fields,
            terms,
        })
    }

    /// Adds what is not there yet.
    pub async fn load(&self, tx: &Tx) -> Result<(), DbErr> {
        store::issuer::seed(tx, self).await?;
        store::terms::seed(tx, &self.terms).await
    }
}

impl IssuerEntry {
    fn read(self, field: &str, violations: &mut Violations) -> Option<Issuer> {
        let currency = violations.take(&format!("{field}.currency"), Currency::parse(&self.currency));
        let rate = violations.take(&format!("{field}.loyalty_rate"), TaxRate::parse(&self.loyalty_rate));
        let prefix = !self.series_prefix.is_empty()
            && self.series_prefix.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        violations.check(
            &format!("{field}.series_prefix"),
            prefix,
            "must be of the letters A to Z and digits",
        );
        let counted = (1..=SERIES_MAX).contains(&self.series_count);
        violations.check(
            &format!("{field}.series_count"),
            counted,
            format!("must be from 1 to {SERIES_MAX}"),
        );
        let is_language =
            |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase());
        violations.check(
            &format!("{field}.legal_mentions"),
            self.legal_mentions.keys().all(is_language),
            "languages must be ISO 639-1 codes",
        );
        let fits = |text: &String| (1..=MENTIONS_CHARACTERS_MAX).contains(&text.trim().chars().count());
        violations.check(
            &format!("{field}.legal_mentions"),
            self.legal_mentions.values().all(fits),
            format!("each text must have 1 to {MENTIONS_CHARACTERS_MAX} characters"),
        );
        let (currency, loyalty_rate) = currency.zip(rate)?;
        Some(Issuer {
            initial_credit_minimum: Money::new(self.initial_credit_minimum_minor, currency),
            currency,
            loyalty_rate,
            id: self.id,
            legal_name: self.legal_name,
            street: self.street,
            postal_code: self.postal_code,
            city: self.city,
            country: self.country,
            vat_number: self.vat_number,
            series_prefix: self.series_prefix,
            series_count: self.series_count,
            billing_delay_seconds: self.billing_delay_seconds,
            legal_mentions: LegalMentions::new(self.legal_mentions),
        })
    }
}

fn instant(text: &str) -> Result<Instant, String> {
    let parsed: DateTime<Utc> = text.parse().map_err(|error: chrono::ParseError| error.to_string())?;
    Ok(Instant::new(parsed))
}
