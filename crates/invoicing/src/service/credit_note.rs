//! Issuing credit notes (R7.9): lock, read, correct, write; the number is taken last.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, by the caller |
//! | why never more than invoiced | what was credited before is read under that lock; the database refuses it too |
//! | where does the money go | it lowers what is unpaid of the invoice first; the rest is the caller's to refund |
//! | and where credit had paid | it comes back as new lots, which only a correction of this kind can make |

use florin_credit::{
    ReturnCause, credit_id,
    lots::{GiveBack, give_back},
    settlement_id,
};
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    notice, outbox,
    wire::{account_name, money},
};
use florin_project::ProjectState;
use florin_settlement::{Instant, Money, ReturnedCredit};

use crate::{
    domain::{
        credit_note::{CreditNote, CreditNoteId, CreditNoteReason, Reduction, Returned, correct},
        debt::DebtEnding,
        invoice::{Invoice, InvoiceId, invoice_name},
        number::{Numbered, Series},
        standing::Standing,
    },
    error::Error,
    events::CreditNoteIssued,
    notices, store,
};

/// What happens with the money a note credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditedMoney {
    /// It lowers what is unpaid first; what is left is to be refunded.
    ToCustomer,
    /// The bank has taken it back already (R6.11): it lowers what is unpaid, and nothing is refunded.
    TakenBack,
}

/// A credit note to issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCreditNote {
    /// Whose.
    pub account: AccountId,
    /// The invoice it corrects.
    pub invoice: InvoiceId,
    /// By how much which lines are reduced.
    pub reductions: Vec<Reduction>,
    /// Why.
    pub reason: CreditNoteReason,
    /// Why, in words the customer may read.
    pub explanation: String,
    /// Where the money goes.
    pub money: CreditedMoney,
}

/// A credit note that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCreditNote {
    /// The note.
    pub note: CreditNote,
    /// What is to be refunded through the provider, with VAT.
    pub to_refund: Money,
}

/// Issues a credit note of the account, which is locked.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Correction`], also for more than was invoiced; [`Error::Collecting`] while the
/// invoice's payment is on its way: what it will come to is not known yet.
pub async fn issue_credit_note(
    tx: &Tx,
    at: Instant,
    call: &Call,
    new: &NewCreditNote,
) -> Result<IssuedCreditNote, Error> {
    let owner = new.account;
    let missing = || Error::NotFound(invoice_name(owner, new.invoice));
    let invoice = store::document::find(tx, owner, new.invoice).await?.ok_or_else(missing)?;
    let content = &invoice.content;
    match invoice.standing {
        Standing::Issued | Standing::Collecting { .. } => return Err(Error::Collecting(invoice.name())),
        Standing::Paid { .. } | Standing::Overdue { .. } | Standing::WrittenOff => {}
    }
    let record = store::settlement::find(tx, owner, new.invoice, content.currency).await?;
    let earlier = store::credit_note::earlier(tx, owner, new.invoice, content.currency).await?;
    let correction = correct(content, &record, &earlier, &new.reductions)?;
    let debt = store::debt::open_of(tx, owner, new.invoice).await?;
    let owed = debt.map(|debt| debt.owed()).transpose()?.unwrap_or(Money::zero(content.currency));
    let lowered_debt = correction.totals.amount_incl_tax.min(owed)?;

    let mut note = CreditNote {
        account: owner,
        id: CreditNoteId::generate(at),
        number: String::new(),
        invoice: new.invoice,
        project: content.project,
        issuer: content.issuer.clone(),
        currency: content.currency,
        reason: new.reason,
        explanation: new.explanation.clone(),
        lines: correction.lines,
        tax_lines: correction.tax_lines,
        returned: Vec::new(),
        totals: correction.totals,
        lowered_debt,
        issued: at,
    };
    note.returned = returned(tx, at, call, &note, &correction.credit).await?;
    store::credit_note::insert_parts(tx, &note).await?;
    if let Some(debt) = debt
        && lowered_debt.is_positive()
    {
        store::debt::lower(tx, owner, debt.id, lowered_debt).await?;
        if lowered_debt == owed {
            super::debts::end(tx, at, call, &invoice, &debt, DebtEnding::Credited).await?;
        }
    }
    let name = note.name();
    audit::record(tx, at, call, owner, &name).await?;
    number(tx, at, &mut note).await?;
    tell(tx, at, &invoice, &note).await?;
    let rest = note.totals.amount_incl_tax.checked_sub(lowered_debt)?;
    let to_refund = match new.money {
        CreditedMoney::ToCustomer => rest,
        CreditedMoney::TakenBack => Money::zero(content.currency),
    };
    Ok(IssuedCreditNote { note, to_refund })
}

/// Gives back what had been credit, as new lots; where the project is no more, they end at once (R6.8).
async fn returned(
    tx: &Tx,
    at: Instant,
    call: &Call,
    note: &CreditNote,
    credit: &[ReturnedCredit],
) -> Result<Vec<Returned>, Error> {
    if credit.is_empty() {
        return Ok(Vec::new());
    }
    let owner = note.account;
    let missing = || Error::NotFound(account_name(owner));
    let account = florin_account::find(tx, owner).await?.ok_or_else(missing)?;
    let document = note.name();
    let mut returned = Vec::with_capacity(credit.len());
    for credit in credit {
        let (source, amount) = (credit.source(), credit.amount());
        let back = GiveBack {
            source: credit_id(source),
            amount,
            cause: ReturnCause::CreditNote,
            document: &document,
        };
        let lot = give_back(tx, at, call, &account, back).await?;
        returned.push(Returned { source, lot: settlement_id(lot.id), amount });
    }
    let project = florin_project::find(tx, owner, note.project).await?;
    if project.is_none_or(|project| project.state == ProjectState::Deleted) {
        florin_credit::forfeit_project(tx, at, call, owner, note.project).await?;
    }
    Ok(returned)
}

/// Takes the number, last, and writes what carries it.
async fn number(tx: &Tx, at: Instant, note: &mut CreditNote) -> Result<(), Error> {
    let issuer = florin_account::issuer(tx, &note.issuer)
        .await?
        .ok_or_else(|| Error::NotFound(format!("issuers/{}", note.issuer)))?;
    let series = Series::of_credit_notes(&issuer.series_prefix);
    let block = store::number::take(tx, &issuer.id, series, 1, at).await?;
    let Some(number) = block.numbers().next() else {
        return Err(Error::NotFound(note.name()));
    };
    note.number = number.text();
    note.issued = block.issued;
    store::credit_note::insert(tx, note).await?;
    let numbered = Numbered { number, account: note.account, document: note.id.uuid() };
    store::number::assign(tx, &[numbered]).await?;
    Ok(())
}

async fn tell(tx: &Tx, at: Instant, invoice: &Invoice, note: &CreditNote) -> Result<(), Error> {
    let owner = note.account;
    let totals = note.totals;
    let fact = CreditNoteIssued {
        credit_note: note.name(),
        number: note.number.clone(),
        invoice: invoice.name(),
        net_total: Some(money(totals.net_total)),
        credit_returned: Some(money(totals.credit_returned)),
        tax_total: Some(money(totals.tax_total)),
        amount_incl_tax: Some(money(totals.amount_incl_tax)),
    };
    outbox::append(tx, at, owner, &fact).await?;
    let missing = || Error::NotFound(account_name(owner));
    let account = florin_account::find(tx, owner).await?.ok_or_else(missing)?;
    notice::raise(tx, at, owner, &notices::credited(&account, note, &invoice.number)).await?;
    Ok(())
}
