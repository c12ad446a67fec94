//! Rows of funding standings, and of what they are computed from.
//!
//! The hot read ([`of_keys`]) is the one statement here that goes past sea-orm: it is asked before every launch of
//! every customer (R4.8). No BEGIN, no ping, one primary key look-up a row; one text, however many rows.
//!
//! | backend | asked | answered |
//! |---|---|---|
//! | PostgreSQL | an array of ids for each column of the key | a row for each standing |
//! | SQLite | one JSON array of keys | one JSON array of rows: the driver hands values over one by one, from the database's thread, and that is dearer than finding them |

use std::{collections::HashMap, iter};

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, Code, CorruptRow, Rate},
    db::{BINDS_MAX, Kept, Question, Tx, sql},
    id::AccountId,
    set::among,
};
use florin_settlement::{Currency, Instant, PlanFamily, Quantity};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Value,
    prelude::Uuid,
    sqlx::{self, AssertSqlSafe},
};
use serde_json::Value as Json;

use super::{
    plan::code_of,
    resource::size,
    standing_row::{Columns, FIGURES, IDS, TABLE, binds, corrupt, read, standing},
};
use crate::domain::{
    funding::{Quotas, Standing, place},
    plan::PlanCode,
    project::ProjectState,
    quota::fallback,
    reckoning::Told,
    resource::ResourceId,
};

/// The most rows the hot read asks for at once.
pub(crate) const KEYS_MAX: usize = 512;

/// What the hot read finds.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// How far the sandbox clock is ahead of the machine's, in microseconds.
    pub(crate) clock_offset: i64,
    /// The catalogue's version.
    pub(crate) catalogue_version: i64,
    /// The standing.
    pub(crate) standing: Standing,
}

/// A key of the table.
pub(crate) type Key = (AccountId, ProjectId);

const CONTEXT: &str = "(SELECT version FROM catalogue_version WHERE id = 1), \
    (SELECT offset_micros FROM sandbox_clock WHERE id = 1)";

/// The standings of `keys`, those that exist, in one statement.
pub(crate) async fn of_keys(kept: &Kept, keys: &[Key]) -> Result<HashMap<Key, Found>, DbErr> {
    debug_assert!(keys.len() <= KEYS_MAX, "the caller bounds its batches");
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    if kept.backend() == DbBackend::Postgres {
        let rows = kept.rows(of_keys_postgres(keys)).await?;
        return rows.iter().map(|row| read(row, found)).collect();
    }
    let rows = kept.rows(of_keys_sqlite(keys)).await?;
    let listed: String = rows.first().map_or_else(|| Ok("[]".to_owned()), |row| row.try_get_by_index(0))?;
    let listed: Vec<Vec<Json>> = serde_json::from_str(&listed).map_err(CorruptRow::of(TABLE))?;
    listed.iter().map(|row| found(row)).collect()
}

fn of_keys_postgres(keys: &[Key]) -> Question<'static> {
    let text = format!(
        "SELECT {IDS}, {FIGURES}, {CONTEXT} FROM unnest($1::uuid[], $2::uuid[]) AS w (account_id, project_id) \
         JOIN funding_standing s ON s.account_id = w.account_id AND s.project_id = w.project_id"
    );
    let accounts: Vec<Uuid> = keys.iter().map(|(account, _)| account.uuid()).collect();
    let projects: Vec<Uuid> = keys.iter().map(|(_, project)| project.uuid()).collect();
    Question::Postgres(sqlx::query(AssertSqlSafe(text)).bind(accounts).bind(projects))
}

fn of_keys_sqlite(keys: &[Key]) -> Question<'static> {
    let text = format!(
        "SELECT json_group_array(json_array(hex(s.account_id), hex(s.project_id), {FIGURES}, {CONTEXT})) \
         FROM json_each($1) w CROSS JOIN funding_standing s \
         ON s.account_id = unhex(substr(w.value, 1, 32)) AND s.project_id = unhex(substr(w.value, 33))"
    );
    let asked = keys
        .iter()
        .map(|(account, project)| format!("{:x}{:x}", account.uuid().simple(), project.uuid().simple()));
    let asked = Json::from(asked.collect::<Vec<_>>()).to_string();
    Question::Sqlite(sqlx::query(AssertSqlSafe(text)).bind(asked))
}

