//! Reads, also for the slices above.

use std::collections::HashMap;

use florin_platform::{id::AccountId, page::Page, violation::Violations, wire::account_name};
use florin_settlement::{Instant, TaxRate};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        account::{Account, AccountState},
        issuer::Issuer,
        terms::{self, TermsDocument, TermsStanding},
    },
    error::Error,
    store,
};

/// The account, if it exists.
pub async fn find(connection: &impl ConnectionTrait, id: AccountId) -> Result<Option<Account>, DbErr> {
    store::account::find(connection, id).await
}

/// The accounts that exist among `ids`, in id order, in one query.
pub async fn find_many(connection: &impl ConnectionTrait, ids: &[AccountId]) -> Result<Vec<Account>, DbErr> {
    store::account::find_many(connection, ids).await
}

/// The accounts of the series `series` of `issuer` (R8.3) behind `after` and up to and with `to`, in id order; the first
/// `limit` of them.
pub async fn of_series(
    connection: &impl ConnectionTrait,
    (issuer, series): (&str, u32),
    after: Option<AccountId>,
    to: Option<AccountId>,
    limit: u32,
) -> Result<Vec<AccountId>, DbErr> {
    store::account::of_series(connection, (issuer, series), after, to, limit).await
}

/// How many number series the accounts of `issuer` are spread over: those it has now, and any it had before (R8.3).
pub async fn series_in_use(connection: &impl ConnectionTrait, issuer: &Issuer) -> Result<u32, DbErr> {
    Ok(store::account::series_in_use(connection, &issuer.id).await?.max(issuer.series_count))
}

/// How long after a month's end each of `ids` is settled, in seconds: its issuer's billing delay (R7.3).
pub async fn billing_delays(
    connection: &impl ConnectionTrait,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, u64>, DbErr> {
    store::account::billing_delays(connection, ids).await
}

/// The issuer `id`, as in `issuers/{id}`.
pub async fn issuer(connection: &impl ConnectionTrait, id: &str) -> Result<Option<Issuer>, DbErr> {
    store::issuer::find(connection, id).await
}

/// Every issuer, by id.
pub async fn issuers(connection: &impl ConnectionTrait) -> Result<Vec<Issuer>, DbErr> {
    store::issuer::all(connection).await
}

/// The issuer that sells to `country` (R2.1).
pub async fn issuer_of_country(
    connection: &impl ConnectionTrait,
    country: &str,
) -> Result<Option<Issuer>, DbErr> {
    store::issuer::of_country(connection, country).await
}

/// Whether `country` is a member state of the EU: consumer law goes by it (R6.4).
pub async fn is_in_eu(connection: &impl ConnectionTrait, country: &str) -> Result<bool, DbErr> {
    store::issuer::is_in_eu(connection, country).await
}

/// The issuer's own rate in force at `at`: what prices show to callers nobody knows (R1.5).
pub async fn domestic_vat_rate(
    connection: &impl ConnectionTrait,
    issuer: &Issuer,
    at: Instant,
) -> Result<TaxRate, DbErr> {
    let rate = store::issuer::vat_rate(connection, &issuer.country, at).await?;
    rate.ok_or_else(|| no_rate(&issuer.country, at))
}

/// Reference data is incomplete: loud, because the alternative would be to sell without VAT.
pub(super) fn no_rate(country: &str, at: Instant) -> DbErr {
    DbErr::RecordNotFound(format!("no VAT rate of {country} on {at}"))
}

/// What has to be accepted before the next project (R2.5).
pub async fn unaccepted_terms(
    connection: &impl ConnectionTrait,
    account: &Account,
    at: Instant,
) -> Result<Vec<TermsDocument>, DbErr> {
    Ok(terms::unaccepted(&store::terms::standings(connection, account).await?, at))
}

/// The account, or NOT_FOUND.
pub(crate) async fn owned(connection: &impl ConnectionTrait, id: AccountId) -> Result<Account, Error> {
    find(connection, id).await?.ok_or_else(|| Error::NotFound(account_name(id)))
}

/// A page of accounts in any of `states`, all of them if none is named.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    states: &[AccountState],
    page: &Page,
) -> Result<Vec<Account>, Error> {
    let after = page
        .after
        .as_deref()
        .map(AccountId::parse)
        .transpose()
        .map_err(|error| Violations::one("page_token", error))?;
    Ok(store::account::list(connection, states, after, page.fetch()).await?)
}

/// A page of the terms that are current at `at`. One issuer has one document in force at a time.
pub(crate) async fn terms_page(
    connection: &impl ConnectionTrait,
    account: &Account,
    at: Instant,
    page: &Page,
) -> Result<Vec<TermsStanding>, Error> {
    let after: i64 = page
        .after
        .as_deref()
        .map_or(Ok(0), str::parse)
        .map_err(|error| Violations::one("page_token", error))?;
    let standings = store::terms::standings(connection, account).await?;
    let current = terms::current(&standings, at).filter(|current| current.document.version > after);
    Ok(current.cloned().into_iter().collect())
}
