//! The end of projects: metering stops, late usage has its grace, the final invoice, the end (R4.6).
//!
//! | step | who | what |
//! |---|---|---|
//! | begin | the customer with the mailed token, or the dunning | resources removed, metering stopped, open orders canceled: DELETING |
//! | grace | nobody | usage from before is still taken |
//! | finish | the slice that issues the final invoice, in its transaction: [`finish_deletion`] | DELETED |
//!
//! The accounts are locked by the caller. Every function may be called again and then changes nothing.

use std::{collections::BTreeMap, time::Duration};

use florin_credit::{OrderState, ProjectId, orders};
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire::timestamp};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use super::{
    holds,
    suspend::{now, owners},
};
use crate::{
    convert::project::wire_deletion,
    domain::{
        life::DeletionCause,
        project::{Moved, Project, ProjectState},
        resource::resource_name,
    },
    error::Error,
    events::{ProjectDeleted, ProjectDeletionStarted, ResourceRemoved},
    notices, store,
};

/// Deletes every project of `accounts` whose debt stayed unpaid (R9.2), a standing debt notwithstanding.
/// The projects that were not DELETING before. An order that is just being paid is left alone: what
/// arrives for a project that is no longer live goes back to its source (R6.3).
///
/// # Errors
/// [`Error::Database`].
pub async fn begin_dunning_deletion(
    tx: &Tx,
    at: Instant,
    call: &Call,
    accounts: &[AccountId],
) -> Result<Vec<Project>, Error> {
    let states = [ProjectState::Active, ProjectState::Suspended];
    let found = store::project::of_accounts(tx, accounts, &states).await?;
    begin(tx, at, call, found, DeletionCause::Debt).await
}

/// Deleting projects whose grace has ended at `at`: their final invoice is due, with the end of the grace
/// as its settlement instant (R7.3). In the order of that instant, at most `limit`.
///
/// # Errors
/// [`DbErr`].
pub async fn due_for_final(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<Project>, DbErr> {
    store::project::due_for_final(connection, at, limit).await
}

/// When the next final invoice is due, if any project is being deleted.
///
/// # Errors
/// [`DbErr`].
pub async fn next_final(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    store::project::next_final(connection).await
}

/// The final invoice of `project` is issued and what credit it had is forfeited: DELETING → DELETED.
/// [`Moved::Impossible`] before the end of the grace. `None` if there is no such project.
///
/// # Errors
/// [`DbErr`].
pub async fn finish_deletion(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<Option<Moved>, DbErr> {
    let Some(found) = store::project::find(tx, account, project).await? else { return Ok(None) };
    let moved = found.finish_deletion(at);
    if let Moved::Now(deleted) = &moved {
        store::project::save(tx, deleted).await?;
        let name = deleted.resource_name();
        audit::record(tx, at, call, account, &name).await?;
        outbox::append(tx, at, account, &ProjectDeleted { project: name }).await?;
        if let Some(owner) = florin_account::find(tx, account).await? {
            notice::raise(tx, at, account, &notices::deleted(&owner, deleted)).await?;
        }
    }
    Ok(Some(moved))
}

/// Stops the metering of `projects` at `at`, removes what they hold, cancels their open orders, and tells
/// of it. Those that moved.
pub(crate) async fn begin(
    tx: &Tx,
    at: Instant,
    call: &Call,
    projects: Vec<Project>,
    cause: DeletionCause,
) -> Result<Vec<Project>, Error> {
    let owners = owners(tx, &projects).await?;
    let graces = store::policy::deletion_graces(tx).await?;
    let grace = |account: AccountId| {
        let of_issuer = owners.get(&account).and_then(|owner| graces.get(&owner.issuer));
        of_issuer.copied().unwrap_or(DEFAULT_GRACE)
    };
    let moved = now(projects.into_iter().map(|project| {
        let grace = grace(project.account);
        project.begin_deletion(cause, grace, at)
    }));
    let mut removed: BTreeMap<(AccountId, ProjectId), Vec<_>> = BTreeMap::new();
    for (account, project, resource) in store::resource::remove_all_of(tx, &moved, at).await? {
        removed.entry((account, project)).or_default().push(resource);
    }
    store::project::save_all(tx, &moved).await?;
    store::deletion::forget(tx, &moved).await?;
    holds::release_all_of(tx, at, call, &moved).await?;
    for project in &moved {
        let (name, account) = (project.resource_name(), project.account);
        cancel_orders(tx, at, call, project, cause).await?;
        for resource in removed.remove(&(account, project.id)).unwrap_or_default() {
            let resource = resource_name(account, project.id, resource);
            outbox::append(tx, at, account, &ResourceRemoved { resource }).await?;
        }
        audit::record(tx, at, call, account, &name).await?;
        let Some(deletion) = &project.deletion else { continue };
        let fact = ProjectDeletionStarted {
            project: name,
            cause: wire_deletion(cause).into(),
            metering_stop_time: Some(timestamp(deletion.stopped)),
            grace_end_time: Some(timestamp(deletion.grace_ends)),
        };
        outbox::append(tx, at, account, &fact).await?;
        if let Some(owner) = owners.get(&account) {
            notice::raise(tx, at, account, &notices::deletion_started(owner, project, deletion)).await?;
        }
    }
    Ok(moved)
}

/// The grace for late usage where the issuer's is not configured.
const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Cancels what can still be canceled. An order that is just being paid stops a customer, and not the
/// dunning, which could be kept waiting for ever.
async fn cancel_orders(
    tx: &Tx,
    at: Instant,
    call: &Call,
    project: &Project,
    cause: DeletionCause,
) -> Result<(), Error> {
    for order in orders::open_orders(tx, project.account, project.id, at).await? {
        let awaits_payment = order.state_at(at) == OrderState::AwaitingPayment;
        if awaits_payment || cause == DeletionCause::Customer {
            orders::cancel(tx, at, call, project.account, order.id).await?;
        }
    }
    Ok(())
}
