//! What becomes of lots with time: a queue of lapses and expiry warnings, one row per lot and task.
//!
//! Nothing holds because of this queue: a lot's expiry is its instant (R6.8). It only says when a job
//! has something to write. Rows are taken out once done, so the queue is as long as what lies ahead.

use florin_platform::{
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::places;
use crate::domain::lot::CreditId;

/// What is to be done with a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Record that what remains has expired.
    Lapse,
    /// Warn of the expiry, so many days before.
    Warn(u32),
}

/// Days before an expiry on which the customer is warned (R6.8).
pub(crate) const WARN_DAYS: [u32; 3] = [60, 30, 7];
const TABLE: &str = "credit_lot_due";

impl Task {
    fn text(self) -> String {
        match self {
            Self::Lapse => "LAPSE".to_owned(),
            Self::Warn(days) => format!("WARN_{days}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "LAPSE" {
            return Some(Self::Lapse);
        }
        WARN_DAYS.into_iter().map(Self::Warn).find(|task| task.text() == text)
    }
}

/// One row of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) account: AccountId,
    pub(crate) lot: CreditId,
    pub(crate) task: Task,
}

fn due(row: &QueryResult) -> Result<Due, DbErr> {
    let task: String = row.try_get_by_index(2)?;
    let task = Task::parse(&task).ok_or_else(|| CorruptRow::new(TABLE, "unknown task"))?;
    Ok(Due { account: row.try_get_by_index(0)?, lot: row.try_get_by_index(1)?, task })
}

/// Puts tasks of one lot into the queue.
pub(crate) async fn insert(
    tx: &Tx,
    account: AccountId,
    lot: CreditId,
    tasks: &[(Task, Instant)],
) -> Result<(), DbErr> {
    if tasks.is_empty() {
        return Ok(());
    }
    let text =
        format!("INSERT INTO {TABLE} (account_id, lot_id, task, due_at) VALUES {}", places(tasks.len(), 4));
    let values = tasks.iter().flat_map(|(task, at)| -> [Value; 4] {
        [account.into(), lot.into(), task.text().into(), At::from(*at).into()]
    });
    tx.execute_raw(sql(tx, &text, values)).await.map(|_| ())
}

/// What is due at `at`, the longest overdue first.
pub(crate) async fn take(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<Due>, DbErr> {
    let text = format!(
        "SELECT account_id, lot_id, task FROM {TABLE} WHERE due_at <= $1 ORDER BY due_at LIMIT {limit}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [At::from(at).into()])).await?;
    rows.iter().map(due).collect()
}

/// Takes a task out of the queue; false if somebody else has.
pub(crate) async fn done(tx: &Tx, due: &Due) -> Result<bool, DbErr> {
    let text = format!("DELETE FROM {TABLE} WHERE account_id = $1 AND lot_id = $2 AND task = $3");
    let values = [due.account.into(), due.lot.into(), due.task.text().into()];
    Ok(tx.execute_raw(sql(tx, &text, values)).await?.rows_affected() == 1)
}

/// Puts a task off until `until`.
pub(crate) async fn put_off(tx: &Tx, due: &Due, until: Instant) -> Result<(), DbErr> {
    let text = format!("UPDATE {TABLE} SET due_at = $4 WHERE account_id = $1 AND lot_id = $2 AND task = $3");
    let values = [due.account.into(), due.lot.into(), due.task.text().into(), At::from(until).into()];
    tx.execute_raw(sql(tx, &text, values)).await.map(|_| ())
}

/// Takes every task of a spent or forfeited lot out of the queue.
pub(crate) async fn forget(tx: &Tx, account: AccountId, lot: CreditId) -> Result<(), DbErr> {
    let text = format!("DELETE FROM {TABLE} WHERE account_id = $1 AND lot_id = $2");
    tx.execute_raw(sql(tx, &text, [account.into(), lot.into()])).await.map(|_| ())
}

/// When the next task is due.
pub(crate) async fn next(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = format!("SELECT MIN(due_at) FROM {TABLE}");
    let row = connection.query_one_raw(sql(connection, &text, [])).await?;
    let at: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(at.map(Into::into))
}
