//! Seller and buyer as documents name them (R6.3, R8.6).

use super::{account::Account, issuer::Issuer};

/// Seller and buyer as they are at some instant: what a document issued then says, whatever becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// The buyer's language.
    pub language: String,
    /// The seller, line by line.
    pub seller: String,
    /// What the seller must say by law, line by line.
    pub mentions: String,
    /// The buyer, line by line; empty once their personal data is erased (R2.8).
    pub buyer: String,
}

impl Parties {
    /// The parties of a document `issuer` issues to `account` now.
    #[must_use]
    pub fn of(account: &Account, issuer: &Issuer) -> Self {
        let profile = &account.profile;
        let person = format!("{} {}", profile.given_name, profile.family_name);
        let place = |code: &str, city: &str| format!("{code} {city}").trim().to_owned();
        let lines = |lines: &[&str]| {
            let lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
            lines.collect::<Vec<_>>().join("\n")
        };
        Self {
            language: profile.language.clone(),
            seller: lines(&[
                &issuer.legal_name,
                &issuer.street,
                &place(&issuer.postal_code, &issuer.city),
                &issuer.country,
                &issuer.vat_number,
            ]),
            mentions: issuer.legal_mentions.said_in(&profile.language).trim().to_owned(),
            buyer: lines(&[
                &profile.organisation,
                &person,
                &profile.street,
                &place(&profile.postal_code, &profile.city),
                &profile.region,
                &profile.country,
                profile.vat_number.as_deref().unwrap_or_default(),
            ]),
        }
    }
}
