//! Rows of methods the provider is still to forget; a row goes when it has.

use florin_platform::{
    column::At,
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use super::method::watch;
use crate::domain::{method::PaymentMethodId, watch::Watch};

const TABLE: &str = "payment_method_forgetting";

/// Has a method forgotten, not before `watch` says.
pub(crate) async fn insert(
    tx: &Tx,
    account: AccountId,
    method: PaymentMethodId,
    watch: Watch,
) -> Result<(), DbErr> {
    let text = "INSERT INTO payment_method_forgetting (account_id, method_id, looks, look_at) \
                VALUES ($1, $2, $3, $4)";
    let values = [account.into(), method.into(), i64::from(watch.looks).into(), At::from(watch.next).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// The watch over a method that is still to be forgotten.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    method: PaymentMethodId,
) -> Result<Option<Watch>, DbErr> {
    let text =
        "SELECT looks, look_at FROM payment_method_forgetting WHERE account_id = $1 AND method_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), method.into()])).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(watch(TABLE, row.try_get_by_index(0)?, row.try_get_by_index(1)?)?))
}

/// Puts the next try off.
pub(crate) async fn save(
    tx: &Tx,
    account: AccountId,
    method: PaymentMethodId,
    watch: Watch,
) -> Result<(), DbErr> {
    let text = "UPDATE payment_method_forgetting SET looks = $3, look_at = $4 \
                WHERE account_id = $1 AND method_id = $2";
    let values = [account.into(), method.into(), i64::from(watch.looks).into(), At::from(watch.next).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// The provider has forgotten it.
pub(crate) async fn done(tx: &Tx, account: AccountId, method: PaymentMethodId) -> Result<(), DbErr> {
    let text = "DELETE FROM payment_method_forgetting WHERE account_id = $1 AND method_id = $2";
    tx.execute_raw(sql(tx, text, [account.into(), method.into()])).await.map(|_| ())
}

/// The earliest instant at which a method is to be forgotten.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let row = connection
        .query_one_raw(sql(connection, "SELECT MIN(look_at) FROM payment_method_forgetting", []))
        .await?;
    let due: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(due.map(Into::into))
}

/// Methods to have forgotten by `at`, the longest due first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, PaymentMethodId)>, DbErr> {
    let text = "SELECT account_id, method_id FROM payment_method_forgetting WHERE look_at <= $1 \
                ORDER BY look_at LIMIT $2";
    let values = [At::from(at).into(), limit.cast_signed().into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}
