//! Which month of an issuer is billed next, and since when (R7.3).

use florin_account::Issuer;
use florin_settlement::{Instant, Month};
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
pub(crate) async fn next(connection: &impl ConnectionTrait, issuer: &Issuer) -> Result<Next, DbErr> {
    let month = match store::billing_run::newest(connection, &issuer.id).await? {
        Some(run) => match run.state {
            RunState::Running => return Ok(Next::Running(run)),
            RunState::Canceled { .. } => return Ok(Next::Canceled(run)),
            RunState::Completed { .. } => Some(run.month.next()),
        },
        None => florin_project::first_used(connection).await?.map(Month::of),
    };
    Ok(match month {
        Some(month) => Next::Unstarted { month, settlement: settlement_of(month, issuer) },
        None => Next::Nothing,
    })
}
