//! What fell due in advance, invoiced at once (R5.3, R8.1).
//!
//! | question | answer |
//! |---|---|
//! | what is invoiced | everything of a project that fell due in advance up to an instant and stands on no invoice |
//! | settled when | at the instant it fell due (R7.3): lots alive then pay, however late the job comes |
//! | why never twice | what an invoice bills is noted in its transaction, with the account locked ([`super::issue`]) |
//! | and the month's invoice | bills whatever is left by then, so that nothing is lost if this job could not run |

use std::sync::Arc;

use florin_payment::{PaymentId, Payments};
use florin_platform::{
    Platform,
    call::Call,
    db::Tx,
    id::AccountId,
    job::{Job, JobError},
    wire::account_name,
};
use florin_project::{AdvanceDue, BillableProject, advance};
use florin_settlement::Instant;

use super::{
    issue::{Collection, issue_one},
    settle::settle_advance,
};
use crate::error::Error;

const NAME: &str = "invoicing.advance";

/// Issues the invoices of what fell due in advance, as soon as it did.
#[derive(Clone, Debug)]
pub(crate) struct AdvanceInvoices {
    platform: Platform,
    payments: Payments,
}

impl AdvanceInvoices {
    /// The job over `platform`, collecting through `payments`.
    pub(crate) fn job(platform: Platform, payments: Payments) -> Arc<dyn Job> {
        Arc::new(Self { platform, payments })
    }

    async fn invoice(&self, call: &Call, due: AdvanceDue) -> Result<(), Error> {
        let clock = self.platform.clock;
        let issue = |tx: Tx| async move {
            let now = clock.now(&tx).await?;
            issue_due(&tx, now, call, due).await
        };
        let to_drive: Vec<(AccountId, PaymentId)> = self.platform.db.write(issue).await?;
        for (account, payment) in to_drive {
            // What does not get through is taken up by the payments' own reconciliation.
            if let Err(error) = self.payments.drive(call, account, payment).await {
                tracing::warn!(%payment, error = &error as &dyn std::error::Error, "collection waits");
            }
        }
        Ok(())
    }

    async fn run_some(&self, limit: u32) -> Result<u32, Error> {
        let call = Call::by_job(NAME);
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let (mut done, mut failed) = (0_u32, None);
        for due in advance::first_due(reader, limit).await?.into_iter().filter(|first| first.due <= now) {
            match self.invoice(&call, due).await {
                Ok(()) => done = done.saturating_add(1),
                Err(error) => {
                    let cause = &error as &dyn std::error::Error;
                    tracing::error!(project = %due.project, error = cause, "an invoice in advance was left");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if done == 0 => Err(error),
            Some(_) | None => Ok(done),
        }
    }
}

/// Issues the invoice of what fell due for one project up to the instant of `due`; the payment to drive.
/// Nothing if somebody else was faster.
async fn issue_due(
    tx: &Tx,
    at: Instant,
    call: &Call,
    due: AdvanceDue,
) -> Result<Vec<(AccountId, PaymentId)>, Error> {
    let AdvanceDue { account, project, due } = due;
    florin_account::lock(tx, &[account]).await?;
    let missing = || Error::NotFound(account_name(account));
    let known = florin_project::find(tx, account, project).await?.ok_or_else(missing)?;
    let settled = settle_advance(tx, at, due, &[BillableProject::from(&known)]).await?;
    let mut to_drive = Vec::new();
    for (_, draft) in settled.drafts {
        let issued = issue_one(tx, at, call, draft?, Collection::DefaultMethod).await?;
        to_drive.extend(issued.and_then(|issued| Some((issued.account, issued.to_drive?))));
    }
    Ok(to_drive)
}

#[async_trait::async_trait]
impl Job for AdvanceInvoices {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        let first = advance::first_due(self.platform.db.reader(), 1).await?;
        Ok(first.first().map(|first| first.due))
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        Ok(self.run_some(limit).await?)
    }
}
