//! The customer's way to the end of a project, in two steps (R4.6).
//!
//! | step | refused | leaves |
//! |---|---|---|
//! | request | a debt, another token less than a minute ago | a mailed token; the one before is dead |
//! | withdraw | no live token | a dead token |
//! | confirm | a wrong token, which is counted; a debt; an order that is just being paid | a DELETING project |

use florin_credit::ProjectId;
use florin_platform::{
    Platform, audit,
    call::Call,
    db::{Reader, Tx},
    id::AccountId,
    notice, outbox,
    wire::timestamp,
};
use florin_settlement::Instant;

use super::{delete, operate::locked};
use crate::{
    domain::{
        deletion_request::{DeletionRequest, Tried, purpose},
        life::DeletionCause,
        project::{Project, ProjectState},
    },
    error::Error,
    events::{ProjectDeletionRequested, ProjectDeletionWithdrawn},
    notices,
    ports::DebtStanding,
    store,
};

/// Mails a token to the project's account; the project, and until when the token is good.
pub(crate) async fn request(
    platform: &Platform,
    tx: &Tx,
    debts: &dyn DebtStanding,
    at: Instant,
    call: &Call,
    named: (AccountId, ProjectId),
    given_etag: &str,
) -> Result<(Project, Instant), Error> {
    let project = locked(tx, call, named, given_etag).await?;
    may_be_deleted(tx, debts, &project).await?;
    let before = store::deletion::find(tx, named.0, named.1).await?;
    let wait = before.as_ref().map(|before| before.wait(at)).unwrap_or_default();
    if !wait.is_zero() {
        return Err(Error::DeletionRequestedTooSoon { wait });
    }
    let request = DeletionRequest::after(before.as_ref(), &platform.key, named, at);
    store::deletion::save(tx, named, &request).await?;
    let name = project.resource_name();
    audit::record(tx, at, call, named.0, &name).await?;
    let fact = ProjectDeletionRequested { project: name, expire_time: Some(timestamp(request.expires)) };
    outbox::append(tx, at, named.0, &fact).await?;
    if let Some(owner) = florin_account::find(tx, named.0).await? {
        let purpose = purpose(named.0, named.1, request.generation);
        let told = notices::deletion_token(&owner, &project, request.expires, purpose);
        notice::raise(tx, at, named.0, &told).await?;
    }
    Ok((project, request.expires))
}

/// The mailed token is dead.
pub(crate) async fn withdraw(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: (AccountId, ProjectId),
) -> Result<Project, Error> {
    let project = locked(tx, call, named, "").await?;
    let request = store::deletion::find(tx, named.0, named.1).await?.filter(|request| request.is_open(at));
    let request = request.ok_or(Error::DeletionNotRequested)?;
    store::deletion::save(tx, named, &request.withdrawn()).await?;
    let name = project.resource_name();
    audit::record(tx, at, call, named.0, &name).await?;
    outbox::append(tx, at, named.0, &ProjectDeletionWithdrawn { project: name }).await?;
    Ok(project)
}

/// Deletes the project if `token` is the one that was mailed last. The inner refusal leaves its trace: a
/// wrong try is counted.
pub(crate) async fn confirm(
    tx: &Tx,
    debts: &dyn DebtStanding,
    at: Instant,
    call: &Call,
    named: (AccountId, ProjectId),
    token: &str,
) -> Result<Result<Project, Error>, Error> {
    let project = locked(tx, call, named, "").await?;
    is_running(&project)?;
    let request = store::deletion::find(tx, named.0, named.1).await?.ok_or(Error::DeletionNotRequested)?;
    match request.attempt(token, at) {
        Tried::Right(_) => {}
        Tried::Wrong(trace) => {
            store::deletion::save(tx, named, &trace).await?;
            return Ok(Err(Error::DeletionTokenWrong));
        }
        Tried::Expired => return Err(Error::DeletionTokenExpired),
        Tried::Dead => return Err(Error::DeletionNotRequested),
    }
    may_be_deleted(tx, debts, &project).await?;
    let state = project.state;
    let mut begun = delete::begin(tx, at, call, vec![project], DeletionCause::Customer).await?;
    begun.pop().ok_or(Error::NotLive(state)).map(Ok)
}

/// A customer deletes what runs, and owes nothing (R9.3).
async fn may_be_deleted(tx: &Tx, debts: &dyn DebtStanding, project: &Project) -> Result<(), Error> {
    is_running(project)?;
    if debts.has_debt(Reader::Within(tx), project.account).await? {
        return Err(Error::DebtUnpaid);
    }
    Ok(())
}

fn is_running(project: &Project) -> Result<(), Error> {
    match project.state {
        ProjectState::Active | ProjectState::Suspended => Ok(()),
        ProjectState::PendingFunding => Err(Error::NotActive(project.state)),
        ProjectState::Deleting | ProjectState::Deleted | ProjectState::Canceled => {
            Err(Error::NotLive(project.state))
        }
    }
}
