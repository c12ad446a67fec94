//! Rows of the dunning of open debts, and of what operators hold.

use std::collections::HashSet;

use florin_platform::{
    column::{At, CorruptRow},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::domain::{
    debt::DebtId,
    dunning::{Dunning, NextStep, Stage, Step},
};

const TABLE: &str = "dunning";

/// The dunning of a debt, and the step that was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) account: AccountId,
    pub(crate) debt: DebtId,
    pub(crate) dunning: Dunning,
    pub(crate) next: Option<NextStep>,
}

const COLUMNS: &str = "account_id, debt_id, stage, clock_at, retries_done, retryable, try_others_at, untold_at, \
                       warned_at, paused_at, step, step_at";

fn read(row: &QueryResult) -> Result<Planned, DbErr> {
    let instant = |column: usize| -> Result<Option<Instant>, DbErr> {
        Ok(row.try_get_by_index::<Option<At>>(column)?.map(Into::into))
    };
    let stage: String = row.try_get_by_index(2)?;
    let clock: At = row.try_get_by_index(3)?;
    let retries: i64 = row.try_get_by_index(4)?;
    let step: Option<String> = row.try_get_by_index(10)?;
    let step = match step {
        Some(step) => Some(Step::parse(&step).ok_or_else(|| CorruptRow::new(TABLE, "unknown step"))?),
        None => None,
    };
    let at = instant(11)?;
    Ok(Planned {
        account: row.try_get_by_index(0)?,
        debt: row.try_get_by_index(1)?,
        dunning: Dunning {
            stage: Stage::parse(&stage).ok_or_else(|| CorruptRow::new(TABLE, "unknown stage"))?,
            clock: clock.into(),
            retries_done: u32::try_from(retries).map_err(CorruptRow::of(TABLE))?,
            retryable: row.try_get_by_index(5)?,
            try_others: instant(6)?,
            untold: instant(7)?,
            warned: instant(8)?,
            paused: instant(9)?,
        },
        next: step.map(|step| NextStep { step, at }),
    })
}

fn values(planned: &Planned) -> [Value; 12] {
    let Planned { account, debt, dunning, next } = planned;
    let instant = |at: Option<Instant>| Value::from(at.map(At::from));
    [
        (*account).into(),
        (*debt).into(),
        dunning.stage.as_str().into(),
        At::from(dunning.clock).into(),
        i64::from(dunning.retries_done).into(),
        dunning.retryable.into(),
        instant(dunning.try_others),
        instant(dunning.untold),
        instant(dunning.warned),
        instant(dunning.paused),
        next.map(|next| next.step.as_str().to_owned()).into(),
        instant(next.and_then(|next| next.at)),
    ]
}

/// Writes the dunning of debts that have none yet.
pub(crate) async fn begin(tx: &Tx, planned: &[Planned]) -> Result<(), DbErr> {
    const INSTANT: Kind = Kind::Optional(&Kind::Instant);
    let columns = [
        ("account_id", Kind::Uuid),
        ("debt_id", Kind::Uuid),
        ("stage", Kind::Text),
        ("clock_at", Kind::Instant),
        ("retries_done", Kind::Number),
        ("retryable", Kind::Flag),
        ("try_others_at", INSTANT),
        ("untold_at", INSTANT),
        ("warned_at", INSTANT),
        ("paused_at", INSTANT),
        ("step", Kind::Optional(&Kind::Text)),
        ("step_at", INSTANT),
    ];
    let mut set = Set::new(columns, planned.len());
    planned.iter().for_each(|planned| set.push(values(planned)));
    set.insert(tx, "dunning").await
}

/// Writes the dunning of a debt, new or as it is now.
pub(crate) async fn save(tx: &Tx, planned: &Planned) -> Result<(), DbErr> {
    let text = "INSERT INTO dunning (account_id, debt_id, stage, clock_at, retries_done, retryable, try_others_at, \
                untold_at, warned_at, paused_at, step, step_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                ON CONFLICT (account_id, debt_id) DO UPDATE SET stage = excluded.stage, \
                clock_at = excluded.clock_at, retries_done = excluded.retries_done, \
                retryable = excluded.retryable, try_others_at = excluded.try_others_at, \
                untold_at = excluded.untold_at, warned_at = excluded.warned_at, \
                paused_at = excluded.paused_at, step = excluded.step, step_at = excluded.step_at";
    tx.execute_raw(sql(tx, text, values(planned))).await.map(|_| ())
}

