//! Reads.

use florin_account::rights;
use florin_credit::project_name;
use florin_platform::{
    call::Call,
    id::{AccountId, Id, Kind},
    page::Page,
    violation::Violations,
    wire::account_name,
};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        billing_run::{BillingItem, BillingRun, BillingRunId, ItemState},
        credit_note::{CreditNote, CreditNoteId, credit_note_name},
        debt::{Debt, DebtId, debt_name},
        invoice::{Invoice, InvoiceId, invoice_name},
        record::{SettlementRecord, prove},
    },
    error::Error,
    store::{self, debt::Wanted, dunning::Planned, invoice::Filter},
};

/// How many projects that wait a run shows.
const SET_ASIDE_MAX: u64 = 1000;

/// The invoice, or NOT_FOUND, which is also what other customers' invoices are.
pub(crate) async fn invoice(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    id: InvoiceId,
) -> Result<Invoice, Error> {
    let missing = || Error::NotFound(invoice_name(account, id));
    if !call.may_see(account) && call.guest().is_none() {
        return Err(missing());
    }
    let found = store::document::find(connection, account, id).await?.ok_or_else(missing)?;
    let project = project_name(account, found.content.project);
    rights::reach(connection, call, account, &project, || invoice_name(account, id)).await?;
    Ok(found)
}

/// A page of the account's invoices, oldest first.
pub(crate) async fn invoices(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Invoice>, Error> {
    visible(connection, call, account, filter.project).await?;
    Ok(store::document::list(connection, account, filter, after(page)?, page.fetch()).await?)
}

/// The credit note, or NOT_FOUND, which is also what other customers' notes are.
pub(crate) async fn credit_note(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    id: CreditNoteId,
) -> Result<CreditNote, Error> {
    let missing = || Error::NotFound(credit_note_name(account, id));
    if !call.may_see(account) && call.guest().is_none() {
        return Err(missing());
    }
    let found = store::credit_note::find(connection, account, id).await?.ok_or_else(missing)?;
    let project = project_name(account, found.project);
    rights::reach(connection, call, account, &project, || credit_note_name(account, id)).await?;
    Ok(found)
}

/// A page of the account's credit notes, oldest first; of one invoice alone, if it is given.
pub(crate) async fn credit_notes(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    invoice: Option<InvoiceId>,
    page: &Page,
) -> Result<Vec<CreditNote>, Error> {
    let project = match invoice {
        Some(corrected) if !call.may_see(account) => {
            Some(self::invoice(connection, call, account, corrected).await?.content.project)
        }
        Some(_) | None => None,
    };
    visible(connection, call, account, project).await?;
    Ok(store::credit_note::list(connection, account, invoice, after(page)?, page.fetch()).await?)
}

/// A debt, what follows, and whether an operator holds the end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FollowedDebt {
    pub(crate) debt: Debt,
    pub(crate) planned: Option<Planned>,
    pub(crate) held: bool,
}

/// The debt, or NOT_FOUND, which is also what other customers' debts are. A guest sees those of invoices of a project
/// it holds a right on (R4.5).
pub(crate) async fn debt(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    id: DebtId,
) -> Result<FollowedDebt, Error> {
    let missing = || Error::NotFound(debt_name(account, id));
    if !call.may_see(account) && call.guest().is_none() {
        return Err(missing());
    }
    let debt = store::debt::find(connection, account, id).await?.ok_or_else(missing)?;
    if !call.may_see(account) {
        let invoice = store::document::find(connection, account, debt.invoice).await?.ok_or_else(missing)?;
        let project = project_name(account, invoice.content.project);
        rights::reach(connection, call, account, &project, || debt_name(account, id)).await?;
    }
    followed(connection, account, vec![debt]).await?.pop().ok_or_else(missing)
}

/// A page of the account's debts, oldest first.
pub(crate) async fn debts(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    wanted: Wanted,
    page: &Page,
) -> Result<Vec<FollowedDebt>, Error> {
    visible(connection, call, account, None).await?;
    let debts = store::debt::list(connection, account, wanted, after(page)?, page.fetch()).await?;
    followed(connection, account, debts).await
}

