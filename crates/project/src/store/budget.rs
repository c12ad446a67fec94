//! Rows of budgets, and of the thresholds that were told of.

use std::collections::HashMap;

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, Month, PlanFamily};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::standing::places;
use crate::domain::budget::{Basis, Budget, BudgetId, Filter};

const TABLE: &str = "budget";
const COLUMNS: &str = "account_id, id, project_id, display_name, currency, amount, basis, thresholds, families, \
    label_key, label_value, version, created_at, updated_at";

fn read(row: &QueryResult) -> Result<Budget, DbErr> {
    let (currency, amount): (Code, Minor) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
    let (basis, thresholds): (String, String) = (row.try_get_by_index(6)?, row.try_get_by_index(7)?);
    let families: String = row.try_get_by_index(8)?;
    let key: Option<String> = row.try_get_by_index(9)?;
    let value: Option<String> = row.try_get_by_index(10)?;
    let (created, updated): (At, At) = (row.try_get_by_index(12)?, row.try_get_by_index(13)?);
    let thresholds: Result<Vec<i64>, _> = thresholds.split(',').map(str::parse).collect();
    let families = families.split(',').filter(|name| !name.is_empty()).map(PlanFamily::parse);
    Ok(Budget {
        account: row.try_get_by_index(0)?,
        id: row.try_get_by_index(1)?,
        project: row.try_get_by_index(2)?,
        name: row.try_get_by_index(3)?,
        amount: amount.money(currency.0),
        basis: Basis::parse(&basis).ok_or_else(|| CorruptRow::new(TABLE, "unknown basis"))?,
        thresholds: thresholds.map_err(CorruptRow::of(TABLE))?,
        filter: Filter {
            families: families.collect::<Result<_, _>>().map_err(CorruptRow::of(TABLE))?,
            label: key.map(|key| (key, value)),
        },
        version: row.try_get_by_index(11)?,
        created: created.into(),
        updated: updated.into(),
    })
}

fn joined(thresholds: &[i64]) -> String {
    thresholds.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// Adds a budget, to be looked at from now on.
pub(crate) async fn insert(tx: &Tx, budget: &Budget) -> Result<(), DbErr> {
    let text = format!(
        "INSERT INTO budget ({COLUMNS}, due_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13)"
    );
    let families: Vec<_> = budget.filter.families.iter().map(|family| family.as_str()).collect();
    let (key, value) = budget.filter.label.clone().map_or((None, None), |(key, value)| (Some(key), value));
    let values: [Value; 14] = [
        budget.account.into(),
        budget.id.into(),
        budget.project.into(),
        budget.name.as_str().into(),
        Code(budget.amount.currency()).into(),
        Minor::from(budget.amount).into(),
        budget.basis.as_str().into(),
        joined(&budget.thresholds).into(),
        families.join(",").into(),
        key.into(),
        value.into(),
        budget.version.into(),
        At::from(budget.created).into(),
        At::from(budget.updated).into(),
    ];
    tx.execute_raw(sql(tx, &text, values)).await.map(|_| ())
}

/// Keeps name, amount and thresholds; it is looked at from `updated` on.
pub(crate) async fn save(tx: &Tx, budget: &Budget) -> Result<(), DbErr> {
    let text = "UPDATE budget SET display_name = $3, amount = $4, thresholds = $5, version = $6, updated_at = $7, \
                due_at = $7 WHERE account_id = $1 AND id = $2";
    let values: [Value; 7] = [
        budget.account.into(),
        budget.id.into(),
        budget.name.as_str().into(),
        Minor::from(budget.amount).into(),
        joined(&budget.thresholds).into(),
        budget.version.into(),
        At::from(budget.updated).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Deletes a budget and what it was told of.
pub(crate) async fn delete(tx: &Tx, account: AccountId, id: BudgetId) -> Result<(), DbErr> {
    for text in [
        "DELETE FROM budget_alert WHERE account_id = $1 AND budget_id = $2",
        "DELETE FROM budget WHERE account_id = $1 AND id = $2",
    ] {
        tx.execute_raw(sql(tx, text, [account.into(), id.into()])).await?;
    }
    Ok(())
}

/// The budget, if it exists in this project.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    id: BudgetId,
) -> Result<Option<Budget>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM budget WHERE account_id = $1 AND project_id = $2 AND id = $3");
    let row =
        connection.query_one_raw(sql(connection, &text, [account.into(), project.into(), id.into()])).await?;
    row.as_ref().map(read).transpose()
}

/// A project's budgets after `after`, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    after: Option<BudgetId>,
    fetch: u64,
) -> Result<Vec<Budget>, DbErr> {
    let later = if after.is_some() { "AND id > $4" } else { "" };
    let text = format!(
        "SELECT {COLUMNS} FROM budget WHERE account_id = $1 AND project_id = $2 {later} ORDER BY id LIMIT $3"
    );
    let values = [account.into(), project.into(), i64::try_from(fetch).unwrap_or(i64::MAX).into()];
    let values = values.into_iter().chain(after.map(Value::from));
    connection.query_all_raw(sql(connection, &text, values)).await?.iter().map(read).collect()
}

