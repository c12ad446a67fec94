//! What becomes due with time: each issuer's month, at its settlement instant (R7.3, R8.7).

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
    domain::billing_run::{BillingRun, BillingRunId},
    error::Error,
    service::{
        run::{BillingRuns, Progress, start},
        schedule::{Next, next},
    },
};

const BILLING_RUN: &str = "invoicing.billing-run";

/// Every job of this slice; what is billed is collected through `payments`.
#[must_use]
pub fn all(platform: &Platform, payments: &Payments) -> Vec<Arc<dyn Job>> {
    let runs = BillingRuns::new(platform.clone(), payments.clone());
    vec![Arc::new(BillingRunJob::new(platform.clone(), runs))]
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
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        Ok(next(reader, issuer, now).await?.month().map(|(_, settlement)| settlement))
    }

    /// The run to go on with, started if it is due and was not.
    async fn due_run(&self, call: &Call, issuer: &Issuer) -> Result<Option<BillingRunId>, Error> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        match next(reader, issuer, now).await? {
            Next::Running(run) => Ok(Some(run.id)),
            Next::Unstarted { month, settlement } if settlement <= now => {
                let begin = |tx: Tx| async move { start(&tx, now, call, &issuer.id, month).await };
                let run: BillingRun = self.platform.db.write::<_, Error, _>(begin).await?;
                Ok(Some(run.id))
            }
            Next::Unstarted { .. } | Next::Nothing => Ok(None),
        }
    }

    async fn run_some(&self, limit: u32) -> Result<u32, Error> {
        let call = Call::by_job(BILLING_RUN);
        let mut done = 0_u32;
        for issuer in self.issuers().await? {
            while done < limit {
                let Some(run) = self.due_run(&call, &issuer).await? else { break };
                match self.runs.step(&call, run).await? {
                    Progress::Batch(projects) => done = done.saturating_add(projects.max(1)),
                    Progress::Completed => done = done.saturating_add(1),
                    Progress::NothingToDo => break,
                }
            }
        }
        Ok(done)
    }
}

#[async_trait::async_trait]
impl Job for BillingRunJob {
    fn name(&self) -> &'static str {
        BILLING_RUN
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        let mut earliest: Option<Instant> = None;
        for issuer in self.issuers().await? {
            let due = self.due_of(&issuer).await?;
            earliest = earliest.into_iter().chain(due).min();
        }
        Ok(earliest)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        Ok(self.run_some(limit).await?)
    }
}
