//! Reads, also for the slices above.

use florin_account::rights::{self, Reach};
use florin_credit::ProjectId;
use florin_platform::{call::Call, id::AccountId, page::Page, violation::Violations, wire::account_name};
use florin_settlement::{Instant, Period};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        life::Acknowledgement,
        project::{Funding, Project, ProjectState, project_name},
        resource::{Resource, ResourceId, ResourceState, resource_name},
        usage::BillableProject,
    },
    error::Error,
    store,
};

/// The project, if it exists and belongs to `account`.
pub async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Option<Project>, DbErr> {
    store::project::find(connection, account, project).await
}

/// At most `limit` projects of `account`, oldest first, after `after`.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    after: Option<ProjectId>,
    limit: u32,
) -> Result<Vec<Project>, DbErr> {
    store::project::list(connection, account, &[], after, u64::from(limit)).await
}

/// The projects of `accounts` with something that may be due for `period` and is settled at `settlement`, in settlement
/// order: by account, and an account's by creation instant and id (R7.7); the first `limit` of them. A project is listed
/// when one of its resources was there in the period, even if what it held costs nothing, and when measured usage is due
/// with the period's last month, even if it came late and its resource is long gone; not when its final invoice is
/// settled earlier: what it used is billed there (R4.6).
pub async fn billable(
    connection: &impl ConnectionTrait,
    period: Period,
    settlement: Instant,
    accounts: &[AccountId],
    limit: u32,
) -> Result<Vec<BillableProject>, DbErr> {
    store::project::billable(connection, period, settlement, accounts, limit).await
}

/// How many projects [`billable`] lists without a limit.
pub async fn billable_count(
    connection: &impl ConnectionTrait,
    period: Period,
    settlement: Instant,
    accounts: &[AccountId],
) -> Result<i64, DbErr> {
    store::project::billable_count(connection, period, settlement, accounts).await
}

/// When anybody first had a resource, if somebody has had one.
pub async fn first_used(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    store::resource::first_start(connection).await
}

/// The project of `account` that waits for `order` to be paid, if one does (R4.3).
pub async fn pending_for_order(
    connection: &impl ConnectionTrait,
    account: AccountId,
    order: florin_credit::OrderId,
) -> Result<Option<Project>, DbErr> {
    let pending = store::project::pending_of(connection, account).await?;
    Ok(pending.into_iter().find(|project| project.funding == Funding::CreditOrder(order)))
}

/// Whether the account is funded: one of its projects has become ACTIVE (R4.2).
pub async fn is_funded(connection: &impl ConnectionTrait, account: AccountId) -> Result<bool, DbErr> {
    Ok(store::project::counts(connection, account).await?.ever_active > 0)
}

/// Whether anything of `account` exists for this caller, or NOT_FOUND of `name`. Asked before anything is
/// locked: nobody waits for a stranger. What belongs to a project is asked of [`reach`].
pub(crate) fn visible(call: &Call, account: AccountId, name: impl FnOnce() -> String) -> Result<(), Error> {
    if call.may_see(account) { Ok(()) } else { Err(Error::NotFound(name())) }
}

/// As what the caller reaches the project: its account, a service, or a guest with a right that lets this
/// call in (R4.5). To anybody else it does not exist.
pub(crate) async fn reach(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<Reach, Error> {
    let name = project_name(account, project);
    Ok(rights::reach(connection, call, account, &name, || name.clone()).await?)
}

/// As [`reach`], for something of the project that is called `name`.
pub(crate) async fn reach_part(
    connection: &impl ConnectionTrait,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    name: impl FnOnce() -> String,
) -> Result<Reach, Error> {
    Ok(rights::reach(connection, call, account, &project_name(account, project), name).await?)
}

/// The project, or NOT_FOUND, which is also what others' projects are.
pub(crate) async fn owned(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<Project, Error> {
    reach(connection, call, account, project).await?;
    let found = find(connection, account, project).await?;
    found.ok_or_else(|| Error::NotFound(project_name(account, project)))
}

/// The account, or NOT_FOUND, which is also what other customers' accounts are. No right on a project shows
/// the account it belongs to.
pub(crate) async fn owner(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
) -> Result<florin_account::Account, Error> {
    let name = || account_name(account);
    visible(call, account, name)?;
    florin_account::find(connection, account).await?.ok_or_else(|| Error::NotFound(name()))
}

/// The resource, or NOT_FOUND, which is also what others' resources are.
pub(crate) async fn owned_resource(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    project: ProjectId,
    resource: ResourceId,
) -> Result<Resource, Error> {
    let name = || resource_name(account, project, resource);
    reach_part(connection, call, (account, project), name).await?;
    store::resource::find(connection, account, project, resource)
        .await?
        .ok_or_else(|| Error::NotFound(name()))
}

/// The project, and which control planes have acknowledged the suspension it is in.
pub(crate) async fn acknowledgements(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<(Project, Vec<Acknowledgement>), Error> {
    let project = owned(connection, call, account, project).await?;
    let said = match &project.suspension {
        Some(suspension) => {
            store::acknowledgement::list(connection, account, project.id, suspension.since).await?
        }
        None => Vec::new(),
    };
    Ok((project, said))
}

/// A page of an account's projects in any of `states`, all of them if none is named.
pub(crate) async fn project_page(
    connection: &impl ConnectionTrait,
    account: AccountId,
    states: &[ProjectState],
    page: &Page,
) -> Result<Vec<Project>, Error> {
    let after = place(page, ProjectId::parse)?;
    Ok(store::project::list(connection, account, states, after, page.fetch()).await?)
}

/// A page of a project's resources in any of `states`, all of them if none is named.
pub(crate) async fn resource_page(
    connection: &impl ConnectionTrait,
    project: &Project,
    states: &[ResourceState],
    page: &Page,
) -> Result<Vec<Resource>, Error> {
    let after = place(page, ResourceId::parse)?;
    let state = match (states.contains(&ResourceState::Active), states.contains(&ResourceState::Removed)) {
        (true, false) => Some(ResourceState::Active),
        (false, true) => Some(ResourceState::Removed),
        (true, true) | (false, false) => None,
    };
    Ok(store::resource::list(connection, project.account, project.id, state, after, page.fetch()).await?)
}

fn place<I, E: std::fmt::Display>(
    page: &Page,
    parse: impl Fn(&str) -> Result<I, E>,
) -> Result<Option<I>, Error> {
    let after = page.after.as_deref().map(parse).transpose();
    after.map_err(|error| Error::Invalid(Violations::one("page_token", error)))
}
