//! Giving up a project that waits for its funding (R4.3).

use florin_credit::{OrderId, OrderState, ProjectId, orders};
use florin_platform::{call::Call, db::Tx, etag, id::AccountId};
use florin_settlement::Instant;

use super::{fund, query};
use crate::{
    domain::project::{Funding, Moved, Project, ProjectState, project_name},
    error::Error,
};

/// Cancels the project and the order it waits for, which must not be on its way to be paid. Its place is
/// free again.
pub(crate) async fn cancel_project(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    given_etag: &str,
) -> Result<Project, Error> {
    query::visible(call, account, || project_name(account, project))?;
    florin_account::lock(tx, &[account]).await?;
    let project = query::owned(tx, call, account, project).await?;
    let name = project.resource_name();
    if !etag::allows(given_etag, &name, project.version) {
        return Err(Error::EtagMismatch(name));
    }
    if project.state != ProjectState::PendingFunding {
        return Err(Error::NotPending(project.state));
    }
    let funding = project.funding;
    let canceled = match fund::cancel_found(tx, at, call, project).await? {
        Moved::Now(project) | Moved::Before(project) => project,
        Moved::Impossible(project) => return Err(Error::NotPending(project.state)),
    };
    // The project first: credit tells its gate of a canceled order, and then finds nothing left to do.
    if let Funding::CreditOrder(order) = funding {
        cancel_order(tx, at, call, account, order).await?;
    }
    Ok(canceled)
}

/// An order that was not paid in time needs no canceling.
async fn cancel_order(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    order: OrderId,
) -> Result<(), Error> {
    let found = orders::find(tx, account, order).await?;
    match found.map(|order| order.state_at(at)) {
        Some(OrderState::Expired | OrderState::Canceled) | None => Ok(()),
        Some(OrderState::AwaitingPayment | OrderState::Processing | OrderState::Paid { .. }) => {
            orders::cancel(tx, at, call, account, order).await?;
            Ok(())
        }
    }
}
