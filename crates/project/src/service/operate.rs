//! What operators and control planes do to one project: suspend, let resume, acknowledge (R4.3, R9.2).

use florin_credit::ProjectId;
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    etag,
    id::AccountId,
    outbox,
    wire::{account_name, timestamp},
};
use florin_settlement::Instant;

use super::{query, suspend};
use crate::{
    domain::{
        life::{Acknowledgement, SuspensionCause},
        project::{Moved, Project},
    },
    error::Error,
    events::ProjectSuspensionAcknowledged,
    store,
};

/// Suspends the project for `reason`, whether or not a debt does so as well.
pub(crate) async fn suspend_project(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: (AccountId, ProjectId),
    reason: &str,
    given_etag: &str,
) -> Result<Project, Error> {
    let project = locked(tx, call, named, given_etag).await?;
    match project.suspend_by_operator(reason.to_owned(), at) {
        Moved::Now(project) => {
            let told = std::slice::from_ref(&project);
            suspend::suspended(tx, at, call, told, SuspensionCause::Operator).await?;
            Ok(project)
        }
        Moved::Before(_) => Err(Error::AlreadySuspended),
        Moved::Impossible(project) => Err(Error::NotActive(project.state)),
    }
}

/// Lifts an operator's suspension.
pub(crate) async fn resume_project(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: (AccountId, ProjectId),
    given_etag: &str,
) -> Result<Project, Error> {
    let project = locked(tx, call, named, given_etag).await?;
    match project.lift(SuspensionCause::Operator, at) {
        Moved::Now(project) => {
            let told = std::slice::from_ref(&project);
            suspend::lifted(tx, at, call, told, SuspensionCause::Operator).await?;
            Ok(project)
        }
        Moved::Before(project) | Moved::Impossible(project) => Err(Error::NotSuspended(project.state)),
    }
}

/// A control plane has stopped what it runs in the project. What it said first stands.
pub(crate) async fn acknowledge(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: (AccountId, ProjectId),
) -> Result<(Project, Acknowledgement), Error> {
    let project = locked(tx, call, named, "").await?;
    let Some(suspension) = &project.suspension else { return Err(Error::NotSuspended(project.state)) };
    let (account, since, service) = (project.account, suspension.since, call.principal.to_string());
    let said = store::acknowledgement::list(tx, account, project.id, since).await?;
    if let Some(before) = said.into_iter().find(|said| said.service == service) {
        return Ok((project, before));
    }
    let said = Acknowledgement { service, since, at };
    store::acknowledgement::insert(tx, named, &said).await?;
    let name = project.resource_name();
    audit::record(tx, at, call, account, &name).await?;
    let fact = ProjectSuspensionAcknowledged {
        project: name,
        suspend_time: Some(timestamp(since)),
        service: said.service.clone(),
    };
    outbox::append(tx, at, account, &fact).await?;
    Ok((project, said))
}

/// Lets an account have `limit` live projects; how many it has.
pub(crate) async fn set_project_limit(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    limit: u32,
    given_etag: &str,
) -> Result<u32, Error> {
    if !call.may_see(account) {
        return Err(Error::NotFound(account_name(account)));
    }
    florin_account::lock(tx, &[account]).await?;
    florin_account::set_project_limit(tx, at, call, account, limit, given_etag).await?;
    Ok(store::project::counts(tx, account).await?.live)
}

/// The project, its account locked, as the caller has seen it.
pub(crate) async fn locked(
    tx: &Tx,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    given_etag: &str,
) -> Result<Project, Error> {
    query::reach(tx, call, account, project).await?;
    florin_account::lock(tx, &[account]).await?;
    let project = query::owned(tx, call, account, project).await?;
    let name = project.resource_name();
    if etag::allows(given_etag, &name, project.version) {
        Ok(project)
    } else {
        Err(Error::EtagMismatch(name))
    }
}
