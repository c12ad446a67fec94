//! Rows of projects.

use florin_credit::{OrderId, ProjectId};
use florin_payment::PaymentMethodId;
use florin_platform::{
    column::{At, Code, CorruptRow},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set as Rows, among},
};
use florin_settlement::{Instant, Month, Period};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, FromQueryResult, Iterable, QueryOrder, QuerySelect, Set,
    entity::prelude::*,
};

use super::usage_month::number_of;
use crate::domain::{
    life::{Deletion, DeletionCause, OperatorSuspension, Suspension},
    project::{Funding, Project, ProjectName, ProjectState},
    usage::BillableProject,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "project")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: ProjectId,
    display_name: String,
    state: String,
    funding: String,
    funding_id: Option<Uuid>,
    currency: Code,
    version: i64,
    created_at: At,
    activated_at: Option<At>,
    updated_at: At,
    suspended_at: Option<At>,
    operator_suspended_at: Option<At>,
    operator_suspension_reason: Option<String>,
    debt_suspended_at: Option<At>,
    deletion_cause: Option<String>,
    metering_stopped_at: Option<At>,
    grace_ends_at: Option<At>,
    deleted_at: Option<At>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "project";
const NOT_ASKED: &str = "NOT_ASKED";
const PAYMENT_METHOD: &str = "PAYMENT_METHOD";
const CREDIT_ORDER: &str = "CREDIT_ORDER";
const VOUCHER: &str = "VOUCHER";
const LAUNCHPAD: &str = "LAUNCHPAD";

impl TryFrom<Model> for Project {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        let (suspension, deletion) = (suspension(&row)?, deletion(&row)?);
        Ok(Self {
            account: row.account_id,
            id: row.id,
            name: ProjectName::parse(&row.display_name).map_err(CorruptRow::of(TABLE))?,
            state: ProjectState::parse(&row.state).ok_or_else(|| CorruptRow::new(TABLE, "unknown state"))?,
            funding: funding(&row.funding, row.funding_id)?,
            currency: row.currency.0,
            version: row.version,
            created: row.created_at.into(),
            activated: row.activated_at.map(Into::into),
            suspension,
            deletion,
            updated: row.updated_at.into(),
        })
    }
}

fn suspension(row: &Model) -> Result<Option<Suspension>, CorruptRow> {
    let Some(since) = row.suspended_at else { return Ok(None) };
    let by_operator = match (row.operator_suspended_at, &row.operator_suspension_reason) {
        (Some(at), Some(reason)) => Some(OperatorSuspension { at: at.into(), reason: reason.clone() }),
        (None, None) => None,
        (_, _) => return Err(CorruptRow::new(TABLE, "half a suspension")),
    };
    let for_debt = row.debt_suspended_at.map(Into::into);
    Ok(Some(Suspension { since: since.into(), by_operator, for_debt }))
}

fn deletion(row: &Model) -> Result<Option<Deletion>, CorruptRow> {
    let Some(cause) = &row.deletion_cause else { return Ok(None) };
    let cause =
        DeletionCause::parse(cause).ok_or_else(|| CorruptRow::new(TABLE, "unknown cause of deletion"))?;
    let (Some(stopped), Some(grace_ends)) = (row.metering_stopped_at, row.grace_ends_at) else {
        return Err(CorruptRow::new(TABLE, "half a deletion"));
    };
    let finished = row.deleted_at.map(Into::into);
    Ok(Some(Deletion { cause, stopped: stopped.into(), grace_ends: grace_ends.into(), finished }))
}

fn funding(kind: &str, id: Option<Uuid>) -> Result<Funding, CorruptRow> {
    match (kind, id) {
        (NOT_ASKED, None) => Ok(Funding::NotAsked),
        (PAYMENT_METHOD, Some(id)) => Ok(Funding::PaymentMethod(PaymentMethodId::from_uuid(id))),
        (CREDIT_ORDER, Some(id)) => Ok(Funding::CreditOrder(OrderId::from_uuid(id))),
        (VOUCHER, None) => Ok(Funding::Voucher),
        (LAUNCHPAD, None) => Ok(Funding::LaunchPad),
        (_, _) => Err(CorruptRow::new(TABLE, "unknown funding")),
    }
}