/// The debt is no longer owed: nothing follows.
pub(crate) async fn end(tx: &Tx, account: AccountId, debt: DebtId) -> Result<(), DbErr> {
    let text = "DELETE FROM dunning WHERE account_id = $1 AND debt_id = $2";
    tx.execute_raw(sql(tx, text, [account.into(), debt.into()])).await.map(|_| ())
}

/// Whether any debt of the account keeps its projects suspended.
pub(crate) async fn suspends(connection: &impl ConnectionTrait, account: AccountId) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM dunning WHERE account_id = $1 AND stage <> 'OWED' LIMIT 1";
    Ok(connection.query_one_raw(sql(connection, text, [account.into()])).await?.is_some())
}

/// The dunning of one debt, if it is open.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    debt: DebtId,
) -> Result<Option<Planned>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM dunning WHERE account_id = $1 AND debt_id = $2");
    let row = connection.query_one_raw(sql(connection, &text, [account.into(), debt.into()])).await?;
    row.as_ref().map(read).transpose()
}

/// The dunning of every open debt of `accounts`.
pub(crate) async fn of_accounts(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<Planned>, DbErr> {
    let mut found = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT {COLUMNS} FROM dunning WHERE account_id IN ({places}) ORDER BY account_id, debt_id"
        );
        let values = chunk.iter().map(|account| Value::from(*account));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

/// Accounts with a step that is due at `at`, the longest due first; at most `limit`.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<AccountId>, DbErr> {
    let text = "SELECT account_id, MIN(step_at) FROM dunning WHERE step_at <= $1 \
                GROUP BY account_id ORDER BY MIN(step_at), account_id LIMIT $2";
    let rows = connection
        .query_all_raw(sql(connection, text, [At::from(at).into(), i64::from(limit).into()]))
        .await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// When the next step is due, if any is.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(step_at) FROM dunning WHERE step_at IS NOT NULL";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let due: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(due.map(Into::into))
}

/// Has the account's open debts looked at again at `at`: what follows is decided anew then.
pub(crate) async fn look_again(tx: &Tx, account: AccountId, at: Instant) -> Result<(), DbErr> {
    let text =
        "UPDATE dunning SET step_at = $2 WHERE account_id = $1 AND step IS NOT NULL AND paused_at IS NULL";
    tx.execute_raw(sql(tx, text, [account.into(), At::from(at).into()])).await.map(|_| ())
}

/// The account has another method: its debts may be tried again on it.
pub(crate) async fn retryable(tx: &Tx, account: AccountId, at: Instant) -> Result<(), DbErr> {
    let text = "UPDATE dunning SET retryable = TRUE WHERE account_id = $1";
    tx.execute_raw(sql(tx, text, [account.into()])).await?;
    look_again(tx, account, at).await
}

/// Holds the account's deletion, or replaces who holds it and why.
pub(crate) async fn hold(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    by: &str,
    reason: &str,
) -> Result<(), DbErr> {
    let text = "INSERT INTO deletion_hold (account_id, reason, held_by, held_at) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (account_id) DO UPDATE SET reason = excluded.reason, held_by = excluded.held_by";
    let values = [account.into(), reason.into(), by.into(), At::from(at).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Lets the account's deletion go on; whether anybody held it.
pub(crate) async fn release(tx: &Tx, account: AccountId) -> Result<bool, DbErr> {
    let text = "DELETE FROM deletion_hold WHERE account_id = $1";
    Ok(tx.execute_raw(sql(tx, text, [account.into()])).await?.rows_affected() > 0)
}

/// Those of `accounts` whose deletion is held.
pub(crate) async fn held(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashSet<AccountId>, DbErr> {
    let mut held = HashSet::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!("SELECT account_id FROM deletion_hold WHERE account_id IN ({places})");
        let values = chunk.iter().map(|account| Value::from(*account));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            held.insert(row.try_get_by_index(0)?);
        }
    }
    Ok(held)
}