/// The open debts of the account, oldest first.
pub(crate) async fn open_debts(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<FollowedDebt>, Error> {
    let debts = store::debt::open_of_accounts(connection, &[account]).await?;
    followed(connection, account, debts).await
}

async fn followed(
    connection: &impl ConnectionTrait,
    account: AccountId,
    debts: Vec<Debt>,
) -> Result<Vec<FollowedDebt>, Error> {
    let planned = store::dunning::of_accounts(connection, &[account]).await?;
    let held = store::dunning::held(connection, &[account]).await?.contains(&account);
    let follow = |debt: Debt| FollowedDebt {
        planned: planned.iter().find(|planned| planned.debt == debt.id).copied(),
        debt,
        held,
    };
    Ok(debts.into_iter().map(follow).collect())
}

/// That there is such an account, and the caller may see it; a guest sees what is of `project` alone (R4.5).
pub(crate) async fn visible(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    project: Option<florin_project::ProjectId>,
) -> Result<(), Error> {
    let missing = || Error::NotFound(account_name(account));
    match project {
        Some(project) => {
            let project = project_name(account, project);
            rights::reach(connection, call, account, &project, || account_name(account)).await?;
        }
        None if call.may_see(account) => {}
        None => return Err(missing()),
    }
    if florin_account::find(connection, account).await?.is_none() {
        return Err(missing());
    }
    Ok(())
}

/// The invoice and the record of its settlement (R7.8).
pub(crate) async fn explanation(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    id: InvoiceId,
) -> Result<(Invoice, SettlementRecord), Error> {
    let invoice = invoice(connection, call, account, id).await?;
    let record = store::settlement::find(connection, account, id, invoice.content.currency).await?;
    Ok((invoice, record))
}

/// Recomputes the settlement of an invoice from its stored record alone, and proves that the law gives
/// exactly what was stored (R7.8).
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Proof`] with what differs.
pub async fn prove_settlement(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: InvoiceId,
) -> Result<(), Error> {
    let found = store::document::find(connection, account, id).await?;
    let invoice = found.ok_or_else(|| Error::NotFound(invoice_name(account, id)))?;
    let record = store::settlement::find(connection, account, id, invoice.content.currency).await?;
    prove(&invoice.content, &record)?;
    Ok(())
}

/// A run, what still waits of what it set aside, the first of it, and how much of it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) run: BillingRun,
    pub(crate) waiting: Vec<BillingItem>,
    pub(crate) settled_count: i64,
}

/// The report of a run.
pub(crate) async fn report(connection: &impl ConnectionTrait, run: BillingRun) -> Result<Report, Error> {
    let waits = [ItemState::SetAside];
    let waiting = store::set_aside::list(connection, run.id, &waits, None, SET_ASIDE_MAX).await?;
    let settled_count = store::set_aside::settled_count(connection, run.id).await?;
    Ok(Report { run, waiting, settled_count })
}

/// A page of what a run set aside, by project.
pub(crate) async fn billing_items(
    connection: &impl ConnectionTrait,
    run: BillingRunId,
    states: &[ItemState],
    page: &Page,
) -> Result<Vec<BillingItem>, Error> {
    Ok(store::set_aside::list(connection, run, states, after(page)?, page.fetch()).await?)
}

/// A page of runs, oldest first.
pub(crate) async fn runs(
    connection: &impl ConnectionTrait,
    issuer: Option<&str>,
    page: &Page,
) -> Result<Vec<BillingRun>, Error> {
    Ok(store::billing_run::list(connection, issuer, after(page)?, page.fetch()).await?)
}

fn after<K: Kind>(page: &Page) -> Result<Option<Id<K>>, Error> {
    let after = page.after.as_deref().map(Id::parse).transpose();
    Ok(after.map_err(|error| Violations::one("page_token", error))?)
}
