//! Rows of funding standings, and of what they are computed from.
//!
//! The hot read ([`of_keys`]) is the one statement here that goes past sea-orm: it needs arrays on PostgreSQL, and
//! it is asked before every launch of every customer (R4.8). No BEGIN, no ping, one primary key look-up a row.

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
    ConnectionTrait, DbBackend, DbErr, QueryResult, RuntimeErr, Value,
    prelude::{DateTimeUtc, Uuid},
    sqlx::{self, AssertSqlSafe, Row},
};

use super::{plan::code_of, resource::size};
use crate::domain::{
    funding::{HourlyRate, Quotas, Restricted, SETS, Standing, place},
    plan::PlanCode,
    project::ProjectState,
    quota::fallback,
    reckoning::Told,
    resource::ResourceId,
};

const TABLE: &str = "funding_standing";
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

const COLUMNS: &str = "s.account_id, s.project_id, s.state, s.currency, s.in_debt, s.prepaid_only, s.spend_cap, \
    s.own_credit, s.shared_credit, s.others_need, s.others_rate, s.unbilled, s.spent, s.reserved, s.accrual, \
    s.conversion, s.burn, s.instances, s.storages, s.options, s.restricted, s.cap_reached, s.exhausted, s.unrated, \
    s.through_at, s.valid_until, s.instance_quota, s.storage_quota, s.option_quota";
const CONTEXT: &str = "(SELECT version FROM catalogue_version WHERE id = 1), \
    (SELECT offset_micros FROM sandbox_clock WHERE id = 1)";

/// The standings of `keys`, those that exist, in one statement.
pub(crate) async fn of_keys(kept: &Kept, keys: &[Key]) -> Result<HashMap<Key, Found>, DbErr> {
    debug_assert!(keys.len() <= KEYS_MAX, "the caller bounds its batches");
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let question =
        if kept.backend() == DbBackend::Postgres { of_keys_postgres(keys) } else { of_keys_sqlite(keys) };
    let rows = kept.rows(question).await?;
    rows.iter().map(found).collect()
}

fn of_keys_postgres(keys: &[Key]) -> Question<'static> {
    let text = format!(
        "SELECT {COLUMNS}, {CONTEXT} FROM unnest($1::uuid[], $2::uuid[]) AS w (account_id, project_id) \
         JOIN funding_standing s ON s.account_id = w.account_id AND s.project_id = w.project_id"
    );
    let accounts: Vec<Uuid> = keys.iter().map(|(account, _)| account.uuid()).collect();
    let projects: Vec<Uuid> = keys.iter().map(|(_, project)| project.uuid()).collect();
    Question::Postgres(sqlx::query(AssertSqlSafe(text)).bind(accounts).bind(projects))
}

fn of_keys_sqlite(keys: &[Key]) -> Question<'static> {
    // A statement for each power of two, so that each is prepared once: the last key fills what is left over.
    let padded = keys.len().next_power_of_two();
    let places = (0..padded).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2)).collect::<Vec<_>>();
    let text = format!(
        "WITH w (account_id, project_id) AS (VALUES {}) SELECT {COLUMNS}, {CONTEXT} \
         FROM w CROSS JOIN funding_standing s ON s.account_id = w.account_id AND s.project_id = w.project_id",
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(text));
    for (account, project) in keys.iter().chain(keys.iter().last().into_iter().cycle()).take(padded) {
        query = query.bind(account.uuid()).bind(project.uuid());
    }
    Question::Sqlite(query)
}

/// The standings of `accounts`, as the transaction sees them, each with the instant it is due at: of those every
/// project of which has one.
pub(crate) async fn complete_of(
    tx: &Tx,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Vec<(Standing, Instant)>>, DbErr> {
    let text = |count| {
        format!(
            "SELECT {COLUMNS}, (SELECT COUNT(*) FROM project p WHERE p.account_id = s.account_id), s.due_at \
             FROM funding_standing s WHERE s.account_id IN ({}) ORDER BY s.account_id, s.project_id",
            places(1, count)
        )
    };
    let mut complete: HashMap<AccountId, (i64, Vec<(Standing, Instant)>)> = HashMap::new();
    for row in of_accounts(tx, accounts, text).await? {
        let standing = standing(&row)?;
        let (projects, due): (i64, At) = (row.try_get_by_index(29)?, row.try_get_by_index(30)?);
        complete.entry(standing.account).or_insert((projects, Vec::new())).1.push((standing, due.into()));
    }
    complete.retain(|_, (projects, standings)| i64::try_from(standings.len()) == Ok(*projects));
    Ok(complete.into_iter().map(|(account, (_, standings))| (account, standings)).collect())
}

fn found(row: &QueryResult) -> Result<(Key, Found), DbErr> {
    let standing = standing(row)?;
    let (catalogue_version, clock_offset): (i64, Option<i64>) =
        (row.try_get_by_index(29)?, row.try_get_by_index(30)?);
    let found = Found { clock_offset: clock_offset.unwrap_or_default(), catalogue_version, standing };
    Ok(((found.standing.account, found.standing.project), found))
}

/// The first columns of a row are [`COLUMNS`].
fn standing(row: &QueryResult) -> Result<Standing, DbErr> {
    match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
        (Some(row), _) => standing_of(row),
        (None, Some(row)) => standing_of(row),
        (None, None) => Err(CorruptRow::new(TABLE, "of no backend that is known").into()),
    }
}

