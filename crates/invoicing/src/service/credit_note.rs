//! Issuing credit notes (R7.9): lock, read, correct, write; the number is taken last.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, by the caller |
//! | why never more than invoiced | what was credited before is read under that lock; the database refuses it too |
//! | where does the money go | it lowers what is unpaid of the invoice first, then what was given up of it; the rest was captured and goes back to its source, the provider being asked after the commit |
//! | what of loyalty the invoice earned | is taken back as far as it was earned on what is credited (R6.7) |
//! | and where credit had paid | it comes back as new lots, which only a correction of this kind can make |

use florin_account::AccountState;
use florin_credit::{
    ReturnCause, credit_id,
    lots::{GiveBack, give_back},
    loyalty, settlement_id,
};
use florin_payment::payment_name;
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    notice, outbox,
    wire::{account_name, money},
};
use florin_project::ProjectState;
use florin_settlement::{Currency, Instant, Money, ReturnedCredit};

use super::{
    collect::{self, loyalty_rate},
    debts, ledger, returns,
};
use crate::{
    domain::{
        credit_note::{Correction, CreditNote, CreditNoteId, CreditNoteReason, Refunded, Returned, correct},
        debt::{Debt, DebtEnding},
        extent::{Extent, reductions},
        invoice::{Invoice, InvoiceId, invoice_name},
        money::Posting,
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
    /// It lowers what is unpaid first; what is left of it and was captured goes back to its source.
    ToCustomer,
    /// The bank has taken it back already (R6.11): nothing is refunded, and it pays no debt.
    TakenBack,
}

/// A credit note to issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCreditNote {
    /// Whose.
    pub account: AccountId,
    /// The invoice it corrects.
    pub invoice: InvoiceId,
    /// How much of it is credited.
    pub extent: Extent,
    /// Why.
    pub reason: CreditNoteReason,
    /// Why, in words the customer may read.
    pub explanation: String,
    /// Where the money goes.
    pub money: CreditedMoney,
}

/// What a credit note will say and do: everything but what only writing it gives, its number and its lots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The invoice it corrects.
    pub(crate) invoice: Invoice,
    /// The note, without number and without the lots that come back.
    pub(crate) note: CreditNote,
    /// What comes back as credit.
    pub(crate) credit: Vec<ReturnedCredit>,
    /// What it lowers.
    debt: Option<Debt>,
    /// What of it had been given up.
    lost: Money,
    /// What is left in money of the invoice once it is credited, net: what loyalty is earned on (R6.7).
    net_left: Money,
}

/// Issues a credit note of the account, which is locked. What goes back through the provider is in
/// [`CreditNote::refunds`]; drive those payments after the commit, or leave them to the reconcile job.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Correction`], also for more than was invoiced; [`Error::Collecting`] while the
/// invoice's payment is on its way: what it will come to is not known yet; [`Error::SettlementPending`] while a payment
/// of the debt it would lower is on its way.
pub async fn issue_credit_note(
    tx: &Tx,
    at: Instant,
    call: &Call,
    new: &NewCreditNote,
) -> Result<CreditNote, Error> {
    let decided = decide(tx, at, new).await?;
    write(tx, at, call, decided).await
}

/// Decides what a credit note says and where its money goes; writes nothing.
pub(crate) async fn decide(tx: &Tx, at: Instant, new: &NewCreditNote) -> Result<Decided, Error> {
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
    let reductions = reductions(content, &earlier, &new.extent)?;
    let Correction { lines, tax_lines, credit, totals } = correct(content, &record, &earlier, &reductions)?;

    let Divided { debt, lowered_debt, lost, refunds } = match new.money {
        CreditedMoney::ToCustomer => divide(tx, &invoice, totals.amount_incl_tax).await?,
        CreditedMoney::TakenBack => Divided::nothing(content.currency),
    };
    let net_left =
        content.totals.net_after_credit.checked_sub(earlier.net_money)?.checked_sub(totals.net_money)?;
    let note = CreditNote {
        account: owner,
        id: CreditNoteId::generate(at),
        number: String::new(),
        invoice: new.invoice,
        project: content.project,
        issuer: content.issuer.clone(),
        currency: content.currency,
        reason: new.reason,
        explanation: new.explanation.clone(),
        lines,
        tax_lines,
        returned: Vec::new(),
        totals,
        lowered_debt,
        refunds,
        issued: at,
    };
    Ok(Decided { invoice, note, credit, debt, lost, net_left })
}

