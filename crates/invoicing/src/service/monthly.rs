//! One batch of a billing run: whole accounts, one transaction (R7.7, R8.7).
//!
//! lock the accounts → read everything → decide in memory → write → move the run's cursor, last.

use std::collections::HashSet;

use florin_account::Issuer;
use florin_payment::PaymentId;
use florin_platform::{call::Call, db::Tx, id::AccountId};
use florin_project::BillableProject;
use florin_settlement::Instant;

use super::{
    issue::{Batch, Collection, issue},
    settle::settle,
};
use crate::{
    domain::{
        billing_run::{BillingRun, SetAside, Tally},
        invoice::InvoiceKind,
    },
    error::{Error, chain},
    store,
};

/// What a batch did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// What became of the projects.
    pub(crate) tally: Tally,
    /// The payments to drive once the batch is committed.
    pub(crate) to_drive: Vec<(AccountId, PaymentId)>,
}

/// Issues the invoices of the batch's projects that are not issued yet, sets aside those that make none
/// and those in `unfit`, and moves the cursor to the last account, `to`.
pub(crate) async fn issue_batch(
    tx: &Tx,
    at: Instant,
    call: &Call,
    issuer: &Issuer,
    run: &BillingRun,
    projects: &[BillableProject],
    unfit: &[SetAside],
    to: AccountId,
) -> Result<Done, Error> {
    let mut owners = projects.iter().map(|project| project.account).collect::<Vec<_>>();
    owners.dedup();
    florin_account::lock(tx, &owners).await?;
    let known: HashSet<_> = store::invoice::invoiced(tx, &owners, run.month).await?.into_iter().collect();
    let is_unfit = |project: &BillableProject| unfit.iter().any(|item| item.project == project.project);
    let is_open = |project: &&BillableProject| {
        !known.contains(&(project.account, project.project)) && !is_unfit(project)
    };
    let open = projects.iter().filter(is_open).copied().collect::<Vec<_>>();
    let settled = settle(tx, run.month, run.settlement, &open).await?;

    let mut tally = Tally::default();
    let mut set_aside = unfit.to_vec();
    let mut drafts = Vec::with_capacity(open.len());
    for (project, draft) in settled.drafts {
        match draft {
            Ok(draft) if draft.is_nothing_due() => tally.nothing_due += 1,
            Ok(draft) => drafts.push(draft),
            Err(error) => set_aside.push(SetAside {
                account: project.account,
                project: project.project,
                reason: chain(&error),
            }),
        }
    }
    let batch = Batch {
        issuer,
        kind: InvoiceKind::Monthly,
        run: Some(run.id),
        accounts: &settled.accounts,
        drafts: &drafts,
        collection: Collection::DefaultMethod,
    };
    let issued = issue(tx, at, call, &batch).await?;
    store::set_aside::insert(tx, at, run.id, &set_aside).await?;
    tally.invoiced = count(issued.len());
    tally.set_aside = count(set_aside.len());
    if !store::billing_run::advance(tx, run, to, tally).await? {
        return Err(Error::Overtaken);
    }
    let to_drive = issued.iter().filter_map(|issued| Some((issued.account, issued.to_drive?))).collect();
    Ok(Done { tally, to_drive })
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}
