//! Quotas: read, raised by operators, and enforced where resources are added (R4.7).

use florin_credit::ProjectId;
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, outbox};
use florin_settlement::{Instant, PlanFamily};
use sea_orm::{ConnectionTrait, DbErr};

use super::{operate::locked, query};
use crate::{
    convert::plan::wire_family,
    domain::{project::Project, quota::Quota},
    error::Error,
    events::QuotaChanged,
    store,
};

/// What the project may hold of each family, and holds.
///
/// # Errors
/// [`DbErr`].
pub async fn of_project(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Vec<Quota>, DbErr> {
    store::quota::of_project(connection, account, project).await
}

/// Lets one more resource of `family` into a project whose account is locked: nobody else adds meanwhile.
pub(crate) async fn admit(tx: &Tx, project: &Project, family: PlanFamily) -> Result<(), Error> {
    match of_family(of_project(tx, project.account, project.id).await?, family) {
        Some(quota) if !quota.has_room() => Err(Error::QuotaExceeded(quota)),
        Some(_) | None => Ok(()),
    }
}

/// Lets a project hold `limit` resources of `family`.
pub(crate) async fn set(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: (AccountId, ProjectId),
    family: PlanFamily,
    limit: u32,
) -> Result<(Project, Quota), Error> {
    let project = locked(tx, call, named, "").await?;
    if !project.state.is_live() {
        return Err(Error::NotLive(project.state));
    }
    store::quota::set(tx, named, family, limit, at).await?;
    let name = project.resource_name();
    audit::record(tx, at, call, named.0, &name).await?;
    let fact =
        QuotaChanged { project: name.clone(), family: wire_family(family).into(), limit: i64::from(limit) };
    outbox::append(tx, at, named.0, &fact).await?;
    let quota = of_family(of_project(tx, named.0, named.1).await?, family);
    Ok((project, quota.ok_or(Error::NotFound(name))?))
}

/// The quotas of a project the caller reaches.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    call: &Call,
    (account, project): (AccountId, ProjectId),
) -> Result<(Project, Vec<Quota>), Error> {
    let project = query::owned(connection, call, account, project).await?;
    let quotas = of_project(connection, account, project.id).await?;
    Ok((project, quotas))
}

fn of_family(quotas: Vec<Quota>, family: PlanFamily) -> Option<Quota> {
    quotas.into_iter().find(|quota| quota.family == family)
}