/// Where the money of a note goes.
struct Divided {
    debt: Option<Debt>,
    lowered_debt: Money,
    lost: Money,
    refunds: Vec<Refunded>,
}

impl Divided {
    fn nothing(currency: Currency) -> Self {
        let zero = Money::zero(currency);
        Self { debt: None, lowered_debt: zero, lost: zero, refunds: Vec::new() }
    }
}

/// `amount` lowers what is owed of `invoice`; of what was given up of it nobody paid anything; what is left goes back.
async fn divide(tx: &Tx, invoice: &Invoice, amount: Money) -> Result<Divided, Error> {
    let debt = store::debt::open_of(tx, invoice.content.account, invoice.id).await?;
    let owed = debt.map(|debt| debt.owed()).transpose()?.unwrap_or(Money::zero(amount.currency()));
    let lowered_debt = amount.min(owed)?;
    if let Some(debt) = debt.filter(|_| lowered_debt.is_positive()) {
        debt_is_quiet(tx, &debt).await?;
    }
    let rest = amount.checked_sub(lowered_debt)?;
    let lost = debts::lost(tx, invoice).await?.min(rest)?;
    let refunds = returns::sources(tx, invoice, rest.checked_sub(lost)?).await?;
    Ok(Divided { debt, lowered_debt, lost, refunds })
}

/// That no payment of `debt` is on its way: it would come for more than is owed once the note has lowered it, and go
/// back.
async fn debt_is_quiet(tx: &Tx, debt: &Debt) -> Result<(), Error> {
    match debts::on_its_way(tx, debt).await? {
        Some(payment) => {
            let payment = payment_name(debt.account, payment.id);
            Err(Error::SettlementPending { payment, lapses: None })
        }
        None => Ok(()),
    }
}

/// Writes what was decided, in the same transaction.
pub(crate) async fn write(tx: &Tx, at: Instant, call: &Call, decided: Decided) -> Result<CreditNote, Error> {
    let Decided { invoice, mut note, credit, debt, lost, net_left } = decided;
    let (owner, name) = (note.account, note.name());
    note.returned = returned(tx, at, call, &note, &credit).await?;
    store::credit_note::insert_parts(tx, &note).await?;
    if let Some(debt) = debt
        && note.lowered_debt.is_positive()
    {
        store::debt::lower(tx, owner, debt.id, note.lowered_debt).await?;
        if note.lowered_debt == debt.owed()? {
            debts::end(tx, at, call, &invoice, &debt, DebtEnding::Credited).await?;
            // Of what is left of it a bank had taken nothing back: that was paid.
            collect::earn_on(tx, at, call, &invoice, net_left).await?;
        }
    }
    returns::send(tx, at, &invoice, &name, &note.refunds).await?;
    let rate = loyalty_rate(tx, &invoice.content).await?;
    let earning = (invoice.name(), name.as_str());
    loyalty::take_back(tx, at, call, owner, (&earning.0, earning.1), net_left, rate).await?;
    ledger::post(tx, at, Posting::of_credit_note(&note, invoice.content.occasion.kind(), lost)?).await?;
    audit::record(tx, at, call, owner, &name).await?;
    number(tx, at, &mut note).await?;
    tell(tx, at, &invoice, &note).await?;
    Ok(note)
}

/// Gives back what had been credit, as new lots; where the project or the account is no more, they end at once (R6.8).
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
    if account.state == AccountState::Closed {
        florin_credit::forfeit_account(tx, at, call, owner).await?;
        return Ok(returned);
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
    let missing = || Error::NotFound(account_name(note.account));
    let account = florin_account::find(tx, note.account).await?.ok_or_else(missing)?;
    let kept = store::parties::keep(tx, at, &issuer, std::iter::once(&account)).await?;
    let parties = *kept.get(&note.account).ok_or_else(missing)?;
    let series = Series::of_credit_notes(&issuer.series_prefix, account.series);
    let block = store::number::take(tx, &issuer.id, series, 1, at).await?;
    let Some(number) = block.numbers().next() else {
        return Err(Error::NotFound(note.name()));
    };
    note.number = number.text();
    note.issued = block.issued;
    store::credit_note::insert(tx, note, parties).await?;
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
