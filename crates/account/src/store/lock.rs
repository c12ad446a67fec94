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
    set::{Kind, Set, among},
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

/// Takes the next `count` movement sequence numbers of a locked account; the first of them.
pub(crate) async fn next_sequence(tx: &Tx, account: AccountId, count: u32) -> Result<i64, DbErr> {
    let text = "UPDATE account_lock SET movement_sequence = movement_sequence + $2 \
                WHERE account_id = $1 RETURNING movement_sequence";
    let row = tx
        .query_one_raw(sql(tx, text, [account.into(), i64::from(count).into()]))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound(format!("lock row of accounts/{account}")))?;
    let last: i64 = row.try_get_by_index(0)?;
    Ok(last - i64::from(count) + 1)
}

/// Takes movement sequence numbers of many locked accounts at once: the first of each.
pub(crate) async fn next_sequences(
    tx: &Tx,
    counts: &[(AccountId, u32)],
) -> Result<HashMap<AccountId, i64>, DbErr> {
    let mut first = HashMap::with_capacity(counts.len());
    let mut wanted = Set::new([("account_id", Kind::Uuid), ("count", Kind::Number)], counts.len());
    for (account, count) in counts {
        wanted.push([(*account).into(), i64::from(*count).into()]);
    }
    let text = |rows: &str| {
        format!(
            "UPDATE account_lock SET movement_sequence = movement_sequence + v.count FROM {rows} \
             WHERE account_lock.account_id = v.account_id \
             RETURNING account_lock.account_id, account_lock.movement_sequence"
        )
    };
    for row in wanted.query(tx, text).await? {
        first.insert(row.try_get_by_index::<AccountId>(0)?, row.try_get_by_index::<i64>(1)?);
    }
    for (account, count) in counts {
        let last = first
            .get_mut(account)
            .ok_or_else(|| DbErr::RecordNotFound(format!("lock row of accounts/{account}")))?;
        *last += 1 - i64::from(*count);
    }
    Ok(first)
}
