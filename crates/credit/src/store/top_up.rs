//! Rows of top-ups, and of the orders they placed.

use std::time::Duration;

use florin_platform::{
    column::{At, Code, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Money};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::domain::{
    order::OrderId,
    project_ref::ProjectId,
    top_up::{TopUp, TopUpState, Wish},
};

const TABLE: &str = "top_up";
const COLUMNS: &str = "account_id, project_id, currency, threshold, amount, interval_seconds, monthly_ceiling, \
                       supply_consent_at, state, stop_reason, check_at, version, created_at, updated_at";

#[derive(Debug, FromQueryResult)]
struct Row {
    account_id: AccountId,
    project_id: ProjectId,
    currency: Code,
    threshold: i64,
    amount: i64,
    interval_seconds: i64,
    monthly_ceiling: i64,
    supply_consent_at: Option<At>,
    state: String,
    stop_reason: Option<String>,
    check_at: Option<At>,
    version: i64,
    created_at: At,
    updated_at: At,
}

impl TryFrom<Row> for TopUp {
    type Error = CorruptRow;

    fn try_from(row: Row) -> Result<Self, CorruptRow> {
        let state = match (row.state.as_str(), row.stop_reason, row.check_at) {
            ("ACTIVE", None, Some(check)) => TopUpState::Active { check: check.into() },
            ("STOPPED", Some(reason), None) => TopUpState::Stopped { reason },
            ("OFF", None, None) => TopUpState::Off,
            (_, _, _) => return Err(CorruptRow::new(TABLE, "a state that does not fit its data")),
        };
        let amount = |minor| Money::new(minor, row.currency.0);
        let seconds = u64::try_from(row.interval_seconds).map_err(CorruptRow::of(TABLE))?;
        Ok(Self {
            account: row.account_id,
            project: row.project_id,
            wish: Wish {
                threshold: amount(row.threshold),
                amount: amount(row.amount),
                interval: Duration::from_secs(seconds),
                ceiling: amount(row.monthly_ceiling),
            },
            supply_consent: row.supply_consent_at.map(Into::into),
            state,
            version: row.version,
            created: row.created_at.into(),
            updated: row.updated_at.into(),
        })
    }
}

/// Writes a top-up as it is: a new row, or in place of the one there was.
pub(crate) async fn save(tx: &Tx, top_up: &TopUp) -> Result<(), DbErr> {
    let (state, reason, check) = match &top_up.state {
        TopUpState::Active { check } => ("ACTIVE", None, Some(At::from(*check))),
        TopUpState::Stopped { reason } => ("STOPPED", Some(reason.clone()), None),
        TopUpState::Off => ("OFF", None, None),
    };
    let seconds = i64::try_from(top_up.wish.interval.as_secs()).map_err(CorruptRow::of(TABLE))?;
    let text = format!(
        "INSERT INTO top_up ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (account_id, project_id) DO UPDATE SET currency = excluded.currency, \
         threshold = excluded.threshold, amount = excluded.amount, interval_seconds = excluded.interval_seconds, \
         monthly_ceiling = excluded.monthly_ceiling, supply_consent_at = excluded.supply_consent_at, \
         state = excluded.state, stop_reason = excluded.stop_reason, check_at = excluded.check_at, \
         version = excluded.version, updated_at = excluded.updated_at"
    );
    let values = [
        top_up.account.into(),
        top_up.project.into(),
        Code(top_up.wish.amount.currency()).into(),
        top_up.wish.threshold.minor().into(),
        top_up.wish.amount.minor().into(),
        seconds.into(),
        top_up.wish.ceiling.minor().into(),
        top_up.supply_consent.map(At::from).into(),
        state.into(),
        reason.into(),
        check.into(),
        top_up.version.into(),
        At::from(top_up.created).into(),
        At::from(top_up.updated).into(),
    ];
    tx.execute_raw(sql(tx, &text, values)).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Option<TopUp>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM top_up WHERE account_id = $1 AND project_id = $2");
    let row = connection.query_one_raw(sql(connection, &text, [account.into(), project.into()])).await?;
    row.map(|row| Ok(TopUp::try_from(Row::from_query_result(&row, "")?)?)).transpose()
}

/// Those that look by `at`, the longest overdue first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<(AccountId, ProjectId)>, DbErr> {
    let text = format!(
        "SELECT account_id, project_id FROM top_up WHERE state = 'ACTIVE' AND check_at <= $1 \
         ORDER BY check_at LIMIT {limit}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [At::from(at).into()])).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// When the next one looks.
pub(crate) async fn next(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(check_at) FROM top_up WHERE state = 'ACTIVE'";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let at: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(at.map(Into::into))
}

/// Notes that a top-up placed an order.
pub(crate) async fn insert_order(
    tx: &Tx,
    at: Instant,
    (account, project): (AccountId, ProjectId),
    order: OrderId,
    net: Money,
) -> Result<(), DbErr> {
    let text = "INSERT INTO top_up_order (account_id, order_id, project_id, net, created_at) \
                VALUES ($1, $2, $3, $4, $5)";
    let values = [account.into(), order.into(), project.into(), net.minor().into(), At::from(at).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// The project whose top-up placed an order, if one did.
pub(crate) async fn of_order(
    connection: &impl ConnectionTrait,
    account: AccountId,
    order: OrderId,
) -> Result<Option<ProjectId>, DbErr> {
    let text = "SELECT project_id FROM top_up_order WHERE account_id = $1 AND order_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), order.into()])).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// What a top-up has bought since `since`, what is being paid included, and whether anything is being paid.
pub(crate) async fn bought(
    connection: &impl ConnectionTrait,
    (account, project): (AccountId, ProjectId),
    since: Instant,
    currency: Currency,
) -> Result<(Money, bool), DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(CASE WHEN t.created_at >= $3 THEN t.net ELSE 0 END), 0) AS bigint), \
                CAST(COALESCE(SUM(CASE WHEN o.state = 'PROCESSING' THEN 1 ELSE 0 END), 0) AS bigint) \
                FROM top_up_order t JOIN credit_order o ON o.account_id = t.account_id AND o.id = t.order_id \
                WHERE t.account_id = $1 AND t.project_id = $2 AND o.state IN ('PROCESSING', 'PAID')";
    let values = [account.into(), project.into(), At::from(since).into()];
    let row = connection
        .query_one_raw(sql(connection, text, values))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("a sum over top-ups".to_owned()))?;
    let under_way: i64 = row.try_get_by_index(1)?;
    Ok((Money::new(row.try_get_by_index(0)?, currency), under_way > 0))
}
