//! The next invoice as it would be now, by the code that issues it (R8.5).
//!
//! | question | answer |
//! |---|---|
//! | of which month | the one to be issued next: the month before until it is issued, then the current one |
//! | settled when | now, but not after the month's settlement instant: there it is what will be issued |
//! | with which lots | those the account's projects before it leave, in settlement order |

use florin_platform::{call::Call, id::AccountId};
use florin_project::{BillableProject, ProjectId};
use florin_settlement::{Instant, Month};
use sea_orm::ConnectionTrait;

use super::{schedule::next, settle::settle};
use crate::{
    domain::{billing_run::settlement_of, invoice::Content},
    error::Error,
    store,
};

/// An invoice that is not issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// What it would say.
    pub content: Content,
    /// Up to when usage is counted, and the instant that decides which lots count.
    pub as_of: Instant,
}

/// The next invoice of `project` as it would be at `now`.
pub(crate) async fn estimate(
    connection: &impl ConnectionTrait,
    now: Instant,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<Estimate, Error> {
    let missing = || Error::NotFound(florin_credit::project_name(account, project));
    let name = florin_credit::project_name(account, project);
    florin_account::rights::reach(connection, call, account, &name, || name.clone()).await?;
    let known = florin_project::find(connection, account, project).await?.ok_or_else(missing)?;
    let wanted = BillableProject::from(&known);
    let (month, settlement) = month_of(connection, now, &wanted).await?;
    let as_of = now.min(settlement);
    let projects = simulated(connection, month, settlement, wanted).await?;
    let settled = settle(connection, month, as_of, &projects).await?;
    let of_project = settled.drafts.into_iter().find(|(billed, _)| billed.project == project);
    let (_, draft) = of_project.ok_or_else(missing)?;
    Ok(Estimate { content: draft?.content, as_of })
}

/// The month whose invoice of the project is next, and when it is settled.
pub(crate) async fn month_of(
    connection: &impl ConnectionTrait,
    now: Instant,
    project: &BillableProject,
) -> Result<(Month, Instant), Error> {
    let owner = project.account;
    let missing = || Error::NotFound(florin_platform::wire::account_name(owner));
    let account = florin_account::find(connection, owner).await?.ok_or_else(missing)?;
    let issuer = florin_account::issuer(connection, &account.issuer).await?.ok_or_else(missing)?;
    let current = Month::of(now);
    match next(connection, &issuer).await?.month() {
        Some((month, settlement)) if month.start() < current.start() => {
            let invoiced = store::invoice::invoiced(connection, &[owner], month).await?;
            if invoiced.contains(&(owner, project.project)) {
                Ok((month.next(), settlement_of(month.next(), &issuer)))
            } else {
                Ok((month, settlement))
            }
        }
        Some(_) | None => Ok((current, settlement_of(current, &issuer))),
    }
}

/// The projects of the account that settle together with `wanted`, which is among them even when it has
/// nothing to bill.
async fn simulated(
    connection: &impl ConnectionTrait,
    month: Month,
    settlement: Instant,
    wanted: BillableProject,
) -> Result<Vec<BillableProject>, Error> {
    let account = wanted.account;
    let period = month.period();
    let mut projects = florin_project::billable(connection, period, settlement, &[account], u32::MAX).await?;
    let invoiced = store::invoice::invoiced(connection, &[account], month).await?;
    projects.retain(|project| !invoiced.contains(&(account, project.project)));
    if !projects.iter().any(|project| project.project == wanted.project) {
        projects.push(wanted);
    }
    Ok(projects)
}
