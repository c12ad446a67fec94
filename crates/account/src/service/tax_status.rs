//! How a customer is taxed now, and why (R8.4).

use florin_platform::id::AccountId;
use florin_settlement::Instant;
use sea_orm::ConnectionTrait;

use super::{query::owned, vat::vat_treatment};
use crate::{
    domain::{
        evidence::{CountryEvidence, proves},
        vat::Treatment,
        vat_number::{SHOWN_MAX, VatCheck, VatNumberStanding},
    },
    error::Error,
    store::tax_status,
};

/// How an account is taxed, and everything that speaks for it, newest first.
#[derive(Clone, Debug)]
pub(crate) struct TaxStatus {
    pub(crate) account: AccountId,
    pub(crate) treatment: Treatment,
    pub(crate) standings: Vec<VatNumberStanding>,
    pub(crate) checks: Vec<VatCheck>,
    pub(crate) next_check: Option<Instant>,
    pub(crate) evidence: Vec<CountryEvidence>,
    pub(crate) country_proven: bool,
}

/// How `account` is taxed at `at`.
pub(crate) async fn tax_status(
    connection: &impl ConnectionTrait,
    at: Instant,
    account: AccountId,
) -> Result<TaxStatus, Error> {
    let account = owned(connection, account).await?;
    let id = account.id;
    let evidence = tax_status::last_evidence(connection, id).await?;
    let standings = tax_status::standings(connection, &[id]).await?.remove(&id).unwrap_or_default();
    Ok(TaxStatus {
        account: id,
        treatment: vat_treatment(connection, &account, at).await?,
        standings: standings.into_iter().rev().take(SHOWN_MAX).collect(),
        checks: tax_status::last_checks(connection, id).await?,
        next_check: tax_status::asking(connection, id).await?.due,
        country_proven: proves(&evidence, &account.profile.country),
        evidence,
    })
}
