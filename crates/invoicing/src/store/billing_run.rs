//! Rows of billing runs: one per issuer and month. What is done of a running one stands in its ranges.

use florin_platform::{
    column::{At, CorruptRow},
    db::{Tx, sql},
};
use florin_settlement::{Instant, Month};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Value};

use crate::domain::billing_run::{BillingRun, BillingRunId, RunState, Tally};

const TABLE: &str = "billing_run";
const RUNNING: &str = "RUNNING";
const COMPLETED: &str = "COMPLETED";

/// A run is CANCELED when it is stored as RUNNING and has an instant of that: the column of states is older.
const SELECT: &str = "SELECT run.id, run.issuer, run.month, run.settlement_at, run.state, run.project_count, \
    run.invoiced_count + COALESCE(done.invoiced, 0) AS invoiced, \
    run.nothing_due_count + COALESCE(done.nothing_due, 0) AS nothing_due, \
    run.set_aside_count + COALESCE(done.set_aside, 0) AS set_aside, \
    run.started_at, run.finished_at, run.canceled_at \
    FROM billing_run run LEFT JOIN (SELECT run_id, \
        CAST(SUM(invoiced_count) AS bigint) AS invoiced, \
        CAST(SUM(nothing_due_count) AS bigint) AS nothing_due, \
        CAST(SUM(set_aside_count) AS bigint) AS set_aside \
        FROM billing_range GROUP BY run_id) done ON done.run_id = run.id";

#[derive(Debug, FromQueryResult)]
struct Row {
    id: BillingRunId,
    issuer: String,
    month: String,
    settlement_at: At,
    state: String,
    project_count: Option<i64>,
    invoiced: i64,
    nothing_due: i64,
    set_aside: i64,
    started_at: At,
    finished_at: Option<At>,
    canceled_at: Option<At>,
}

impl TryFrom<Row> for BillingRun {
    type Error = CorruptRow;

    fn try_from(row: Row) -> Result<Self, CorruptRow> {
        let state = match (row.state.as_str(), row.finished_at, row.canceled_at) {
            (RUNNING, None, None) => RunState::Running,
            (RUNNING, None, Some(at)) => RunState::Canceled { at: at.into() },
            (COMPLETED, Some(at), None) => RunState::Completed { at: at.into() },
            (state, ..) => return Err(CorruptRow::new(TABLE, format!("{state} does not fit its data"))),
        };
        Ok(Self {
            id: row.id,
            issuer: row.issuer,
            month: Month::parse(&row.month).map_err(CorruptRow::of(TABLE))?,
            settlement: row.settlement_at.into(),
            project_count: row.project_count,
            done: Tally { invoiced: row.invoiced, nothing_due: row.nothing_due, set_aside: row.set_aside },
            started: row.started_at.into(),
            state,
        })
    }
}

fn read(row: &QueryResult) -> Result<BillingRun, DbErr> {
    Ok(BillingRun::try_from(Row::from_query_result(row, "")?)?)
}

/// Adds a run that has just started; false if the issuer's month has one.
pub(crate) async fn insert(tx: &Tx, run: &BillingRun) -> Result<bool, DbErr> {
    let text = "INSERT INTO billing_run (id, issuer, month, settlement_at, state, invoiced_count, \
                nothing_due_count, set_aside_count, started_at) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, $6) \
                ON CONFLICT DO NOTHING";
    let values = [
        run.id.into(),
        run.issuer.as_str().into(),
        run.month.to_string().into(),
        At::from(run.settlement).into(),
        RUNNING.into(),
        At::from(run.started).into(),
    ];
    changed(tx, text, values).await
}

/// Notes how many projects there are to bill; false if that was noted before.
pub(crate) async fn set_project_count(tx: &Tx, run: BillingRunId, count: i64) -> Result<bool, DbErr> {
    let text = "UPDATE billing_run SET project_count = $2 \
                WHERE id = $1 AND state = 'RUNNING' AND project_count IS NULL";
    changed(tx, text, [run.into(), count.into()]).await
}

