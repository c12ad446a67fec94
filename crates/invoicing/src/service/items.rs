//! Projects a run could not bill, billed later: with the run's own settlement instant, in the turn they are issued
//! in (R7.7). Until then their account's lapses wait (R7.3).
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, first; the item is read again under the lock |
//! | exactly once | an item that was settled is answered as it is; one invoice per project and month is also a unique key |
//! | what a failure leaves behind | its reason, the number of tries and who tried, in a transaction of their own |

use std::collections::BTreeMap;

use florin_payment::{PaymentId, Payments};
use florin_platform::{Platform, audit, call::Call, db::Tx, id::AccountId};
use florin_project::{BillableProject, ProjectId, project_name};
use florin_settlement::Instant;
use sea_orm::ConnectionTrait;

use super::{
    dunning::after_drive,
    issue::{Batch, Collection, issue},
    run::{found, issuer, run_name},
    settle::settle,
};
use crate::{
    domain::{
        billing_run::{BillingItem, BillingRun, BillingRunId, ItemOutcome, SetAside},
        draft::InvoiceDraft,
        invoice::InvoiceKind,
    },
    error::Error,
    store,
};

/// An item: a project of a run.
pub(crate) type ItemKey = (BillingRunId, ProjectId);

/// `billingRuns/{billing_run}/items/{item}`.
#[must_use]
pub(crate) fn item_name((run, project): ItemKey) -> String {
    format!("{}/items/{project}", run_name(run))
}

/// What an item would come to now.
struct Tried {
    run: BillingRun,
    draft: InvoiceDraft,
    accounts: BTreeMap<AccountId, florin_account::Account>,
}

/// The item, or NOT_FOUND.
pub(crate) async fn item(connection: &impl ConnectionTrait, key: ItemKey) -> Result<BillingItem, Error> {
    let found = store::set_aside::find(connection, key.0, key.1).await?;
    found.ok_or_else(|| Error::NotFound(item_name(key)))
}

/// Whether the item can be billed as things stand. If not, that is noted.
pub(crate) async fn check(platform: &Platform, call: &Call, key: ItemKey) -> Result<BillingItem, Error> {
    let reader = platform.db.reader();
    let item = item(reader, key).await?;
    if item.outcome.is_some() {
        return Ok(item);
    }
    match draft(reader, &item).await {
        Ok(_) => Ok(item),
        Err(error) if error.is_passing() => Err(error),
        Err(error) => {
            let aside = &SetAside { reason: error.chain(), ..item.aside };
            let note = |tx: Tx| async move {
                let now = platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[aside.account]).await?;
                store::set_aside::failed_again(&tx, key.0, aside).await?;
                audit::record(&tx, now, call, aside.account, &item_name(key)).await
            };
            platform.db.write(note).await?;
            Err(Error::Unfit { item: item_name(key), reason: aside.reason.clone() })
        }
    }
}

async fn draft(connection: &impl ConnectionTrait, item: &BillingItem) -> Result<Tried, Error> {
    let run = found(connection, item.run).await?;
    let (account, id) = (item.aside.account, item.aside.project);
    let project = florin_project::find(connection, account, id).await?;
    let project = project.ok_or_else(|| Error::NotFound(project_name(account, id)))?;
    let mut settled =
        settle(connection, run.month, run.settlement, &[BillableProject::from(&project)]).await?;
    let (_, draft) = settled.drafts.pop().ok_or_else(|| Error::NotFound(project_name(account, id)))?;
    Ok(Tried { run, draft: draft?, accounts: settled.accounts })
}

/// What [`retry`] would answer; nothing is kept, and a failure leaves no trace.
pub(crate) async fn rehearse(platform: &Platform, call: &Call, key: ItemKey) -> Result<BillingItem, Error> {
    let tx = platform.db.begin_write().await?;
    let answer = match platform.clock.now(&tx).await {
        Ok(now) => retry(&tx, now, call, key).await,
        Err(error) => Err(error.into()),
    };
    tx.rollback().await;
    match answer {
        Err(error @ (Error::NotFound(_) | Error::Unfit { .. })) => Err(error),
        Err(error) if !error.is_passing() => {
            Err(Error::Unfit { item: item_name(key), reason: error.chain() })
        }
        answer => answer,
    }
}

/// Bills the item; the account is locked here. An item that was settled before is answered as it is.
pub(crate) async fn retry(tx: &Tx, now: Instant, call: &Call, key: ItemKey) -> Result<BillingItem, Error> {
    let account = item(tx, key).await?.aside.account;
    florin_account::lock(tx, &[account]).await?;
    let item = item(tx, key).await?;
    if item.outcome.is_some() {
        return Ok(item);
    }
    let Tried { run, draft, accounts } = draft(tx, &item).await?;
    let issuer = issuer(tx, &run.issuer).await?;
    // Its month is closed now: what is measured from now on is on later invoices (R5.5).
    florin_project::usage::close(tx, now, run.month, &[(account, key.1)]).await?;
    let drafts = if draft.is_nothing_due() { Vec::new() } else { vec![draft] };
    let batch = Batch {
        issuer: &issuer,
        kind: InvoiceKind::Monthly,
        run: Some(run.id),
        accounts: &accounts,
        drafts: &drafts,
        collection: Collection::DefaultMethod,
    };
    let issued = issue(tx, now, call, &batch).await?.pop();
    let outcome = ItemOutcome { at: now, invoice: issued.map(|issued| issued.id) };
    store::set_aside::settle(tx, run.id, &item.aside, outcome).await?;
    audit::record(tx, now, call, account, &item_name(key)).await?;
    Ok(BillingItem { attempts: item.attempts.saturating_add(1), outcome: Some(outcome), ..item })
}

/// Collects the invoice of an item that was just billed. What does not get through is taken up by the payments' own
/// reconciliation.
///
/// # Errors
/// The database's.
pub(crate) async fn collect(
    platform: &Platform,
    payments: &Payments,
    call: &Call,
    key: ItemKey,
) -> Result<(), Error> {
    let item = item(platform.db.reader(), key).await?;
    let account = item.aside.account;
    let Some(payment) = payment_of(platform, &item).await? else { return Ok(()) };
    let driven = match payments.drive(call, account, payment).await {
        Ok(driven) => after_drive(platform, &driven).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = driven {
        tracing::warn!(%payment, error = &error as &dyn std::error::Error, "collection waits");
    }
    Ok(())
}

async fn payment_of(platform: &Platform, item: &BillingItem) -> Result<Option<PaymentId>, Error> {
    let Some(invoice) = item.outcome.and_then(|outcome| outcome.invoice) else { return Ok(None) };
    let found = store::document::find(platform.db.reader(), item.aside.account, invoice).await?;
    Ok(found.and_then(|invoice| invoice.standing.payment()))
}