/// The standings of `accounts`, as the transaction sees them, each with the instant it is due at: of those every
/// project of which has one.
pub(crate) async fn complete_of(
    tx: &Tx,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Vec<(Standing, Instant)>>, DbErr> {
    let text = |count| {
        format!(
            "SELECT {IDS}, {FIGURES}, (SELECT COUNT(*) FROM project p WHERE p.account_id = s.account_id), s.due_at \
             FROM funding_standing s WHERE s.account_id IN ({}) ORDER BY s.account_id, s.project_id",
            places(1, count)
        )
    };
    let mut complete: HashMap<AccountId, (i64, Vec<(Standing, Instant)>)> = HashMap::new();
    for row in of_accounts(tx, accounts, text).await? {
        let standing = read(&row, standing)?;
        let (projects, due): (i64, At) = (row.try_get_by_index(29)?, row.try_get_by_index(30)?);
        complete.entry(standing.account).or_insert((projects, Vec::new())).1.push((standing, due.into()));
    }
    complete.retain(|_, (projects, standings)| i64::try_from(standings.len()) == Ok(*projects));
    Ok(complete.into_iter().map(|(account, (_, standings))| (account, standings)).collect())
}

fn found(row: &dyn Columns) -> Result<(Key, Found), DbErr> {
    let standing = standing(row)?;
    let catalogue_version = row.number(29)?.ok_or_else(|| corrupt("no version of the catalogue"))?;
    let found = Found { clock_offset: row.number(30)?.unwrap_or_default(), catalogue_version, standing };
    Ok(((found.standing.account, found.standing.project), found))
}

/// Writes standings, each with the instant it has to be looked at again; what was there is replaced.
pub(crate) async fn save(tx: &Tx, standings: &[(Standing, Instant)]) -> Result<(), DbErr> {
    const BINDS: usize = 30;
    // Powers of two keep the number of prepared statements small.
    let mut rest = standings;
    while !rest.is_empty() {
        let fit = 1 << rest.len().min(BINDS_MAX / BINDS).ilog2();
        let (chunk, others) = rest.split_at(fit);
        rest = others;
        let text = format!(
            "INSERT INTO funding_standing (account_id, project_id, state, currency, in_debt, prepaid_only, \
             spend_cap, own_credit, shared_credit, others_need, others_rate, unbilled, spent, reserved, accrual, \
             conversion, burn, instances, storages, options, restricted, cap_reached, exhausted, unrated, \
             through_at, valid_until, due_at, instance_quota, storage_quota, option_quota) VALUES {} ON CONFLICT (account_id, project_id) DO UPDATE SET {}",
            rows(chunk.len(), BINDS),
            SET
        );
        let mut values = Vec::with_capacity(chunk.len() * BINDS);
        for (standing, due) in chunk {
            values.extend(binds(standing, *due)?);
        }
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}

const SET: &str = "state = excluded.state, currency = excluded.currency, in_debt = excluded.in_debt, \
    prepaid_only = excluded.prepaid_only, spend_cap = excluded.spend_cap, own_credit = excluded.own_credit, \
    shared_credit = excluded.shared_credit, others_need = excluded.others_need, \
    others_rate = excluded.others_rate, unbilled = excluded.unbilled, spent = excluded.spent, \
    reserved = excluded.reserved, accrual = excluded.accrual, conversion = excluded.conversion, \
    burn = excluded.burn, instances = excluded.instances, storages = excluded.storages, \
    options = excluded.options, restricted = excluded.restricted, cap_reached = excluded.cap_reached, \
    exhausted = excluded.exhausted, unrated = excluded.unrated, through_at = excluded.through_at, \
    valid_until = excluded.valid_until, due_at = excluded.due_at, instance_quota = excluded.instance_quota, \
    storage_quota = excluded.storage_quota, option_quota = excluded.option_quota";

fn rows(count: usize, columns: usize) -> String {
    let row = |n: usize| {
        let places = (1..=columns).map(|column| format!("${}", n * columns + column)).collect::<Vec<_>>();
        format!("({})", places.join(", "))
    };
    (0..count).map(row).collect::<Vec<_>>().join(", ")
}

/// Says of the standings of `accounts` that they no longer hold and are due at `at`: for changes of so many accounts
/// at once that computing each would hold everybody up.
pub(crate) async fn outdate(tx: &Tx, at: Instant, accounts: &[AccountId]) -> Result<(), DbErr> {
    for chunk in accounts.chunks(BINDS_MAX - 1) {
        let (condition, accounts) = among(tx.get_database_backend(), "account_id", 2, chunk);
        let text = format!("UPDATE funding_standing SET valid_until = $1, due_at = $1 WHERE {condition}");
        let values = iter::once(At::from(at).into()).chain(accounts);
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}

/// Has the standings of `account` looked at again at `at`, and not before.
pub(crate) async fn put_off(tx: &Tx, at: Instant, account: AccountId) -> Result<(), DbErr> {
    let text = "UPDATE funding_standing SET due_at = $1 WHERE account_id = $2";
    tx.execute_raw(sql(tx, text, [At::from(at).into(), account.into()])).await.map(|_| ())
}

/// Has the standings and budgets of `accounts` looked at from `at` on; until then they hold. For measured usage, which
/// comes all the time: figures are at most as old as the job's round (R5.6).
pub(crate) async fn hurry(tx: &Tx, at: Instant, accounts: &[AccountId]) -> Result<(), DbErr> {
    for chunk in accounts.chunks(1000) {
        let text = format!(
            "UPDATE funding_standing SET due_at = $1 WHERE due_at > $1 AND account_id IN ({})",
            places(2, chunk.len())
        );
        let values = [At::from(at).into()].into_iter().chain(chunk.iter().map(|id| Value::from(*id)));
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    super::budget::hurry(tx, at, accounts).await
}

/// The earliest instant at which a standing has to be looked at.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let row =
        connection.query_one_raw(sql(connection, "SELECT MIN(due_at) FROM funding_standing", [])).await?;
    let due: Option<At> = row.map_or(Ok(None), |row| row.try_get_by_index(0))?;
    Ok(due.map(Into::into).filter(|due| *due < Instant::MAX))
}

/// Accounts of standings that are due at `at`, at most `limit`, those due first first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<AccountId>, DbErr> {
    let text = "SELECT account_id FROM funding_standing WHERE due_at <= $1 \
                GROUP BY account_id ORDER BY MIN(due_at), account_id LIMIT $2";
    let values = [At::from(at).into(), i64::from(limit).into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// What was told of a project.
pub(crate) async fn told(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Told, DbErr> {
    let text =
        "SELECT cap_reached, exhausted FROM funding_standing WHERE account_id = $1 AND project_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), project.into()])).await?;
    let Some(row) = row else { return Ok(Told::default()) };
    Ok(Told { cap_reached: row.try_get_by_index(0)?, exhausted: row.try_get_by_index(1)? })
}

/// What a standing is computed from that stands in the project's own rows.
#[derive(Clone, Debug)]
pub(crate) struct ProjectRow {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) state: ProjectState,
    pub(crate) currency: Currency,
    pub(crate) created: Instant,
    pub(crate) spend_cap: Option<i64>,
    pub(crate) prepaid_only: bool,
    pub(crate) told: Told,
}

/// All projects of `accounts`, by account and in settlement order.
pub(crate) async fn projects_of(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<ProjectRow>, DbErr> {
    let text = |count| {
        format!(
            "SELECT p.account_id, p.id, p.state, p.currency, p.created_at, c.spend_cap, c.prepaid_only, \
                    s.cap_reached, s.exhausted \
             FROM project p \
             LEFT JOIN spending_control c ON c.account_id = p.account_id AND c.project_id = p.id \
             LEFT JOIN funding_standing s ON s.account_id = p.account_id AND s.project_id = p.id \
             WHERE p.account_id IN ({}) ORDER BY p.account_id, p.created_at, p.id",
            places(1, count)
        )
    };
    let mut found = Vec::new();
    for row in of_accounts(connection, accounts, text).await? {
        let state: String = row.try_get_by_index(2)?;
        let (currency, created): (Code, At) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
        let flag = |index| row.try_get_by_index::<Option<bool>>(index).map(Option::unwrap_or_default);
        found.push(ProjectRow {
            account: row.try_get_by_index(0)?,
            project: row.try_get_by_index(1)?,
            state: ProjectState::parse(&state).ok_or_else(|| CorruptRow::new("project", "unknown state"))?,
            currency: currency.0,
            created: created.into(),
            spend_cap: row.try_get_by_index(5)?,
            prepaid_only: flag(6)?,
            told: Told { cap_reached: flag(7)?, exhausted: flag(8)? },
        });
    }
    Ok(found)
}

/// How many resources of each family the projects of `accounts` may have: their own quotas, or else the default.
pub(crate) async fn quotas_of(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<(Quotas, HashMap<Key, Quotas>), DbErr> {
    let read = |row: &QueryResult, first: usize, quotas: &mut Quotas| -> Result<(), DbErr> {
        let family: String = row.try_get_by_index(first)?;
        let family = PlanFamily::parse(&family).map_err(CorruptRow::of("project_quota"))?;
        quotas[place(family)] = Some(row.try_get_by_index(first + 1)?);
        Ok(())
    };
    let mut usual: Quotas = PlanFamily::ALL.map(|family| Some(i64::from(fallback(family))));
    let text = "SELECT family, resources FROM quota_default";
    for row in connection.query_all_raw(sql(connection, text, [])).await? {
        read(&row, 0, &mut usual)?;
    }
    let text = |count| {
        format!(
            "SELECT account_id, project_id, family, resources FROM project_quota WHERE account_id IN ({})",
            places(1, count)
        )
    };
    let mut own: HashMap<Key, Quotas> = HashMap::new();
    for row in of_accounts(connection, accounts, text).await? {
        let key = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        read(&row, 2, own.entry(key).or_insert(usual))?;
    }
    Ok((usual, own))
}

/// From `effective` on the price of `plan` is another: until then at most do the standings of whoever runs it hold,
/// and then at the latest are their budgets looked at.
pub(crate) async fn limit_to(tx: &Tx, plan: &PlanCode, effective: Instant) -> Result<(), DbErr> {
    for (table, column) in
        [("funding_standing", "valid_until"), ("funding_standing", "due_at"), ("budget", "due_at")]
    {
        let text = format!(
            "UPDATE {table} SET {column} = $1 WHERE {column} > $1 AND (account_id, project_id) IN \
             (SELECT account_id, project_id FROM resource WHERE removed_at IS NULL AND plan = $2)"
        );
        tx.execute_raw(sql(tx, &text, [At::from(effective).into(), plan.as_str().into()])).await?;
    }
    Ok(())
}

/// A resource that is there.
#[derive(Clone, Debug)]
pub(crate) struct RunningRow {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) resource: ResourceId,
    pub(crate) plan: PlanCode,
    pub(crate) size: Quantity,
}

/// The resources of `accounts` that are there.
pub(crate) async fn running_of(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<RunningRow>, DbErr> {
    let text = |count| {
        format!(
            "SELECT account_id, project_id, id, plan, size FROM resource \
             WHERE removed_at IS NULL AND account_id IN ({})",
            places(1, count)
        )
    };
    let mut found = Vec::new();
    for row in of_accounts(connection, accounts, text).await? {
        let plan: String = row.try_get_by_index(3)?;
        found.push(RunningRow {
            account: row.try_get_by_index(0)?,
            project: row.try_get_by_index(1)?,
            resource: row.try_get_by_index(2)?,
            plan: code_of(&plan)?,
            size: size(row.try_get_by_index::<Rate>(4)?)?,
        });
    }
    Ok(found)
}

pub(super) async fn of_accounts(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
    text: impl Fn(usize) -> String,
) -> Result<Vec<QueryResult>, DbErr> {
    let mut rows = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let values = chunk.iter().map(|id| Value::from(*id));
        rows.extend(connection.query_all_raw(sql(connection, &text(chunk.len()), values)).await?);
    }
    Ok(rows)
}

pub(super) fn places(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}
