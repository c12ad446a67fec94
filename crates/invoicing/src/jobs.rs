//! What becomes due with time: each issuer's month, at its settlement instant (R7.3, R8.7); the end of a project,
//! after its grace (R4.6); the steps of dunning, on their days (R9).

use std::sync::Arc;

use florin_account::Issuer;
use florin_payment::Payments;
use florin_platform::{
    Platform,
    call::Call,
    db::Tx,
    job::{Job, JobError},
};
use florin_settlement::Instant;

use crate::{
    domain::{billing_run::BillingRunId, dunning::DunningRules},
    error::Error,
    service::{
        advance::AdvanceInvoices,
        dunning::Dunnings,
        final_invoice::FinalInvoices,
        run::start,
        schedule::{Next, next},
        work::BillingRuns,
    },
};

const BILLING_RUN: &str = "invoicing.billing-run";
const FINAL_INVOICE: &str = "invoicing.final-invoice";
const DUNNING: &str = "invoicing.dunning";

/// Every job of this slice.
#[must_use]
pub fn all(
    platform: &Platform,
    runs: BillingRuns,
    payments: &Payments,
    rules: DunningRules,
) -> Vec<Arc<dyn Job>> {
    // Months before what a project's end leaves of them; debts after everything that may open or end one.
    vec![
        Arc::new(BillingRunJob::new(platform.clone(), runs)),
        AdvanceInvoices::job(platform.clone(), payments.clone()),
        Arc::new(FinalInvoiceJob(FinalInvoices::new(platform.clone(), payments.clone()))),
        Arc::new(DunningJob(Dunnings::new(platform.clone(), payments.clone(), rules))),
    ]
}

/// Issues the final invoice of every project whose grace is over, and finishes its deletion (R4.6).
#[derive(Clone, Debug)]
pub struct FinalInvoiceJob(pub FinalInvoices);

#[async_trait::async_trait]
impl Job for FinalInvoiceJob {
    fn name(&self) -> &'static str {
        FINAL_INVOICE
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(self.0.next_due().await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        Ok(self.0.run(&Call::by_job(FINAL_INVOICE), limit).await?)
    }
}

/// Takes the steps of dunning that are due (R9.1, R9.2).
#[derive(Clone, Debug)]
pub struct DunningJob(pub Dunnings);

#[async_trait::async_trait]
impl Job for DunningJob {
    fn name(&self) -> &'static str {
        DUNNING
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(self.0.next_due().await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        Ok(self.0.run(&Call::by_job(DUNNING), limit).await?)
    }
}

/// What ails one issuer's run stops no other issuer's: it is logged, and reported only when nothing else
/// was done.
fn left(issuer: &Issuer, error: Error) -> Error {
    tracing::error!(issuer = %issuer.id, error = &error as &dyn std::error::Error, "a billing run was left as it is");
    error
}

/// Starts the run of every month at its settlement instant, and takes every run to its end.
#[derive(Clone, Debug)]
pub struct BillingRunJob {
    platform: Platform,
    runs: BillingRuns,
}

impl BillingRunJob {
    /// The job over `platform`, running `runs`.
    #[must_use]
    pub fn new(platform: Platform, runs: BillingRuns) -> Self {
        Self { platform, runs }
    }

    async fn issuers(&self) -> Result<Vec<Issuer>, Error> {
        Ok(florin_account::issuers(self.platform.db.reader()).await?)
    }

    async fn due_of(&self, issuer: &Issuer) -> Result<Option<Instant>, Error> {
        Ok(match next(self.platform.db.reader(), issuer).await? {
            Next::Running(run) => Some(run.settlement),
            Next::Unstarted { settlement, .. } => Some(settlement),
            // Whoever canceled it starts it again.
            Next::Canceled(_) | Next::Nothing => None,
        })
    }

    /// The run to go on with, started if it is due and was not.
    async fn due_run(&self, call: &Call, issuer: &Issuer) -> Result<Option<BillingRunId>, Error> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        match next(reader, issuer).await? {
            Next::Running(run) => Ok(Some(run.id)),
            Next::Unstarted { month, settlement } if settlement <= now => {
                let begin = |tx: Tx| async move { start(&tx, now, call, &issuer.id, month).await };
                match self.platform.db.write::<_, Error, _>(begin).await {
                    Ok(run) => Ok(Some(run.id)),
                    // Another server has begun it, and been through with it, since this one looked.
                    Err(Error::RunInProgress { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Next::Unstarted { .. } | Next::Canceled(_) | Next::Nothing => Ok(None),
        }
    }

    async fn run_some(&self, limit: u32) -> Result<u32, Error> {
        let call = Call::by_job(BILLING_RUN);
        let mut done = 0_u32;
        let mut failed = None;
        for issuer in self.issuers().await? {
            while done < limit {
                match self.go_on(&call, &issuer, limit - done).await {
                    Ok(0) => break,
                    Ok(projects) => done = done.saturating_add(projects),
                    Err(error) => {
                        failed = Some(left(&issuer, error));
                        break;
                    }
                }
            }
        }
        match failed {
            Some(error) if done == 0 => Err(error),
            Some(_) | None => Ok(done),
        }
    }

    /// About `limit` projects of what is due of `issuer`; how many it was, 0 for nothing.
    async fn go_on(&self, call: &Call, issuer: &Issuer, limit: u32) -> Result<u32, Error> {
        let Some(run) = self.due_run(call, issuer).await? else { return Ok(0) };
        self.runs.go_on(call, run, limit).await
    }
}

#[async_trait::async_trait]
impl Job for BillingRunJob {
    fn name(&self) -> &'static str {
        BILLING_RUN
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        let mut earliest: Option<Instant> = None;
        let mut failed = None;
        for issuer in self.issuers().await? {
            match self.due_of(&issuer).await {
                Ok(due) => earliest = earliest.into_iter().chain(due).min(),
                Err(error) => failed = Some(left(&issuer, error)),
            }
        }
        match failed {
            Some(error) if earliest.is_none() => Err(error.into()),
            Some(_) | None => Ok(earliest),
        }
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        Ok(self.run_some(limit).await?)
    }

    fn is_shared(&self) -> bool {
        true
    }
}
