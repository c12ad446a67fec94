//! Which kinds of method issuers offer, and where (R3.1): reference data read from a file.
//!
//! Loading is idempotent: what is there already is left as it is.

use florin_platform::{db::Tx, violation::Violations};
use sea_orm::DbErr;
use serde::Deserialize;

use crate::{domain::method::MethodKind, store};

/// Reference data, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    offers: Vec<(String, String, MethodKind)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    offered_payment_methods: Vec<Offer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offer {
    issuer: String,
    country: String,
    kind: String,
}

impl Seed {
    /// Reads a YAML file of `offered_payment_methods`, each with `issuer`, `country` (`*` for any) and `kind`
    /// (CARD, BANK_ACCOUNT, PAYPAL); everything that is wrong in it at once.
    ///
    /// # Errors
    /// What is wrong, by place.
    pub fn parse(yaml: &str) -> Result<Self, Violations> {
        let file: File = serde_norway::from_str(yaml).map_err(|error| Violations::one("file", error))?;
        let mut violations = Violations::new();
        let mut offers = Vec::with_capacity(file.offered_payment_methods.len());
        for (n, offer) in file.offered_payment_methods.into_iter().enumerate() {
            let field = format!("offered_payment_methods[{n}].kind");
            let kind = MethodKind::parse(&offer.kind).ok_or("must be CARD, BANK_ACCOUNT or PAYPAL");
            if let Some(kind) = violations.take(&field, kind) {
                offers.push((offer.issuer, offer.country, kind));
            }
        }
        violations.finish().map(|()| Self { offers })
    }

    /// Adds what is not there yet.
    ///
    /// # Errors
    /// The database failed, or does not know an issuer.
    pub async fn load(&self, tx: &Tx) -> Result<(), DbErr> {
        for (issuer, country, kind) in &self.offers {
            store::offer::add(tx, issuer, country, *kind).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_kind_is_named_by_its_place() {
        let yaml = "offered_payment_methods:\n- {issuer: fr, country: '*', kind: CARD}\n- {issuer: fr, country: FR, kind: CASH}\n";
        let violations = Seed::parse(yaml).expect_err("cash is not offered");
        assert_eq!(violations.as_slice()[0].field, "offered_payment_methods[1].kind");
    }
}
