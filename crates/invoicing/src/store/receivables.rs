//! What other slices have to know of invoices and debts, for many accounts at once.

use std::collections::{HashMap, HashSet};

use florin_platform::{
    column::CorruptRow,
    db::{BINDS_MAX, sql},
    id::AccountId,
};
use florin_project::ProjectId;
use florin_settlement::{Instant, Month};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

/// Those of `accounts` that owe something (R9.3).
pub(crate) async fn debtors(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashSet<AccountId>, DbErr> {
    let text = "SELECT DISTINCT account_id FROM debt WHERE closed_at IS NULL AND account_id IN";
    let rows = of(connection, text, "", accounts).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The end of the last month of which each project of `accounts` has its invoice.
pub(crate) async fn billed_until(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<(AccountId, ProjectId), Instant>, DbErr> {
    let text =
        "SELECT account_id, project_id, MAX(month) FROM invoice WHERE kind = 'MONTHLY' AND account_id IN";
    let rows = of(connection, text, "GROUP BY account_id, project_id", accounts).await?;
    let billed = rows.iter().map(|row| {
        let month: String = row.try_get_by_index(2)?;
        let month = Month::parse(&month).map_err(CorruptRow::of("invoice"))?;
        Ok(((row.try_get_by_index(0)?, row.try_get_by_index(1)?), month.end()))
    });
    billed.collect()
}

async fn of(
    connection: &impl ConnectionTrait,
    text: &str,
    group: &str,
    accounts: &[AccountId],
) -> Result<Vec<QueryResult>, DbErr> {
    let mut rows = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!("{text} ({places}) {group}");
        let values = chunk.iter().map(|account| Value::from(*account));
        rows.extend(connection.query_all_raw(sql(connection, &text, values)).await?);
    }
    Ok(rows)
}
