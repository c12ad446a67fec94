//! The account's lock row: the first thing every money transaction takes.
//!
//! | backend | one account | several |
//! |---|---|---|
//! | PostgreSQL | `UPDATE` | `SELECT … ORDER BY account_id FOR UPDATE`, then the same `UPDATE` |
//! | SQLite | `UPDATE`; the writer is alone | `UPDATE`; the writer is alone |
//!
//! Whoever only appends (measured usage) holds the rows by `SELECT … FOR NO KEY UPDATE`, in the same order.
//!
//! On PostgreSQL an `UPDATE … WHERE account_id IN (…)` by itself locks in the order of its plan, and two
//! batches that share accounts could wait for each other.

use std::collections::HashMap;

use florin_platform::{
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::among,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// Creates the lock row of a new account.
pub(crate) async fn create(tx: &Tx, account: AccountId) -> Result<(), DbErr> {
    let text = "INSERT INTO account_lock (account_id, version, movement_sequence) VALUES ($1, 0, 0)";
    tx.execute_raw(sql(tx, text, [account.into()])).await.map(|_| ())
}

/// Locks `accounts` until `tx` ends, in id order. Accounts that do not exist are passed over.
pub(crate) async fn take(tx: &Tx, accounts: &[AccountId]) -> Result<(), DbErr> {
    let mut ordered = accounts.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    for chunk in ordered.chunks(BINDS_MAX) {
        let backend = tx.get_database_backend();
        let (condition, values) = among(backend, "account_id", 1, chunk);
        if chunk.len() > 1 && backend == DbBackend::Postgres {
            let text = format!(
                "SELECT account_id FROM account_lock WHERE {condition} ORDER BY account_id FOR UPDATE"
            );
            tx.query_all_raw(sql(tx, &text, values.clone())).await?;
        }
        let text = format!("UPDATE account_lock SET version = version + 1 WHERE {condition}");
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}

/// Locks `accounts` as [`take`] does, in the same order, without counting a change: for appending what no other
/// transaction decides by. How many changes each has had. On SQLite the writer is alone.
pub(crate) async fn hold(tx: &Tx, accounts: &[AccountId]) -> Result<HashMap<AccountId, i64>, DbErr> {
    let backend = tx.get_database_backend();
    let lock = if backend == DbBackend::Postgres { " ORDER BY account_id FOR NO KEY UPDATE" } else { "" };
    let mut changes = HashMap::with_capacity(accounts.len());
    for chunk in accounts.chunks(BINDS_MAX) {
        let (condition, values) = among(backend, "account_id", 1, chunk);
        let text = format!("SELECT account_id, version FROM account_lock WHERE {condition}{lock}");
        for row in tx.query_all_raw(sql(tx, &text, values)).await? {
            changes.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
    }
    Ok(changes)
}
