//! What speaks for the country of a customer is kept as it comes (R8.4).

use florin_platform::{db::Tx, id::AccountId};
use florin_settlement::Instant;
use sea_orm::DbErr;

use crate::{
    domain::evidence::{CountryEvidence, EvidenceId, EvidenceKind},
    store,
};

/// Keeps that `source`, a resource of `account`, speaks for `country` (ISO 3166-1 alpha-2).
///
/// # Errors
/// The database's.
pub async fn record_country_evidence(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    kind: EvidenceKind,
    country: &str,
    source: &str,
) -> Result<(), DbErr> {
    let evidence = CountryEvidence {
        account,
        id: EvidenceId::generate(at),
        kind,
        country: country.to_owned(),
        source: source.to_owned(),
        recorded: at,
    };
    store::tax_status::insert_evidence(tx, &evidence).await
}
