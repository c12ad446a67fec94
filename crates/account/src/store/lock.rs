//! The account's lock row: the first thing every money transaction takes.
//!
//! | backend | how |
//! |---|---|
//! | PostgreSQL | `UPDATE … WHERE account_id IN (…)`: row locks that also work when accounts are distributed |
//! | SQLite | the writer is alone; the same statement keeps one path |

use florin_platform::{
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr, Value};

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
        let text = format!("UPDATE account_lock SET version = version + 1 WHERE account_id IN ({places})");
        let values = chunk.iter().map(|account| Value::from(*account));
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
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
