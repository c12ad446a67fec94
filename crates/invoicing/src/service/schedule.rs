//! Which month of an issuer is billed next, and since when (R7.3).

use florin_account::Issuer;
use florin_settlement::{Instant, Month, Period};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::billing_run::{BillingRun, RunState, settlement_of},
    store,
};

/// What is to be billed next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A run is not finished.
    Running(BillingRun),
    /// A run was canceled: it waits to be started again, and every later month with it.
    Canceled(BillingRun),
    /// No run of this month has been started; it may not be over yet.
    Unstarted {
        /// The month.
        month: Month,
        /// When it can be started.
        settlement: Instant,
    },
    /// Nothing has ever been used.
    Nothing,
}

impl Next {
    /// The month and its settlement instant, if there is one.
    pub(crate) fn month(&self) -> Option<(Month, Instant)> {
        match self {
            Self::Running(run) | Self::Canceled(run) => Some((run.month, run.settlement)),
            Self::Unstarted { month, settlement } => Some((*month, *settlement)),
            Self::Nothing => None,
        }
    }
}

/// What is to be billed next for `issuer`: the running month, the one after the last that was billed, or
/// the first in which anything was used.
pub(crate) async fn next(
    connection: &impl ConnectionTrait,
    issuer: &Issuer,
    now: Instant,
) -> Result<Next, DbErr> {
    let month = match store::billing_run::newest(connection, &issuer.id).await? {
        Some(run) => match run.state {
            RunState::Running => return Ok(Next::Running(run)),
            RunState::Canceled { .. } => return Ok(Next::Canceled(run)),
            RunState::Completed { .. } => Some(run.month.next()),
        },
        None => first_used(connection, now).await?,
    };
    Ok(match month {
        Some(month) => Next::Unstarted { month, settlement: settlement_of(month, issuer) },
        None => Next::Nothing,
    })
}

/// The first month in which anything was used. Looks back from the present, a month at a time; needed
/// only until the first run.
async fn first_used(connection: &impl ConnectionTrait, now: Instant) -> Result<Option<Month>, DbErr> {
    let mut first = None;
    let mut month = Month::of(now);
    while used_before(connection, month.end()).await? {
        first = Some(month);
        if month.previous() == month {
            break;
        }
        month = month.previous();
    }
    Ok(first)
}

async fn used_before(connection: &impl ConnectionTrait, end: Instant) -> Result<bool, DbErr> {
    let Ok(period) = Period::try_new(Instant::MIN, end) else { return Ok(false) };
    Ok(!florin_project::billable(connection, period, None, 1).await?.is_empty())
}
