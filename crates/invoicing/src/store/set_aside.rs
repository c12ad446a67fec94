//! Rows of projects a run could not bill, and why (R8.7).

use std::collections::HashMap;

use florin_platform::{
    column::At,
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, QuerySelect, Value, entity::prelude::*};

use florin_project::ProjectId;

use crate::domain::billing_run::{BillingRunId, SetAside};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_set_aside")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    run_id: BillingRunId,
    #[sea_orm(primary_key, auto_increment = false)]
    project_id: ProjectId,
    reason: String,
    created_at: At,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

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

/// The first `fetch` of a run, by project.
pub(crate) async fn of_run(
    connection: &impl ConnectionTrait,
    run: BillingRunId,
    fetch: u64,
) -> Result<Vec<SetAside>, DbErr> {
    let rows = Entity::find()
        .filter(Column::RunId.eq(run))
        .order_by_asc(Column::ProjectId)
        .limit(fetch)
        .all(connection)
        .await?;
    let item = |row: Model| SetAside { account: row.account_id, project: row.project_id, reason: row.reason };
    Ok(rows.into_iter().map(item).collect())
}

/// Of `accounts`, those with a project that was set aside and has no invoice yet: the settlement instant
/// of the earliest such run.
pub(crate) async fn unissued_since(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Instant>, DbErr> {
    let mut since = HashMap::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT aside.account_id, run.settlement_at FROM billing_set_aside aside \
             JOIN billing_run run ON run.id = aside.run_id \
             WHERE aside.account_id IN ({places}) AND NOT EXISTS (SELECT 1 FROM invoice \
             WHERE invoice.account_id = aside.account_id AND invoice.project_id = aside.project_id \
             AND invoice.month = run.month AND invoice.kind = 'MONTHLY') ORDER BY run.settlement_at DESC"
        );
        let values = chunk.iter().map(|account| Value::from(*account));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let at: At = row.try_get_by_index(1)?;
            since.insert(row.try_get_by_index(0)?, Instant::from(at));
        }
    }
    Ok(since)
}
