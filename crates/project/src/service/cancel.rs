//! Giving up a project that waits for its funding (R4.3).

use florin_credit::{ProjectId, orders};
use florin_platform::{call::Call, db::Tx, etag, id::AccountId};
use florin_settlement::Instant;

use super::{fund, query};
use crate::{
    domain::project::{Moved, Project, ProjectState},
    error::Error,
};

/// Cancels the project and every open order for it, none of which may be on its way to be paid: credit for
/// a project that is over would be lost. Its place is free again.
pub(crate) async fn cancel_project(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    given_etag: &str,
) -> Result<Project, Error> {
    query::reach(tx, call, account, project).await?;
    florin_account::lock(tx, &[account]).await?;
    let project = query::owned(tx, call, account, project).await?;
    let name = project.resource_name();
    if !etag::allows(given_etag, &name, project.version) {
        return Err(Error::EtagMismatch(name));
    }
    if project.state != ProjectState::PendingFunding {
        return Err(Error::NotPending(project.state));
    }
    let canceled = match fund::cancel_found(tx, at, call, project).await? {
        Moved::Now(project) | Moved::Before(project) => project,
        Moved::Impossible(project) => return Err(Error::NotPending(project.state)),
    };
    for order in orders::open_orders(tx, account, canceled.id, at).await? {
        orders::cancel(tx, at, call, account, order.id).await?;
    }
    Ok(canceled)
}
