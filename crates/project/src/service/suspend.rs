//! Suspending projects and letting them resume (R4.3, R9.2).
//!
//! | who | suspends | resumes |
//! |---|---|---|
//! | an operator | one project, with a reason | the same, and nothing a debt has done |
//! | the dunning | all projects of accounts that owe: [`suspend_all_of`] | when they have paid: [`resume_all_of`], and nothing an operator has done |
//!
//! The accounts are locked by the caller. Every function may be called again and then changes nothing.

use std::collections::BTreeMap;

use florin_account::Account;
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire::timestamp};
use florin_settlement::Instant;
use sea_orm::DbErr;

use crate::{
    convert::project::wire_suspension,
    domain::{
        life::SuspensionCause,
        project::{Moved, Project, ProjectState},
    },
    events::{ProjectResumed, ProjectSuspended, ProjectSuspensionLifted},
    notices, store,
};

/// What can be suspended, or is.
const RUNNING: [ProjectState; 2] = [ProjectState::Active, ProjectState::Suspended];

/// Suspends every ACTIVE project of `accounts`, which owe; those an operator has suspended wait for the
/// debt as well from now on. The projects that were not suspended for a debt before.
///
/// # Errors
/// [`DbErr`].
pub async fn suspend_all_of(
    tx: &Tx,
    at: Instant,
    call: &Call,
    accounts: &[AccountId],
) -> Result<Vec<Project>, DbErr> {
    let found = store::project::of_accounts(tx, accounts, &RUNNING).await?;
    let moved = now(found.into_iter().map(|project| project.suspend_for_debt(at)));
    suspended(tx, at, call, &moved, SuspensionCause::Debt).await?;
    Ok(moved)
}

/// The debts of `accounts` are paid: their projects are ACTIVE again, except those an operator keeps
/// suspended. The projects that were suspended for a debt.
///
/// # Errors
/// [`DbErr`].
pub async fn resume_all_of(
    tx: &Tx,
    at: Instant,
    call: &Call,
    accounts: &[AccountId],
) -> Result<Vec<Project>, DbErr> {
    let found = store::project::of_accounts(tx, accounts, &[ProjectState::Suspended]).await?;
    let moved = now(found.into_iter().map(|project| project.lift(SuspensionCause::Debt, at)));
    lifted(tx, at, call, &moved, SuspensionCause::Debt).await?;
    Ok(moved)
}

/// Those that moved just now.
pub(crate) fn now(moved: impl Iterator<Item = Moved>) -> Vec<Project> {
    let moved = moved.filter_map(|moved| match moved {
        Moved::Now(project) => Some(project),
        Moved::Before(_) | Moved::Impossible(_) => None,
    });
    moved.collect()
}

/// The owners of `projects`, in one query.
pub(crate) async fn owners(tx: &Tx, projects: &[Project]) -> Result<BTreeMap<AccountId, Account>, DbErr> {
    let mut ids: Vec<_> = projects.iter().map(|project| project.account).collect();
    ids.dedup();
    let owners = florin_account::find_many(tx, &ids).await?;
    Ok(owners.into_iter().map(|owner| (owner.id, owner)).collect())
}

/// Keeps `projects`, which are suspended for `cause` since just now, and tells of it.
pub(crate) async fn suspended(
    tx: &Tx,
    at: Instant,
    call: &Call,
    projects: &[Project],
    cause: SuspensionCause,
) -> Result<(), DbErr> {
    store::project::save_all(tx, projects).await?;
    let owners = owners(tx, projects).await?;
    for project in projects {
        let (name, account) = (project.resource_name(), project.account);
        audit::record(tx, at, call, account, &name).await?;
        let suspension = project.suspension.as_ref();
        let fact = ProjectSuspended {
            project: name,
            cause: wire_suspension(cause).into(),
            suspend_time: suspension.map(|suspension| timestamp(suspension.since)),
        };
        outbox::append(tx, at, account, &fact).await?;
        let Some(owner) = owners.get(&account) else { continue };
        let said = suspension.and_then(|suspension| suspension.by_operator.as_ref());
        let told = match (cause, said) {
            (SuspensionCause::Operator, Some(said)) => notices::suspended_by_operator(owner, project, said),
            (SuspensionCause::Debt, _) | (SuspensionCause::Operator, None) => {
                notices::suspended_for_debt(owner, project)
            }
        };
        notice::raise(tx, at, account, &told).await?;
    }
    Ok(())
}

/// Keeps `projects`, of which `cause` was lifted just now, and tells of it.
pub(crate) async fn lifted(
    tx: &Tx,
    at: Instant,
    call: &Call,
    projects: &[Project],
    cause: SuspensionCause,
) -> Result<(), DbErr> {
    store::project::save_all(tx, projects).await?;
    let owners = owners(tx, projects).await?;
    for project in projects {
        let (name, account) = (project.resource_name(), project.account);
        audit::record(tx, at, call, account, &name).await?;
        let is_active = project.state == ProjectState::Active;
        let cause_on_the_wire = wire_suspension(cause).into();
        if is_active {
            let fact = ProjectResumed { project: name, cause: cause_on_the_wire };
            outbox::append(tx, at, account, &fact).await?;
        } else {
            let fact = ProjectSuspensionLifted { project: name, cause: cause_on_the_wire };
            outbox::append(tx, at, account, &fact).await?;
        }
        let Some(owner) = owners.get(&account) else { continue };
        let told = if is_active {
            notices::resumed(owner, project)
        } else {
            notices::still_suspended(owner, project, cause)
        };
        notice::raise(tx, at, account, &told).await?;
    }
    Ok(())
}
