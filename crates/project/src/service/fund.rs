//! A pending project's funding comes, or fails (R4.3). Called by the slices that know of it, with the
//! account locked; every function may be called again and then changes nothing.
//!
//! A pending project may have several ways to be funded: the method it named, and any initial order placed
//! for it. It is canceled when the last of them has failed, never before: what then still came would be
//! credit in a project that is over.

use florin_credit::{ProjectId, orders};
use florin_payment::{MethodState, PaymentMethodId};
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, outbox};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::project::{Funding, Moved, Project},
    error::Error,
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

/// A method of the account never will be VALID: the projects that wait for this one, and for no order, are
/// CANCELED. The projects that were.
pub async fn cancel_pending_for_method(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    method: PaymentMethodId,
) -> Result<Vec<Project>, Error> {
    let mut canceled = Vec::new();
    for project in store::project::pending_of(tx, account).await? {
        let waits = project.funding == Funding::PaymentMethod(method)
            && !awaits_an_order(tx, at, account, project.id).await?;
        if waits && let Moved::Now(project) = cancel_found(tx, at, call, project).await? {
            canceled.push(project);
        }
    }
    Ok(canceled)
}

/// Whether an initial order for `project` can still be paid, or is being paid.
pub(crate) async fn awaits_an_order(
    connection: &impl ConnectionTrait,
    at: Instant,
    account: AccountId,
    project: ProjectId,
) -> Result<bool, Error> {
    let open = orders::open_orders(connection, account, project, at).await?;
    Ok(open.iter().any(|order| order.initial))
}

/// Whether the method `project` named may still become VALID.
pub(crate) async fn awaits_a_method(
    connection: &impl ConnectionTrait,
    project: &Project,
) -> Result<bool, DbErr> {
    let Funding::PaymentMethod(method) = project.funding else { return Ok(false) };
    let method = florin_payment::find_method(connection, project.account, method).await?;
    Ok(method.is_some_and(|method| match method.state {
        MethodState::Creating(_) | MethodState::Validating { .. } => true,
        MethodState::Valid
        | MethodState::Failed { .. }
        | MethodState::Rejected { .. }
        | MethodState::Expired
        | MethodState::Replaced
        | MethodState::Canceled => false,
    }))
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
