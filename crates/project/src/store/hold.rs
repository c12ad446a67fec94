//! Rows of holds.

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, Code, CorruptRow, Minor, Rate},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, PlanFamily};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::{
    plan::code_of,
    resource::size,
    standing::{of_accounts, places},
};
use crate::domain::hold::{Hold, HoldEnd, HoldId};

const TABLE: &str = "funding_hold";
const COLUMNS: &str = "h.account_id, h.id, h.project_id, h.plan, p.family, h.size, h.count, h.used, h.currency, \
    h.unit_amount, h.cover_hours, h.resource_id, h.created_at, h.expires_at, h.ended_at, h.ended_by";
const FROM: &str = "FROM funding_hold h JOIN plan p ON p.code = h.plan";

fn read(row: &QueryResult) -> Result<Hold, DbErr> {
    let (plan, family): (String, String) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
    let (currency, amount): (Code, Minor) = (row.try_get_by_index(8)?, row.try_get_by_index(9)?);
    let (created, expires): (At, At) = (row.try_get_by_index(12)?, row.try_get_by_index(13)?);
    let (ended, by): (Option<At>, Option<String>) = (row.try_get_by_index(14)?, row.try_get_by_index(15)?);
    let ended = match (ended, by) {
        (None, None) => None,
        (Some(ended), Some(by)) => {
            let end = HoldEnd::parse(&by).ok_or_else(|| CorruptRow::new(TABLE, "unknown end"))?;
            Some((end, ended.into()))
        }
        (_, _) => return Err(CorruptRow::new(TABLE, "half an end").into()),
    };
    Ok(Hold {
        account: row.try_get_by_index(0)?,
        id: row.try_get_by_index(1)?,
        project: row.try_get_by_index(2)?,
        plan: code_of(&plan)?,
        family: PlanFamily::parse(&family).map_err(CorruptRow::of(TABLE))?,
        size: size(row.try_get_by_index::<Rate>(5)?)?,
        count: row.try_get_by_index(6)?,
        used: row.try_get_by_index(7)?,
        unit_amount: amount.money(currency.0),
        cover_hours: row.try_get_by_index(10)?,
        resource: row.try_get_by_index(11)?,
        created: created.into(),
        expires: expires.into(),
        ended,
    })
}

/// Adds a hold.
pub(crate) async fn insert(tx: &Tx, hold: &Hold) -> Result<(), DbErr> {
    tx.touch(hold.account);
    let text = "INSERT INTO funding_hold (account_id, id, project_id, plan, size, count, used, currency, unit_amount, \
                cover_hours, resource_id, created_at, expires_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let values: [Value; 13] = [
        hold.account.into(),
        hold.id.into(),
        hold.project.into(),
        hold.plan.as_str().into(),
        Rate(hold.size.value()).into(),
        hold.count.into(),
        hold.used.into(),
        Code(hold.unit_amount.currency()).into(),
        Minor::from(hold.unit_amount).into(),
        hold.cover_hours.into(),
        hold.resource.into(),
        At::from(hold.created).into(),
        At::from(hold.expires).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Keeps how many resources were added and whether it ended.
pub(crate) async fn save(tx: &Tx, hold: &Hold) -> Result<(), DbErr> {
    tx.touch(hold.account);
    let text = "UPDATE funding_hold SET used = $3, ended_at = $4, ended_by = $5 \
                WHERE account_id = $1 AND id = $2 AND ended_at IS NULL";
    let values: [Value; 5] = [
        hold.account.into(),
        hold.id.into(),
        hold.used.into(),
        hold.ended.map(|(_, ended)| At::from(ended)).into(),
        hold.ended.map(|(end, _)| end.as_str().to_owned()).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Writes down that holds are over.
pub(crate) async fn end(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    end: HoldEnd,
    holds: &[HoldId],
) -> Result<(), DbErr> {
    for chunk in holds.chunks(1000) {
        let text = format!(
            "UPDATE funding_hold SET ended_at = $2, ended_by = $3 \
             WHERE account_id = $1 AND ended_at IS NULL AND id IN ({})",
            places(4, chunk.len())
        );
        let first = [account.into(), At::from(at).into(), end.as_str().into()];
        let values = first.into_iter().chain(chunk.iter().map(|id| Value::from(*id)));
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}

/// The hold, if it exists in this project.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    id: HoldId,
) -> Result<Option<Hold>, DbErr> {
    let text = format!("SELECT {COLUMNS} {FROM} WHERE h.account_id = $1 AND h.project_id = $2 AND h.id = $3");
    let row =
        connection.query_one_raw(sql(connection, &text, [account.into(), project.into(), id.into()])).await?;
    row.as_ref().map(read).transpose()
}

/// A project's holds after `after`, oldest first; only those that have not ended by `open_at` if it is given.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    open_at: Option<Instant>,
    after: Option<HoldId>,
    fetch: u64,
) -> Result<Vec<Hold>, DbErr> {
    let mut values: Vec<Value> =
        vec![account.into(), project.into(), i64::try_from(fetch).unwrap_or(i64::MAX).into()];
    let mut conditions = String::new();
    if let Some(after) = after {
        values.push(after.into());
        conditions += &format!(" AND h.id > ${}", values.len());
    }
    if let Some(at) = open_at {
        values.push(At::from(at).into());
        conditions += &format!(" AND h.ended_at IS NULL AND h.expires_at > ${}", values.len());
    }
    let text = format!(
        "SELECT {COLUMNS} {FROM} WHERE h.account_id = $1 AND h.project_id = $2{conditions} ORDER BY h.id LIMIT $3"
    );
    connection.query_all_raw(sql(connection, &text, values)).await?.iter().map(read).collect()
}

/// The holds of `accounts` of which no end is written down.
pub(crate) async fn unended_of(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<Hold>, DbErr> {
    let text = |count| {
        format!("SELECT {COLUMNS} {FROM} WHERE h.ended_at IS NULL AND h.account_id IN ({})", places(1, count))
    };
    of_accounts(connection, accounts, text).await?.iter().map(read).collect()
}