/// Whether the run is running, and stays so until `tx` ends.
pub(crate) async fn hold_running(tx: &Tx, run: BillingRunId) -> Result<bool, DbErr> {
    let held = if tx.get_database_backend() == DbBackend::Postgres { " FOR SHARE" } else { "" };
    let text = format!(
        "SELECT id FROM billing_run WHERE id = $1 AND state = 'RUNNING' AND canceled_at IS NULL{held}"
    );
    Ok(tx.query_one_raw(sql(tx, &text, [run.into()])).await?.is_some())
}

/// Cancels a running run, or lets a canceled one go on; false if it is neither.
pub(crate) async fn set_canceled(tx: &Tx, run: BillingRunId, at: Option<Instant>) -> Result<bool, DbErr> {
    let text = "UPDATE billing_run SET canceled_at = $2 WHERE id = $1 AND state = 'RUNNING'";
    changed(tx, text, [run.into(), at.map(At::from).into()]).await
}

/// Completes a run of whose ranges none is open, with what they came to. False if there is one, or it is not running.
pub(crate) async fn finish(tx: &Tx, run: BillingRunId, at: Instant) -> Result<bool, DbErr> {
    let sum = |column| {
        format!(
            "{column} = {column} + (SELECT CAST(COALESCE(SUM(r.{column}), 0) AS bigint) FROM billing_range r \
             WHERE r.run_id = billing_run.id)"
        )
    };
    let text = format!(
        "UPDATE billing_run SET state = $2, finished_at = $3, {}, {}, {} \
         WHERE id = $1 AND state = 'RUNNING' AND canceled_at IS NULL AND project_count IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM billing_range o WHERE o.run_id = billing_run.id AND NOT o.done)",
        sum("invoiced_count"),
        sum("nothing_due_count"),
        sum("set_aside_count")
    );
    changed(tx, &text, [run.into(), COMPLETED.into(), At::from(at).into()]).await
}

async fn changed<const N: usize>(tx: &Tx, text: &str, values: [Value; N]) -> Result<bool, DbErr> {
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

async fn one<const N: usize>(
    connection: &impl ConnectionTrait,
    which: &str,
    values: [Value; N],
) -> Result<Option<BillingRun>, DbErr> {
    let text = format!("{SELECT} {which}");
    connection.query_one_raw(sql(connection, &text, values)).await?.as_ref().map(read).transpose()
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: BillingRunId,
) -> Result<Option<BillingRun>, DbErr> {
    one(connection, "WHERE run.id = $1", [id.into()]).await
}

/// The run of an issuer's month.
pub(crate) async fn of_month(
    connection: &impl ConnectionTrait,
    issuer: &str,
    month: Month,
) -> Result<Option<BillingRun>, DbErr> {
    let values = [issuer.into(), month.to_string().into()];
    one(connection, "WHERE run.issuer = $1 AND run.month = $2", values).await
}

/// The issuer's run that has not completed or, without one, that of the latest month. One query, so that no
/// run can begin between two answers.
pub(crate) async fn newest(
    connection: &impl ConnectionTrait,
    issuer: &str,
) -> Result<Option<BillingRun>, DbErr> {
    // RUNNING comes after COMPLETED, in every collation.
    let which = "WHERE run.issuer = $1 ORDER BY run.state DESC, run.month DESC LIMIT 1";
    one(connection, which, [issuer.into()]).await
}

/// Runs, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    issuer: Option<&str>,
    after: Option<BillingRunId>,
    fetch: u64,
) -> Result<Vec<BillingRun>, DbErr> {
    let mut values: Vec<Value> = vec![fetch.cast_signed().into()];
    let mut wanted = String::new();
    if let Some(issuer) = issuer {
        values.push(issuer.into());
        wanted.push_str(&format!(" AND run.issuer = ${}", values.len()));
    }
    if let Some(after) = after {
        values.push(after.into());
        wanted.push_str(&format!(" AND run.id > ${}", values.len()));
    }
    let text = format!("{SELECT} WHERE TRUE{wanted} ORDER BY run.id LIMIT $1");
    connection.query_all_raw(sql(connection, &text, values)).await?.iter().map(read).collect()
}
