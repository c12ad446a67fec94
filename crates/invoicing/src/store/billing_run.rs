//! Rows of billing runs: one per issuer and month, whose cursor moves with each committed batch.

use florin_platform::{
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, Month};
use sea_orm::{Condition, ConnectionTrait, DbErr, QueryOrder, QuerySelect, entity::prelude::*};

use crate::domain::billing_run::{BillingRun, BillingRunId, Tally};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_run")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: BillingRunId,
    issuer: String,
    month: String,
    settlement_at: At,
    state: String,
    project_count: Option<i64>,
    invoiced_count: i64,
    nothing_due_count: i64,
    set_aside_count: i64,
    after_account: Option<AccountId>,
    started_at: At,
    finished_at: Option<At>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "billing_run";
const RUNNING: &str = "RUNNING";
const COMPLETED: &str = "COMPLETED";

impl TryFrom<Model> for BillingRun {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: row.id,
            issuer: row.issuer,
            month: Month::parse(&row.month).map_err(CorruptRow::of(TABLE))?,
            settlement: row.settlement_at.into(),
            project_count: row.project_count,
            done: Tally {
                invoiced: row.invoiced_count,
                nothing_due: row.nothing_due_count,
                set_aside: row.set_aside_count,
            },
            after: row.after_account,
            started: row.started_at.into(),
            finished: row.finished_at.map(Into::into),
        })
    }
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
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Notes how many projects there are to bill.
pub(crate) async fn set_project_count(tx: &Tx, run: BillingRunId, count: i64) -> Result<(), DbErr> {
    let text = "UPDATE billing_run SET project_count = $2 WHERE id = $1 AND state = 'RUNNING'";
    tx.execute_raw(sql(tx, text, [run.into(), count.into()])).await.map(|_| ())
}

/// Moves the cursor of a running run and adds what was done. False if it is not where `run` says: then
/// somebody else did the batch, and this transaction must not commit.
pub(crate) async fn advance(tx: &Tx, run: &BillingRun, to: AccountId, done: Tally) -> Result<bool, DbErr> {
    let text = "UPDATE billing_run SET after_account = $2, invoiced_count = invoiced_count + $3, \
                nothing_due_count = nothing_due_count + $4, set_aside_count = set_aside_count + $5 \
                WHERE id = $1 AND state = 'RUNNING' AND after_account IS NOT DISTINCT FROM $6";
    let values = [
        run.id.into(),
        to.into(),
        done.invoiced.into(),
        done.nothing_due.into(),
        done.set_aside.into(),
        run.after.into(),
    ];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Completes a running run that still is where `run` says; false if it is not.
pub(crate) async fn finish(tx: &Tx, run: &BillingRun, at: Instant) -> Result<bool, DbErr> {
    let text = "UPDATE billing_run SET state = $2, finished_at = $3 \
                WHERE id = $1 AND state = 'RUNNING' AND after_account IS NOT DISTINCT FROM $4";
    let values = [run.id.into(), COMPLETED.into(), At::from(at).into(), run.after.into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

async fn one(connection: &impl ConnectionTrait, query: Select<Entity>) -> Result<Option<BillingRun>, DbErr> {
    Ok(query.one(connection).await?.map(BillingRun::try_from).transpose()?)
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: BillingRunId,
) -> Result<Option<BillingRun>, DbErr> {
    one(connection, Entity::find_by_id(id)).await
}

/// The run of an issuer's month.
pub(crate) async fn of_month(
    connection: &impl ConnectionTrait,
    issuer: &str,
    month: Month,
) -> Result<Option<BillingRun>, DbErr> {
    let query = Entity::find().filter(Column::Issuer.eq(issuer)).filter(Column::Month.eq(month.to_string()));
    one(connection, query).await
}

/// The issuer's run that is not finished or, without one, that of the latest month. One query, so that no
/// run can begin between two answers.
pub(crate) async fn newest(
    connection: &impl ConnectionTrait,
    issuer: &str,
) -> Result<Option<BillingRun>, DbErr> {
    // RUNNING comes after COMPLETED, in every collation.
    let query = Entity::find()
        .filter(Column::Issuer.eq(issuer))
        .order_by_desc(Column::State)
        .order_by_desc(Column::Month);
    one(connection, query).await
}

/// Runs, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    issuer: Option<&str>,
    after: Option<BillingRunId>,
    fetch: u64,
) -> Result<Vec<BillingRun>, DbErr> {
    let mut wanted = Condition::all();
    if let Some(issuer) = issuer {
        wanted = wanted.add(Column::Issuer.eq(issuer));
    }
    if let Some(after) = after {
        wanted = wanted.add(Column::Id.gt(after));
    }
    let rows = Entity::find().filter(wanted).order_by_asc(Column::Id).limit(fetch).all(connection).await?;
    Ok(rows.into_iter().map(BillingRun::try_from).collect::<Result<_, _>>()?)
}
