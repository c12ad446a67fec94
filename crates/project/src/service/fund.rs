//! A pending project's funding comes, or fails (R4.3). Called by the slices that know of it, with the
//! account locked; every function may be called again and then changes nothing.

use florin_credit::ProjectId;
use florin_payment::PaymentMethodId;
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, outbox};
use florin_settlement::Instant;
use sea_orm::DbErr;

use crate::{
    domain::project::{Funding, Moved, Project},
    events::{ProjectActivated, ProjectCanceled},
    store,
};

/// The funding of `project` succeeded: PENDING_FUNDING → ACTIVE. `None` if there is no such project.
pub async fn activate(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<Option<Moved>, DbErr> {
    match store::project::find(tx, account, project).await? {
        Some(project) => activate_found(tx, at, call, project).await.map(Some),
        None => Ok(None),
    }
}

/// The funding of `project` failed for good: PENDING_FUNDING → CANCELED, which frees its place. `None` if
/// there is no such project.
pub async fn cancel_pending(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<Option<Moved>, DbErr> {
    match store::project::find(tx, account, project).await? {
        Some(project) => cancel_found(tx, at, call, project).await.map(Some),
        None => Ok(None),
    }
}

/// A method of the account became VALID: every project that waits for a method becomes ACTIVE, whichever
/// method it named, because an already VALID one counts (R4.2). The projects that did.
pub async fn activate_pending_of(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
) -> Result<Vec<Project>, DbErr> {
    let mut activated = Vec::new();
    for project in store::project::pending_of(tx, account).await? {
        let waits = match project.funding {
            Funding::PaymentMethod(_) => true,
            Funding::CreditOrder(_) | Funding::NotAsked | Funding::Voucher | Funding::LaunchPad => false,
        };
        if waits && let Moved::Now(project) = activate_found(tx, at, call, project).await? {
            activated.push(project);
        }
    }
    Ok(activated)
}

/// A method of the account never will be VALID: the projects that wait for this one are CANCELED. The
/// projects that were.
pub async fn cancel_pending_for_method(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    method: PaymentMethodId,
) -> Result<Vec<Project>, DbErr> {
    let mut canceled = Vec::new();
    for project in store::project::pending_of(tx, account).await? {
        let waits = project.funding == Funding::PaymentMethod(method);
        if waits && let Moved::Now(project) = cancel_found(tx, at, call, project).await? {
            canceled.push(project);
        }
    }
    Ok(canceled)
}

pub(crate) async fn activate_found(
    tx: &Tx,
    at: Instant,
    call: &Call,
    project: Project,
) -> Result<Moved, DbErr> {
    let moved = project.activate(at);
    if let Moved::Now(project) = &moved {
        let name = project.resource_name();
        store::project::save(tx, project).await?;
        audit::record(tx, at, call, project.account, &name).await?;
        outbox::append(tx, at, project.account, &ProjectActivated { project: name }).await?;
    }
    Ok(moved)
}

pub(crate) async fn cancel_found(
    tx: &Tx,
    at: Instant,
    call: &Call,
    project: Project,
) -> Result<Moved, DbErr> {
    let moved = project.cancel(at);
    if let Moved::Now(project) = &moved {
        let name = project.resource_name();
        store::project::save(tx, project).await?;
        audit::record(tx, at, call, project.account, &name).await?;
        outbox::append(tx, at, project.account, &ProjectCanceled { project: name }).await?;
    }
    Ok(moved)
}
