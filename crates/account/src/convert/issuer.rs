//! Issuers on the wire.

use florin_api::account::v1 as wire;
use florin_platform::{violation::Violations, wire::money};

use crate::domain::issuer::Issuer;

/// Reads the name of an issuer: its id.
pub(crate) fn id(name: &str) -> Result<&str, Violations> {
    name.strip_prefix("issuers/")
        .filter(|id| is_id(id))
        .ok_or_else(|| Violations::one("name", "is not a name of the form issuers/…"))
}

/// Whether `text` can be the id of an issuer.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Renders an issuer and the countries it sells to.
pub(crate) fn issuer(issuer: &Issuer, served_countries: Vec<String>) -> wire::Issuer {
    wire::Issuer {
        name: format!("issuers/{}", issuer.id),
        legal_name: issuer.legal_name.clone(),
        country: issuer.country.clone(),
        currency_code: issuer.currency.code().to_owned(),
        vat_number: issuer.vat_number.clone(),
        invoice_series_prefix: issuer.series_prefix.clone(),
        billing_delay: Some(prost_types::Duration { seconds: issuer.billing_delay_seconds, nanos: 0 }),
        initial_credit_minimum: Some(money(issuer.initial_credit_minimum)),
        address: Some(wire::Address {
            street: issuer.street.clone(),
            postal_code: issuer.postal_code.clone(),
            city: issuer.city.clone(),
            region: String::new(),
        }),
        served_countries,
        legal_mentions: issuer.legal_mentions.by_language().clone().into_iter().collect(),
    }
}
