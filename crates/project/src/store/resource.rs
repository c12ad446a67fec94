//! Rows of resources and of what each held when.

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, CorruptRow, Rate},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, Quantity};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, QuerySelect, Set, entity::prelude::*};

use super::plan::code_of;
use crate::domain::{
    project::Project,
    rating::Held,
    resource::{Labels, Resource, ResourceId, ResourceState},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "resource")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: ResourceId,
    project_id: ProjectId,
    display_name: String,
    plan: String,
    size: Rate,
    region: String,
    labels: String,
    version: i64,
    created_at: At,
    removed_at: Option<At>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "resource";

impl TryFrom<Model> for Resource {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        Ok(Self {
            account: row.account_id,
            id: row.id,
            project: row.project_id,
            display_name: row.display_name,
            plan: code_of(&row.plan)?,
            size: size(row.size)?,
            region: row.region,
            labels: labels(&row.labels)?,
            version: row.version,
            created: row.created_at.into(),
            removed: row.removed_at.map(Into::into),
        })
    }
}

/// A size read back from a row.
pub(crate) fn size(rate: Rate) -> Result<Quantity, CorruptRow> {
    Quantity::try_new(rate.0).map_err(CorruptRow::of(TABLE))
}

/// Labels read back from a row.
pub(crate) fn labels(text: &str) -> Result<Labels, CorruptRow> {
    serde_json::from_str(text).map_err(CorruptRow::of(TABLE))
}

fn active(resource: &Resource) -> Result<ActiveModel, DbErr> {
    let labels = serde_json::to_string(&resource.labels).map_err(|error| DbErr::Json(error.to_string()))?;
    Ok(ActiveModel {
        account_id: Set(resource.account),
        id: Set(resource.id),
        project_id: Set(resource.project),
        display_name: Set(resource.display_name.clone()),
        plan: Set(resource.plan.as_str().to_owned()),
        size: Set(Rate(resource.size.value())),
        region: Set(resource.region.clone()),
        labels: Set(labels),
        version: Set(resource.version),
        created_at: Set(resource.created.into()),
        removed_at: Set(resource.removed.map(Into::into)),
    })
}

/// Adds the resource, and the interval it holds its plan from now on.
pub(crate) async fn insert(tx: &Tx, resource: &Resource) -> Result<Ordinal, DbErr> {
    tx.touch(resource.account);
    Entity::insert(active(resource)?).exec_without_returning(tx).await?;
    begin(tx, resource, Ordinal(1), resource.created).await
}

/// The place of an interval among those of its resource, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ordinal(pub(crate) i64);

/// Keeps that the resource goes on under another plan or size: ends the open interval at `at`, and begins
/// the next one there.
pub(crate) async fn change(tx: &Tx, resource: &Resource, at: Instant) -> Result<Ordinal, DbErr> {
    tx.touch(resource.account);
    Entity::update(active(resource)?).exec(tx).await?;
    end(tx, resource, at).await?;
    let text = "SELECT CAST(COALESCE(MAX(ordinal), 0) AS bigint) FROM resource_interval \
                WHERE account_id = $1 AND resource_id = $2";
    let values = [resource.account.into(), resource.id.into()];
    let row = tx.query_one_raw(sql(tx, text, values)).await?;
    let last: i64 = row.ok_or_else(|| DbErr::RecordNotFound(TABLE.to_owned()))?.try_get_by_index(0)?;
    begin(tx, resource, Ordinal(last + 1), at).await
}

/// Keeps what it is called and its labels.
pub(crate) async fn save(tx: &Tx, resource: &Resource) -> Result<(), DbErr> {
    tx.touch(resource.account);
    Entity::update(active(resource)?).exec(tx).await.map(|_| ())
}

/// Keeps the removal, and ends the open interval there.
pub(crate) async fn remove(tx: &Tx, resource: &Resource) -> Result<(), DbErr> {
    tx.touch(resource.account);
    Entity::update(active(resource)?).exec(tx).await?;
    match resource.removed {
        Some(removed) => end(tx, resource, removed).await,
        None => Ok(()),
    }
}