/// How many budgets a project has.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<i64, DbErr> {
    let text = "SELECT CAST(COUNT(*) AS bigint) FROM budget WHERE account_id = $1 AND project_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), project.into()])).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// The earliest instant at which a budget has to be looked at.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let row = connection.query_one_raw(sql(connection, "SELECT MIN(due_at) FROM budget", [])).await?;
    let due: Option<At> = row.map_or(Ok(None), |row| row.try_get_by_index(0))?;
    Ok(due.map(Into::into))
}

/// Budgets that are due at `at`, at most `limit`.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<Budget>, DbErr> {
    let text =
        format!("SELECT {COLUMNS} FROM budget WHERE due_at <= $1 ORDER BY due_at, account_id, id LIMIT $2");
    let values = [At::from(at).into(), i64::from(limit).into()];
    connection.query_all_raw(sql(connection, &text, values)).await?.iter().map(read).collect()
}

/// Has the budgets of `accounts` looked at from `at` on: something about their use has changed.
pub(crate) async fn hurry(tx: &Tx, at: Instant, accounts: &[AccountId]) -> Result<(), DbErr> {
    for chunk in accounts.chunks(1000) {
        let text = format!(
            "UPDATE budget SET due_at = $1 WHERE due_at > $1 AND account_id IN ({})",
            places(2, chunk.len())
        );
        let values = [At::from(at).into()].into_iter().chain(chunk.iter().map(|id| Value::from(*id)));
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}

/// When each budget is looked at next, in one statement for all.
pub(crate) async fn look_again(tx: &Tx, looks: &[(AccountId, BudgetId, Instant)]) -> Result<(), DbErr> {
    // By instant: most budgets wait for the end of the month.
    let mut by_instant: HashMap<Instant, Vec<(AccountId, BudgetId)>> = HashMap::new();
    for (account, budget, at) in looks {
        by_instant.entry(*at).or_default().push((*account, *budget));
    }
    for (at, budgets) in by_instant {
        for chunk in budgets.chunks(1000) {
            let text = format!("UPDATE budget SET due_at = $1 WHERE {}", keys("id", 2, chunk.len()));
            let ids = chunk.iter().flat_map(|(account, id)| [Value::from(*account), Value::from(*id)]);
            let values = [At::from(at).into()].into_iter().chain(ids);
            tx.execute_raw(sql(tx, &text, values)).await?;
        }
    }
    Ok(())
}

fn keys(column: &str, first: usize, count: usize) -> String {
    let one = |n: usize| format!("(${}, ${})", first + 2 * n, first + 2 * n + 1);
    format!("(account_id, {column}) IN (VALUES {})", (0..count).map(one).collect::<Vec<_>>().join(", "))
}

/// The thresholds of `budgets` told of in `month`.
pub(crate) async fn told(
    connection: &impl ConnectionTrait,
    month: Month,
    budgets: &[(AccountId, BudgetId)],
) -> Result<HashMap<BudgetId, Vec<i64>>, DbErr> {
    let mut told: HashMap<BudgetId, Vec<i64>> = HashMap::new();
    for chunk in budgets.chunks(1000) {
        let text = format!(
            "SELECT budget_id, threshold FROM budget_alert WHERE month = $1 AND {} ORDER BY threshold",
            keys("budget_id", 2, chunk.len())
        );
        let ids = chunk.iter().flat_map(|(account, id)| [Value::from(*account), Value::from(*id)]);
        let values = [Value::from(month.to_string())].into_iter().chain(ids);
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            told.entry(row.try_get_by_index(0)?).or_default().push(row.try_get_by_index(1)?);
        }
    }
    Ok(told)
}

/// Keeps that a threshold was told of in `month`.
pub(crate) async fn tell(
    tx: &Tx,
    at: Instant,
    month: Month,
    budget: &Budget,
    threshold: i64,
) -> Result<(), DbErr> {
    let text = "INSERT INTO budget_alert (account_id, budget_id, month, threshold, reached_at) \
                VALUES ($1, $2, $3, $4, $5)";
    let values = [
        budget.account.into(),
        budget.id.into(),
        month.to_string().into(),
        threshold.into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Forgets that a threshold was told of in `month`: it is no longer reached.
pub(crate) async fn forget(tx: &Tx, month: Month, budget: &Budget, threshold: i64) -> Result<(), DbErr> {
    let text = "DELETE FROM budget_alert \
                WHERE account_id = $1 AND budget_id = $2 AND month = $3 AND threshold = $4";
    let values = [budget.account.into(), budget.id.into(), month.to_string().into(), threshold.into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
