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
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value, sea_query::ArrayType};

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
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let values = || chunk.iter().map(|account| Value::from(*account));
        if chunk.len() > 1 && tx.get_database_backend() == DbBackend::Postgres {
            let text = format!(
                "SELECT account_id FROM account_lock WHERE account_id IN ({places}) \
                 ORDER BY account_id FOR UPDATE"
            );
            tx.query_all_raw(sql(tx, &text, values())).await?;
        }
        let text = format!("UPDATE account_lock SET version = version + 1 WHERE account_id IN ({places})");
        tx.execute_raw(sql(tx, &text, values())).await?;
    }
    Ok(())
}

/// Locks `accounts` as [`take`] does, in the same order, without counting a change: for appending what no other
/// transaction decides by. On SQLite the writer is alone.
pub(crate) async fn hold(tx: &Tx, accounts: &[AccountId]) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let ids = accounts.iter().map(|account| Value::from(*account)).collect();
    let text = "SELECT account_id FROM account_lock WHERE account_id = ANY($1) \
                ORDER BY account_id FOR NO KEY UPDATE";
    let ids = Value::Array(ArrayType::Uuid, Some(Box::new(ids)));
    tx.query_all_raw(sql(tx, text, [ids])).await.map(|_| ())
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
    for chunk in counts.chunks(BINDS_MAX / 2) {
        let places = (0..chunk.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2));
        let text = format!(
            "UPDATE account_lock SET movement_sequence = movement_sequence + v.column2 \
             FROM (VALUES {}) AS v WHERE account_lock.account_id = v.column1 \
             RETURNING account_id, movement_sequence",
            places.collect::<Vec<_>>().join(", ")
        );
        let values =
            chunk.iter().flat_map(|(account, count)| [Value::from(*account), i64::from(*count).into()]);
        for row in tx.query_all_raw(sql(tx, &text, values)).await? {
            first.insert(row.try_get_by_index::<AccountId>(0)?, row.try_get_by_index::<i64>(1)?);
        }
    }
    for (account, count) in counts {
        let last = first
            .get_mut(account)
            .ok_or_else(|| DbErr::RecordNotFound(format!("lock row of accounts/{account}")))?;
        *last += 1 - i64::from(*count);
    }
    Ok(first)
}