async fn begin(tx: &Tx, resource: &Resource, ordinal: Ordinal, at: Instant) -> Result<Ordinal, DbErr> {
    let text = "INSERT INTO resource_interval \
                (account_id, resource_id, ordinal, project_id, plan, size, started_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        resource.account.into(),
        resource.id.into(),
        ordinal.0.into(),
        resource.project.into(),
        resource.plan.as_str().into(),
        Rate(resource.size.value()).into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ordinal)
}

async fn end(tx: &Tx, resource: &Resource, at: Instant) -> Result<(), DbErr> {
    let text = "UPDATE resource_interval SET ended_at = CASE WHEN started_at > $3 THEN started_at ELSE $3 END \
                WHERE account_id = $1 AND resource_id = $2 AND ended_at IS NULL";
    let values = [resource.account.into(), resource.id.into(), At::from(at).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// When the first of all resources started.
pub(crate) async fn first_start(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(started_at) FROM resource_interval";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let first: Option<At> = row.map_or(Ok(None), |row| row.try_get_by_index(0))?;
    Ok(first.map(Into::into))
}

/// Everything a resource held, oldest first.
pub(crate) async fn history(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: ResourceId,
) -> Result<Vec<Held>, DbErr> {
    let text = "SELECT plan, size, started_at, ended_at FROM resource_interval \
                WHERE account_id = $1 AND resource_id = $2 ORDER BY ordinal";
    let rows = connection.query_all_raw(sql(connection, text, [account.into(), id.into()])).await?;
    rows.iter()
        .map(|row| {
            let (plan, rate): (String, Rate) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let (from, to): (At, Option<At>) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
            Ok(Held { plan: code_of(&plan)?, size: size(rate)?, from: from.into(), to: to.map(Into::into) })
        })
        .collect()
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    id: ResourceId,
) -> Result<Option<Resource>, DbErr> {
    let row = Entity::find_by_id((account, id)).filter(Column::ProjectId.eq(project)).one(connection).await?;
    Ok(row.map(Resource::try_from).transpose()?)
}

/// A project's resources in `state` (any if none is named) after `after`, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    state: Option<ResourceState>,
    after: Option<ResourceId>,
    fetch: u64,
) -> Result<Vec<Resource>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::ProjectId.eq(project))
        .order_by_asc(Column::Id)
        .limit(fetch);
    query = match state {
        Some(ResourceState::Active) => query.filter(Column::RemovedAt.is_null()),
        Some(ResourceState::Removed) => query.filter(Column::RemovedAt.is_not_null()),
        None => query,
    };
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let rows = query.all(connection).await?;
    Ok(rows.into_iter().map(Resource::try_from).collect::<Result<_, _>>()?)
}

/// Removes everything `projects` still hold at `at`, and ends its intervals there; what was removed.
pub(crate) async fn remove_all_of(
    tx: &Tx,
    projects: &[Project],
    at: Instant,
) -> Result<Vec<(AccountId, ProjectId, ResourceId)>, DbErr> {
    projects.iter().for_each(|project| tx.touch(project.account));
    let mut removed = Vec::new();
    for chunk in projects.chunks((BINDS_MAX - 1) / 2) {
        let keys = (0..chunk.len()).map(|n| format!("(${}, ${})", 2 * n + 2, 2 * n + 3)).collect::<Vec<_>>();
        let keys = keys.join(", ");
        let values = || {
            let keys = chunk.iter().flat_map(|project| [project.account.into(), project.id.into()]);
            [Value::from(At::from(at))].into_iter().chain(keys)
        };
        // Never before it began, whatever the clock says.
        let text = format!(
            "UPDATE resource_interval SET ended_at = CASE WHEN started_at > $1 THEN started_at ELSE $1 END \
             WHERE ended_at IS NULL AND (account_id, project_id) IN (VALUES {keys})"
        );
        tx.execute_raw(sql(tx, &text, values())).await?;
        let text = format!(
            "UPDATE resource SET version = version + 1, \
             removed_at = CASE WHEN created_at > $1 THEN created_at ELSE $1 END \
             WHERE removed_at IS NULL AND (account_id, project_id) IN (VALUES {keys}) \
             RETURNING account_id, project_id, id"
        );
        for row in tx.query_all_raw(sql(tx, &text, values())).await? {
            removed.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?));
        }
    }
    removed.sort_unstable();
    Ok(removed)
}
