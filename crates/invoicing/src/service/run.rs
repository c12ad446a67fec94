//! Billing runs: started once per issuer and month, canceled and resumed by operators (R8.7).
//!
//! | what | how |
//! |---|---|
//! | one run per issuer and month, months in order | unique key; [`decide`] |
//! | canceled | no batch commits after the answer: each holds the run's row until it has; what was issued stays |
//! | and then | the month is not billed: lapses wait, later months wait, and starting it again resumes it |

use florin_account::Issuer;
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, outbox, wire::top_name};
use florin_settlement::{Instant, Month};
use sea_orm::ConnectionTrait;

use super::schedule::{Next, next};
use crate::{
    domain::billing_run::{BillingRun, BillingRunId, RunState, Tally, settlement_of},
    error::Error,
    events::{BillingRunCanceled, BillingRunCompleted, BillingRunResumed, BillingRunStarted},
    store,
};

const RUNS: &str = "billingRuns";

/// `billingRuns/{billing_run}`.
#[must_use]
pub(crate) fn run_name(run: BillingRunId) -> String {
    top_name(RUNS, run)
}

/// What a request to start a month comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The month has a run, which is under way or has completed.
    Known(BillingRun),
    /// The month's run was canceled, and would go on.
    Resumed(BillingRun),
    /// It would be this one.
    New(BillingRun),
}

/// Decides what starting `month` of `issuer` comes to (R8.7).
pub(crate) async fn decide(
    connection: &impl ConnectionTrait,
    now: Instant,
    issuer_id: &str,
    month: Month,
) -> Result<Start, Error> {
    let issuer = issuer(connection, issuer_id).await?;
    if let Some(run) = store::billing_run::of_month(connection, issuer_id, month).await? {
        return Ok(match run.state {
            RunState::Running | RunState::Completed { .. } => Start::Known(run),
            RunState::Canceled { .. } => Start::Resumed(BillingRun { state: RunState::Running, ..run }),
        });
    }
    let settlement = settlement_of(month, &issuer);
    if now < settlement {
        return Err(Error::PeriodNotOver { settlement });
    }
    match next(connection, &issuer).await? {
        Next::Running(other) => Err(Error::RunInProgress { run: run_name(other.id) }),
        Next::Canceled(other) => Err(Error::EarlierMonthUnbilled { month: other.month }),
        Next::Unstarted { month: earlier, .. } if earlier.start() < month.start() => {
            Err(Error::EarlierMonthUnbilled { month: earlier })
        }
        Next::Unstarted { .. } | Next::Nothing => Ok(Start::New(BillingRun {
            id: BillingRunId::generate(now),
            issuer: issuer_id.to_owned(),
            month,
            settlement,
            project_count: None,
            done: Tally::default(),
            started: now,
            state: RunState::Running,
        })),
    }
}

/// Starts the run of `month`, resumes it if it was canceled, or answers with the one there is.
pub(crate) async fn start(
    tx: &Tx,
    now: Instant,
    call: &Call,
    issuer: &str,
    month: Month,
) -> Result<BillingRun, Error> {
    let run = match decide(tx, now, issuer, month).await? {
        Start::Known(run) => return Ok(run),
        Start::Resumed(run) => return resume(tx, now, call, run).await,
        Start::New(run) => run,
    };
    if !store::billing_run::insert(tx, &run).await? {
        let other = store::billing_run::of_month(tx, issuer, month).await?;
        return other.ok_or(Error::Overtaken);
    }
    let name = run_name(run.id);
    audit::record(tx, now, call, AccountId::NONE, &name).await?;
    let fact = BillingRunStarted {
        billing_run: name,
        issuer: format!("issuers/{issuer}"),
        month: month.to_string(),
    };
    outbox::append(tx, now, AccountId::NONE, &fact).await?;
    Ok(run)
}

async fn resume(tx: &Tx, now: Instant, call: &Call, run: BillingRun) -> Result<BillingRun, Error> {
    if !store::billing_run::set_canceled(tx, run.id, None).await? {
        return Err(Error::Overtaken);
    }
    let billing_run = run_name(run.id);
    audit::record(tx, now, call, AccountId::NONE, &billing_run).await?;
    outbox::append(tx, now, AccountId::NONE, &BillingRunResumed { billing_run }).await?;
    Ok(run)
}

/// Cancels a run. One that is canceled already is answered as it is.
pub(crate) async fn cancel(
    tx: &Tx,
    now: Instant,
    call: &Call,
    id: BillingRunId,
) -> Result<BillingRun, Error> {
    let run = found(tx, id).await?;
    match run.state {
        RunState::Canceled { .. } => return Ok(run),
        RunState::Completed { .. } => return Err(Error::RunCompleted { run: run_name(id) }),
        RunState::Running => {}
    }
    // From here on the run's row is held: batches that are about to commit come first, later ones find it canceled.
    if !store::billing_run::set_canceled(tx, id, Some(now)).await? {
        return Err(Error::Overtaken);
    }
    let billing_run = run_name(id);
    audit::record(tx, now, call, AccountId::NONE, &billing_run).await?;
    outbox::append(tx, now, AccountId::NONE, &BillingRunCanceled { billing_run }).await?;
    found(tx, id).await
}

/// Completes a run of which nothing is left to do.
pub(crate) async fn complete(tx: &Tx, now: Instant, call: &Call, id: BillingRunId) -> Result<(), Error> {
    if !store::billing_run::finish(tx, id, now).await? {
        return Err(Error::Overtaken);
    }
    store::billing_range::remove(tx, id).await?;
    let name = run_name(id);
    audit::record(tx, now, call, AccountId::NONE, &name).await?;
    let Tally { invoiced, nothing_due, set_aside } = found(tx, id).await?.done;
    let fact = BillingRunCompleted {
        billing_run: name,
        invoiced_count: invoiced,
        nothing_due_count: nothing_due,
        set_aside_count: set_aside,
    };
    Ok(outbox::append(tx, now, AccountId::NONE, &fact).await?)
}

/// The run, or NOT_FOUND.
pub(crate) async fn found(connection: &impl ConnectionTrait, id: BillingRunId) -> Result<BillingRun, Error> {
    let found = store::billing_run::find(connection, id).await?;
    found.ok_or_else(|| Error::NotFound(run_name(id)))
}

/// The issuer, or NOT_FOUND.
pub(crate) async fn issuer(connection: &impl ConnectionTrait, id: &str) -> Result<Issuer, Error> {
    let found = florin_account::issuer(connection, id).await?;
    found.ok_or_else(|| Error::NotFound(format!("issuers/{id}")))
}
