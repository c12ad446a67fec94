//! One batch of a billing run: whole accounts, one transaction (R7.7, R8.7).
//!
//! lock the accounts → read everything → decide in memory → write → move the range's cursor, last.

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
        billing_run::{BillingRange, BillingRun, SetAside, Tally},
        invoice::InvoiceKind,
    },
    error::{Error, chain},
    store::{self, billing_range::Hold},
};

/// What a batch bills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portion<'a> {
    /// Who issues.
    pub(crate) issuer: &'a Issuer,
    /// The run.
    pub(crate) run: &'a BillingRun,
    /// The range of it as it was read; its cursor must not have moved since.
    pub(crate) range: &'a BillingRange,
    /// Whole accounts, in settlement order.
    pub(crate) projects: &'a [BillableProject],
    /// Those among them that are known not to work.
    pub(crate) unfit: &'a [SetAside],
    /// The last account that is done with this batch.
    pub(crate) to: AccountId,
    /// Who bills, and until when nobody else takes the range.
    pub(crate) hold: Hold<'a>,
}

/// The payments to drive once the batch is committed.
pub(crate) type ToDrive = Vec<(AccountId, PaymentId)>;

/// Issues the invoices of the portion's projects that are not issued yet, sets aside those that make
/// none and the unfit, and moves the run's cursor.
pub(crate) async fn issue_portion(
    tx: &Tx,
    at: Instant,
    call: &Call,
    portion: Portion<'_>,
) -> Result<ToDrive, Error> {
    let Portion { issuer, run, range, projects, unfit, to, hold } = portion;
    let mut owners = projects.iter().map(|project| project.account).collect::<Vec<_>>();
    owners.dedup();
    florin_account::lock(tx, &owners).await?;
    let known: HashSet<_> = store::invoice::invoiced(tx, &owners, run.month).await?.into_iter().collect();
    let is_unfit = |project: &BillableProject| unfit.iter().any(|item| item.project == project.project);
    let is_open = |project: &&BillableProject| {
        !known.contains(&(project.account, project.project)) && !is_unfit(project)
    };
    let open = projects.iter().filter(is_open).cloned().collect::<Vec<_>>();
    let settled = settle(tx, run.month, run.settlement, &open).await?;

    let mut tally = Tally::default();
    let mut set_aside = unfit.to_vec();
    let mut drafts = Vec::with_capacity(open.len());
    let mut closed = Vec::with_capacity(open.len());
    for (project, draft) in settled.drafts {
        if draft.is_ok() {
            closed.push((project.account, project.project));
        }
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
    // What is measured from now on is on later invoices; what was set aside stays open.
    florin_project::usage::close(tx, at, run.month, &closed).await?;
    store::set_aside::insert(tx, at, run.id, &set_aside).await?;
    let batch = Batch {
        issuer,
        kind: InvoiceKind::Monthly,
        run: Some(run.id),
        accounts: &settled.accounts,
        drafts: &drafts,
        collection: Collection::DefaultMethod,
    };
    let issued = issue(tx, at, call, &batch).await?;
    tally.invoiced = count(issued.len());
    tally.set_aside = count(set_aside.len());
    let is_ours = store::billing_range::advance(tx, range, to, tally, hold).await?;
    // Held to the commit: a run is canceled after this batch or before it, and then it is undone.
    if !is_ours || !store::billing_run::hold_running(tx, run.id).await? {
        return Err(Error::Overtaken);
    }
    Ok(issued.iter().filter_map(|issued| Some((issued.account, issued.to_drive?))).collect())
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}