fn active(project: &Project) -> ActiveModel {
    let (funding, funding_id) = match project.funding {
        Funding::NotAsked => (NOT_ASKED, None),
        Funding::PaymentMethod(method) => (PAYMENT_METHOD, Some(method.uuid())),
        Funding::CreditOrder(order) => (CREDIT_ORDER, Some(order.uuid())),
        Funding::Voucher => (VOUCHER, None),
        Funding::LaunchPad => (LAUNCHPAD, None),
    };
    let suspension = project.suspension.as_ref();
    let operator = suspension.and_then(|suspension| suspension.by_operator.as_ref());
    let deletion = project.deletion;
    ActiveModel {
        account_id: Set(project.account),
        id: Set(project.id),
        display_name: Set(project.name.as_str().to_owned()),
        state: Set(project.state.as_str().to_owned()),
        funding: Set(funding.to_owned()),
        funding_id: Set(funding_id),
        currency: Set(Code(project.currency)),
        version: Set(project.version),
        created_at: Set(project.created.into()),
        activated_at: Set(project.activated.map(Into::into)),
        updated_at: Set(project.updated.into()),
        suspended_at: Set(suspension.map(|suspension| suspension.since.into())),
        operator_suspended_at: Set(operator.map(|operator| operator.at.into())),
        operator_suspension_reason: Set(operator.map(|operator| operator.reason.clone())),
        debt_suspended_at: Set(suspension.and_then(|suspension| suspension.for_debt).map(Into::into)),
        deletion_cause: Set(deletion.map(|deletion| deletion.cause.as_str().to_owned())),
        metering_stopped_at: Set(deletion.map(|deletion| deletion.stopped.into())),
        grace_ends_at: Set(deletion.map(|deletion| deletion.grace_ends.into())),
        deleted_at: Set(deletion.and_then(|deletion| deletion.finished).map(Into::into)),
    }
}

pub(crate) async fn insert(tx: &Tx, project: &Project) -> Result<(), DbErr> {
    tx.touch(project.account);
    Entity::insert(active(project)).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn save(tx: &Tx, project: &Project) -> Result<(), DbErr> {
    tx.touch(project.account);
    Entity::update(active(project)).exec(tx).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: ProjectId,
) -> Result<Option<Project>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    Ok(row.map(Project::try_from).transpose()?)
}

/// An account's projects in any of `states` (all if none is named) after `after`, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    states: &[ProjectState],
    after: Option<ProjectId>,
    fetch: u64,
) -> Result<Vec<Project>, DbErr> {
    let mut query =
        Entity::find().filter(Column::AccountId.eq(account)).order_by_asc(Column::Id).limit(fetch);
    if !states.is_empty() {
        query = query.filter(Column::State.is_in(states.iter().map(|state| state.as_str())));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    read(query.all(connection).await?)
}

/// Every project of the account that waits for its funding, oldest first.
pub(crate) async fn pending_of(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<Project>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::State.eq(ProjectState::PendingFunding.as_str()));
    read(query.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(connection).await?)
}

/// The projects of `accounts` in any of `states`, by account, oldest first.
pub(crate) async fn of_accounts(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
    states: &[ProjectState],
) -> Result<Vec<Project>, DbErr> {
    let mut found = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX - states.len()) {
        let query = Entity::find()
            .filter(Column::AccountId.is_in(chunk.iter().copied()))
            .filter(Column::State.is_in(states.iter().map(|state| state.as_str())))
            .order_by_asc(Column::AccountId)
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id);
        found.extend(read(query.all(connection).await?)?);
    }
    Ok(found)
}