fn standing_of<R: Row>(row: &R) -> Result<Standing, DbErr>
where
    usize: sqlx::ColumnIndex<R>,
    for<'r> Uuid: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> &'r str: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> bool: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> DateTimeUtc: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let failed = |error: sqlx::Error| DbErr::Query(RuntimeErr::SqlxError(error.into()));
    let corrupt = |reason: &str| DbErr::from(CorruptRow::new(TABLE, reason));
    let number = |index: usize| row.try_get::<i64, _>(index).map_err(failed);
    let flag = |index: usize| row.try_get::<bool, _>(index).map_err(failed);
    let quota = |index: usize| row.try_get::<Option<i64>, _>(index).map_err(failed);
    let text = |index: usize| row.try_get::<&str, _>(index).map_err(failed);
    let id = |index: usize| row.try_get::<Uuid, _>(index).map_err(failed);
    let rate = |index: usize| text(index).and_then(|text| read_rate(text).map_err(DbErr::from));
    let at = |index: usize| row.try_get::<DateTimeUtc, _>(index).map(Instant::new).map_err(failed);
    Ok(Standing {
        account: AccountId::from_uuid(id(0)?),
        project: ProjectId::from_uuid(id(1)?),
        state: ProjectState::parse(text(2)?).ok_or_else(|| corrupt("unknown state"))?,
        currency: Currency::parse(text(3)?).map_err(|_| corrupt("unknown currency"))?,
        in_debt: flag(4)?,
        prepaid_only: flag(5)?,
        spend_cap: row.try_get::<Option<i64>, _>(6).map_err(failed)?,
        own: number(7)?,
        shared: number(8)?,
        others: number(9)?,
        others_rate: rate(10)?,
        unbilled: number(11)?,
        spent: number(12)?,
        reserved: number(13)?,
        accrual: rate(14)?,
        conversion: rate(15)?,
        burn: rate(16)?,
        in_use: [number(17)?, number(18)?, number(19)?],
        restricted: read_restricted(text(20)?)?,
        cap_reached: flag(21)?,
        exhausted: flag(22)?,
        unrated: flag(23)?,
        through: at(24)?,
        valid_until: at(25)?,
        quotas: [quota(26)?, quota(27)?, quota(28)?],
    })
}

fn read_rate(text: &str) -> Result<HourlyRate, CorruptRow> {
    if text == "0" {
        return Ok(HourlyRate::ZERO);
    }
    let value: Rate = text.parse().map_err(CorruptRow::of(TABLE))?;
    HourlyRate::read(value.0).ok_or_else(|| CorruptRow::new(TABLE, "a rate out of range"))
}

fn rate_text(rate: HourlyRate) -> Result<String, CorruptRow> {
    let value = rate.value().ok_or_else(|| CorruptRow::new(TABLE, "a rate with too many digits"))?;
    Ok(Rate(value).to_string())
}

/// Own and shared credit by set, then for each family: unbilled, reserved, accrual, conversion; by spaces.
fn restricted_text(restricted: Option<&Restricted>) -> Result<String, CorruptRow> {
    let Some(restricted) = restricted else { return Ok(String::new()) };
    let amounts = restricted.own.iter().chain(&restricted.shared);
    let mut words: Vec<String> = amounts.map(i64::to_string).collect();
    for place in 0..PlanFamily::COUNT {
        words.push(restricted.unbilled[place].to_string());
        words.push(restricted.reserved[place].to_string());
        words.push(rate_text(restricted.accrual[place])?);
        words.push(rate_text(restricted.conversion[place])?);
    }
    Ok(words.join(" "))
}

fn read_restricted(text: &str) -> Result<Option<Box<Restricted>>, CorruptRow> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut words = text.split(' ');
    let mut next = || words.next().ok_or_else(|| CorruptRow::new(TABLE, "too few figures by family"));
    let mut restricted = Restricted::default();
    for set in 0..SETS {
        restricted.own[set] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
    }
    for set in 0..SETS {
        restricted.shared[set] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
    }
    for place in 0..PlanFamily::COUNT {
        restricted.unbilled[place] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
        restricted.reserved[place] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
        restricted.accrual[place] = read_rate(next()?)?;
        restricted.conversion[place] = read_rate(next()?)?;
    }
    Ok(Some(Box::new(restricted)))
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

fn binds(standing: &Standing, due: Instant) -> Result<[Value; 30], DbErr> {
    let [instances, storages, options] = standing.in_use;
    let [instance_quota, storage_quota, option_quota] = standing.quotas;
    Ok([
        standing.account.into(),
        standing.project.into(),
        standing.state.as_str().into(),
        standing.currency.code().into(),
        standing.in_debt.into(),
        standing.prepaid_only.into(),
        standing.spend_cap.into(),
        standing.own.into(),
        standing.shared.into(),
        standing.others.into(),
        rate_text(standing.others_rate)?.into(),
        standing.unbilled.into(),
        standing.spent.into(),
        standing.reserved.into(),
        rate_text(standing.accrual)?.into(),
        rate_text(standing.conversion)?.into(),
        rate_text(standing.burn)?.into(),
        instances.into(),
        storages.into(),
        options.into(),
        restricted_text(standing.restricted.as_deref())?.into(),
        standing.cap_reached.into(),
        standing.exhausted.into(),
        standing.unrated.into(),
        At::from(standing.through).into(),
        At::from(standing.valid_until).into(),
        At::from(due).into(),
        instance_quota.into(),
        storage_quota.into(),
        option_quota.into(),
    ])
}

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
