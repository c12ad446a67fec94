//! Rows of projects a run could not bill, why, and what has become of them since (R8.7).

use std::collections::HashMap;

use florin_platform::{
    column::{At, CorruptRow},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set, among},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use florin_project::ProjectId;

use crate::domain::{
    billing_run::{BillingItem, BillingRunId, ItemOutcome, ItemState, SetAside},
    invoice::InvoiceId,
};

const TABLE: &str = "billing_set_aside";
const COLUMNS: &str = "run_id, account_id, project_id, reason, created_at, attempts, settled_at, invoice_id";

fn read(row: &QueryResult) -> Result<BillingItem, DbErr> {
    let (since, settled): (At, Option<At>) = (row.try_get_by_index(4)?, row.try_get_by_index(6)?);
    let attempts: i64 = row.try_get_by_index(5)?;
    let invoice: Option<InvoiceId> = row.try_get_by_index(7)?;
    Ok(BillingItem {
        run: row.try_get_by_index(0)?,
        aside: SetAside {
            account: row.try_get_by_index(1)?,
            project: row.try_get_by_index(2)?,
            reason: row.try_get_by_index(3)?,
        },
        since: since.into(),
        attempts: u32::try_from(attempts).map_err(CorruptRow::of(TABLE))?,
        outcome: settled.map(|at| ItemOutcome { at: at.into(), invoice }),
    })
}

/// Sets projects aside; one that is known to be set aside stays with its first reason.
pub(crate) async fn insert(tx: &Tx, at: Instant, run: BillingRunId, items: &[SetAside]) -> Result<(), DbErr> {
    let columns = [
        ("account_id", Kind::Uuid),
        ("run_id", Kind::Uuid),
        ("project_id", Kind::Uuid),
        ("reason", Kind::Text),
        ("created_at", Kind::Instant),
    ];
    let mut set = Set::new(columns, items.len());
    for item in items {
        let reason = item.reason.as_str();
        set.push([item.account.into(), run.into(), item.project.into(), reason.into(), At::from(at).into()]);
    }
    let text = |rows: &str| {
        format!(
            "INSERT INTO billing_set_aside (account_id, run_id, project_id, reason, created_at) \
             SELECT account_id, run_id, project_id, reason, created_at FROM {rows} WHERE TRUE \
             ON CONFLICT DO NOTHING"
        )
    };
    set.execute(tx, text).await.map(|_| ())
}

/// What was tried again and failed again, and why.
pub(crate) async fn failed_again(tx: &Tx, run: BillingRunId, aside: &SetAside) -> Result<(), DbErr> {
    let text = "UPDATE billing_set_aside SET attempts = attempts + 1, reason = $4 \
                WHERE account_id = $1 AND run_id = $2 AND project_id = $3 AND settled_at IS NULL";
    let values = [aside.account.into(), run.into(), aside.project.into(), aside.reason.as_str().into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// What a project that was set aside came to.
pub(crate) async fn settle(
    tx: &Tx,
    run: BillingRunId,
    aside: &SetAside,
    outcome: ItemOutcome,
) -> Result<(), DbErr> {
    let text = "UPDATE billing_set_aside SET attempts = attempts + 1, settled_at = $4, invoice_id = $5 \
                WHERE account_id = $1 AND run_id = $2 AND project_id = $3 AND settled_at IS NULL";
    let values = [
        aside.account.into(),
        run.into(),
        aside.project.into(),
        At::from(outcome.at).into(),
        outcome.invoice.into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Items of a run in one of `states`, or in any if there is none, by project, after `after`.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    run: BillingRunId,
    states: &[ItemState],
    after: Option<ProjectId>,
    fetch: u64,
) -> Result<Vec<BillingItem>, DbErr> {
    let mut values: Vec<Value> = vec![run.into(), fetch.cast_signed().into()];
    let states = states.iter().map(|state| match state {
        ItemState::SetAside => "settled_at IS NULL",
        ItemState::Invoiced => "invoice_id IS NOT NULL",
        ItemState::NothingDue => "(settled_at IS NOT NULL AND invoice_id IS NULL)",
    });
    let states = states.collect::<Vec<_>>().join(" OR ");
    let wanted = if states.is_empty() { String::new() } else { format!(" AND ({states})") };
    let mut later = "";
    if let Some(after) = after {
        values.push(after.into());
        later = " AND project_id > $3";
    }
    let text = format!(
        "SELECT {COLUMNS} FROM billing_set_aside WHERE run_id = $1{wanted}{later} ORDER BY project_id LIMIT $2"
    );
    connection.query_all_raw(sql(connection, &text, values)).await?.iter().map(read).collect()
}

/// One item of a run, if there is one of the project.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    run: BillingRunId,
    project: ProjectId,
) -> Result<Option<BillingItem>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM billing_set_aside WHERE run_id = $1 AND project_id = $2");
    let values = [run.into(), project.into()];
    connection.query_one_raw(sql(connection, &text, values)).await?.as_ref().map(read).transpose()
}

/// How many items of a run have been billed, or found to owe nothing, since they were set aside.
pub(crate) async fn settled_count(
    connection: &impl ConnectionTrait,
    run: BillingRunId,
) -> Result<i64, DbErr> {
    let text = "SELECT CAST(COUNT(settled_at) AS bigint) FROM billing_set_aside WHERE run_id = $1";
    let row = connection.query_one_raw(sql(connection, text, [run.into()])).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// Of `accounts`, those with a project that was set aside and waits: the settlement instant of the earliest such
/// run.
pub(crate) async fn unissued_since(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Instant>, DbErr> {
    let mut since = HashMap::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let (condition, values) = among(connection.get_database_backend(), "aside.account_id", 1, chunk);
        let text = format!(
            "SELECT aside.account_id, run.settlement_at FROM billing_set_aside aside \
             JOIN billing_run run ON run.id = aside.run_id \
             WHERE {condition} AND aside.settled_at IS NULL ORDER BY run.settlement_at DESC"
        );
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let at: At = row.try_get_by_index(1)?;
            since.insert(row.try_get_by_index(0)?, Instant::from(at));
        }
    }
    Ok(since)
}