/// Those of `keys` that exist, in one query.
pub(crate) async fn of_keys(
    connection: &impl ConnectionTrait,
    keys: &[(AccountId, ProjectId)],
) -> Result<Vec<Project>, DbErr> {
    let mut wanted = Rows::new([("account_id", Kind::Uuid), ("project_id", Kind::Uuid)], keys.len());
    for (account, project) in keys {
        wanted.push([(*account).into(), (*project).into()]);
    }
    let columns =
        Column::iter().map(|column| format!("p.{}", column.as_str())).collect::<Vec<_>>().join(", ");
    let text = |rows: &str| {
        format!(
            "SELECT {columns} FROM {rows} JOIN project p ON p.account_id = v.account_id AND p.id = v.project_id"
        )
    };
    let rows = wanted.read(connection, text).await?;
    read(rows.iter().map(|row| Model::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

/// What [`save_all`] keeps of a project: where it is in its life. The key first.
const LIFE_COLUMNS: [&str; 13] = [
    "account_id",
    "id",
    "state",
    "version",
    "updated_at",
    "suspended_at",
    "operator_suspended_at",
    "operator_suspension_reason",
    "debt_suspended_at",
    "deletion_cause",
    "metering_stopped_at",
    "grace_ends_at",
    "deleted_at",
];

/// Keeps where each of `projects` is in its life, in one statement for all of them.
pub(crate) async fn save_all(tx: &Tx, projects: &[Project]) -> Result<(), DbErr> {
    projects.iter().for_each(|project| tx.touch(project.account));
    let width = LIFE_COLUMNS.len();
    let set: Vec<String> = (2..width).map(|n| format!("{} = v.column{}", LIFE_COLUMNS[n], n + 1)).collect();
    for chunk in projects.chunks(BINDS_MAX / width) {
        let rows = (0..chunk.len()).map(|row| {
            let places = (1..=width).map(|n| format!("${}", row * width + n)).collect::<Vec<_>>();
            format!("({})", places.join(", "))
        });
        let text = format!(
            "UPDATE project SET {} FROM (VALUES {}) AS v \
             WHERE project.account_id = v.column1 AND project.id = v.column2",
            set.join(", "),
            rows.collect::<Vec<_>>().join(", ")
        );
        tx.execute_raw(sql(tx, &text, chunk.iter().flat_map(life_values))).await?;
    }
    Ok(())
}

fn life_values(project: &Project) -> [Value; 13] {
    let suspension = project.suspension.as_ref();
    let operator = suspension.and_then(|suspension| suspension.by_operator.as_ref());
    let deletion = project.deletion;
    [
        project.account.into(),
        project.id.into(),
        project.state.as_str().into(),
        project.version.into(),
        At::from(project.updated).into(),
        suspension.map(|suspension| At::from(suspension.since)).into(),
        operator.map(|operator| At::from(operator.at)).into(),
        operator.map(|operator| operator.reason.clone()).into(),
        suspension.and_then(|suspension| suspension.for_debt).map(At::from).into(),
        deletion.map(|deletion| deletion.cause.as_str().to_owned()).into(),
        deletion.map(|deletion| At::from(deletion.stopped)).into(),
        deletion.map(|deletion| At::from(deletion.grace_ends)).into(),
        deletion.and_then(|deletion| deletion.finished).map(At::from).into(),
    ]
}

/// Deleting projects whose grace has ended at `at`, in the order of their end; at most `limit`.
pub(crate) async fn due_for_final(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<Project>, DbErr> {
    let query = Entity::find()
        .filter(Column::State.eq(ProjectState::Deleting.as_str()))
        .filter(Column::GraceEndsAt.lte(At::from(at)))
        .order_by_asc(Column::GraceEndsAt)
        .order_by_asc(Column::AccountId)
        .order_by_asc(Column::Id)
        .limit(u64::from(limit));
    read(query.all(connection).await?)
}

/// When the next grace ends.
pub(crate) async fn next_final(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT grace_ends_at FROM project WHERE state = 'DELETING' ORDER BY grace_ends_at LIMIT 1";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    row.map(|row| row.try_get_by_index::<At>(0).map(Into::into)).transpose()
}

fn read(rows: Vec<Model>) -> Result<Vec<Project>, DbErr> {
    Ok(rows.into_iter().map(Project::try_from).collect::<Result<_, _>>()?)
}

/// How many projects an account has and had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that take a place.
    pub(crate) live: u32,
    /// Those that have ever become ACTIVE.
    pub(crate) ever_active: u32,
    /// All of them.
    pub(crate) total: u64,
}

pub(crate) async fn counts(connection: &impl ConnectionTrait, account: AccountId) -> Result<Counts, DbErr> {
    let live: Vec<String> = ProjectState::ALL
        .into_iter()
        .filter(|state| state.takes_a_place())
        .map(|state| format!("'{}'", state.as_str()))
        .collect();
    let text = format!(
        "SELECT CAST(COALESCE(SUM(CASE WHEN state IN ({}) THEN 1 ELSE 0 END), 0) AS bigint), \
         CAST(COUNT(activated_at) AS bigint), CAST(COUNT(*) AS bigint) FROM project WHERE account_id = $1",
        live.join(", ")
    );
    let row = connection
        .query_one_raw(sql(connection, &text, [account.into()]))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("a count".to_owned()))?;
    let (live, ever_active, total): (i64, i64, i64) =
        (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
    Ok(Counts {
        live: u32::try_from(live).map_err(CorruptRow::of(TABLE))?,
        ever_active: u32::try_from(ever_active).map_err(CorruptRow::of(TABLE))?,
        total: u64::try_from(total).map_err(CorruptRow::of(TABLE))?,
    })
}

/// Projects of `accounts` that held something in `period`, or of which something measured is due with its last month,
/// and that do not end before `settlement`; the first `limit` in settlement order (R7.7).
pub(crate) async fn billable(
    connection: &impl ConnectionTrait,
    period: Period,
    settlement: Instant,
    accounts: &[AccountId],
    limit: u32,
) -> Result<Vec<BillableProject>, DbErr> {
    let mut found = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let (is_billable, values) = is_billable(connection.get_database_backend(), period, settlement, chunk);
        let text = format!(
            "SELECT p.account_id, p.created_at, p.id FROM project p WHERE {is_billable} \
             ORDER BY p.account_id, p.created_at, p.id LIMIT ${}",
            values.len() + 1
        );
        let open = i64::from(limit).saturating_sub_unsigned(found.len() as u64);
        let values = values.into_iter().chain([open.into()]);
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let created: At = row.try_get_by_index(1)?;
            found.push(BillableProject {
                account: row.try_get_by_index(0)?,
                created: created.into(),
                project: row.try_get_by_index(2)?,
            });
        }
    }
    Ok(found)
}

/// How many projects [`billable`] finds without a limit.
pub(crate) async fn billable_count(
    connection: &impl ConnectionTrait,
    period: Period,
    settlement: Instant,
    accounts: &[AccountId],
) -> Result<i64, DbErr> {
    let mut count = 0;
    for chunk in accounts.chunks(BINDS_MAX) {
        let (is_billable, values) = is_billable(connection.get_database_backend(), period, settlement, chunk);
        let text = format!("SELECT CAST(COUNT(*) AS bigint) FROM project p WHERE {is_billable}");
        let row = connection.query_one_raw(sql(connection, &text, values)).await?;
        count += row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
    }
    Ok(count)
}

/// The condition of [`billable`] on a project `p`, and what is bound in it.
fn is_billable(
    backend: DbBackend,
    period: Period,
    settlement: Instant,
    accounts: &[AccountId],
) -> (String, Vec<Value>) {
    let (is_theirs, accounts) = among(backend, "p.account_id", 4, accounts);
    let last = Month::of(period.to().minus(std::time::Duration::from_micros(1)));
    // Without the OFFSET PostgreSQL would make a table of everybody's intervals for each page of projects.
    let text = format!(
        "{is_theirs} AND (p.grace_ends_at IS NULL OR p.grace_ends_at >= $3) \
         AND (EXISTS (SELECT 1 FROM resource_interval i \
            WHERE i.account_id = p.account_id AND i.project_id = p.id \
            AND i.started_at < $1 AND (i.ended_at IS NULL OR i.ended_at >= $2) LIMIT 1 OFFSET 0) \
         OR EXISTS (SELECT 1 FROM usage_month h WHERE h.account_id = p.account_id AND h.project_id = p.id \
            AND h.billed_with <= {} AND h.billed_with > COALESCE((SELECT MAX(c.month) FROM usage_closing c \
               WHERE c.account_id = p.account_id AND c.project_id = p.id), 0) LIMIT 1 OFFSET 0))",
        number_of(last)
    );
    let bounds = [period.to(), period.from(), settlement].map(|bound| At::from(bound).into());
    (text, bounds.into_iter().chain(accounts).collect())
}
