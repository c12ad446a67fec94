//! What becomes of an invoice's payment (R9.1), inside the transaction that records the payment's
//! outcome, with the account locked. Each once: the invoice's standing decides, whatever is repeated.

use florin_account::Account;
use florin_payment::{Dispute, Payment, Settled, payment_name};
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    notice, outbox,
    wire::{account_name, money},
};
use florin_settlement::{Instant, Money, Percentage};

use super::debts;
use crate::{
    domain::{
        debt::{DebtCause, DebtEnding},
        invoice::{Invoice, InvoiceId, invoice_name},
        standing::{Receipt, Standing},
    },
    error::Error,
    events::InvoicePaid,
    notices, store,
};

/// The money came: PAID, the debt closed, loyalty earned (R6.7). Money nobody waits for goes back.
pub(crate) async fn received(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: InvoiceId,
    payment: &Payment,
) -> Result<Settled, Error> {
    let invoice = owned(tx, payment.account, id).await?;
    let debt = store::debt::open_of(tx, payment.account, id).await?;
    let owed = match &debt {
        Some(debt) => debt.owed()?,
        None => invoice.content.totals.amount_incl_tax,
    };
    if payment.amount != owed {
        return Ok(Settled::Unwanted);
    }
    let paid = match invoice.standing.received(payment.id, at) {
        Receipt::Pays(standing) => standing,
        Receipt::AlreadyPaid => return Ok(Settled::Accepted),
        Receipt::Unwanted => return Ok(Settled::Unwanted),
    };
    let name = invoice.name();
    match debt {
        Some(debt) => debts::end(tx, at, call, &invoice, &debt, DebtEnding::Paid(payment.id)).await?,
        None => {
            store::standing::save(tx, at, payment.account, id, paid).await?;
            audit::record(tx, at, call, payment.account, &name).await?;
        }
    }
    let fact = InvoicePaid {
        invoice: name.clone(),
        amount_incl_tax: Some(money(payment.amount)),
        payment: payment_name(payment.account, payment.id),
    };
    outbox::append(tx, at, payment.account, &fact).await?;
    // Who pays again what had bounced has earned before.
    if debt.is_none_or(|debt| debt.cause != DebtCause::Bounced) {
        earn(tx, at, call, &invoice, &name).await?;
    }
    Ok(Settled::Accepted)
}

/// Loyalty is earned on what was paid in money, net, rounded down (R6.7).
async fn earn(tx: &Tx, at: Instant, call: &Call, invoice: &Invoice, name: &str) -> Result<(), Error> {
    let content = &invoice.content;
    let account = account(tx, content.account).await?;
    let issuer = florin_account::issuer(tx, &content.issuer)
        .await?
        .ok_or_else(|| Error::NotFound(format!("issuers/{}", content.issuer)))?;
    let rate = Percentage::try_new(issuer.loyalty_rate.percent())
        .map_err(|error| sea_orm::DbErr::Type(error.to_string()))?;
    florin_credit::loyalty::earn(tx, at, call, &account, name, content.totals.net_after_credit, rate).await?;
    Ok(())
}

/// The money will not come: OVERDUE, and a debt (R9.1).
pub(crate) async fn declined(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: InvoiceId,
    payment: &Payment,
) -> Result<(), Error> {
    let invoice = owned(tx, payment.account, id).await?;
    match invoice.standing.declined(payment.id) {
        Some(overdue) => {
            let amount = invoice.content.totals.amount_incl_tax;
            owed(tx, at, call, &invoice, overdue, DebtCause::Declined, amount).await
        }
        None => Ok(()),
    }
}

/// The bank took back money that paid the invoice: OVERDUE again, and a debt of so much (R3.7). Of money that
/// did not pay it, nothing is owed.
pub(crate) async fn bounced(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: InvoiceId,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), Error> {
    let invoice = owned(tx, payment.account, id).await?;
    match invoice.standing.bounced(payment.id) {
        Some(overdue) => owed(tx, at, call, &invoice, overdue, DebtCause::Bounced, dispute.amount).await,
        None => Ok(()),
    }
}

/// Money that bounced is here again: what is still owed for it is paid.
pub(crate) async fn bounce_reversed(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: InvoiceId,
    payment: &Payment,
) -> Result<(), Error> {
    let owner = payment.account;
    let invoice = owned(tx, owner, id).await?;
    if invoice.standing.bounce_reversed(payment.id, at).is_none() {
        return Ok(());
    }
    let Some(debt) = store::debt::open_of(tx, owner, id).await? else { return Ok(()) };
    debts::end(tx, at, call, &invoice, &debt, DebtEnding::DisputeWon).await?;
    let fact = InvoicePaid {
        invoice: invoice.name(),
        amount_incl_tax: Some(money(payment.amount)),
        payment: payment_name(owner, payment.id),
    };
    outbox::append(tx, at, owner, &fact).await?;
    Ok(())
}

async fn owed(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    overdue: Standing,
    cause: DebtCause,
    amount: Money,
) -> Result<(), Error> {
    debts::open(tx, at, call, invoice, overdue, amount, cause).await?;
    let account = account(tx, invoice.content.account).await?;
    notice::raise(tx, at, account.id, &notices::unpaid(&account, &invoice.number, amount)).await?;
    Ok(())
}

async fn owned(tx: &Tx, account: AccountId, id: InvoiceId) -> Result<Invoice, Error> {
    let found = store::document::find(tx, account, id).await?;
    found.ok_or_else(|| Error::NotFound(invoice_name(account, id)))
}

async fn account(tx: &Tx, id: AccountId) -> Result<Account, Error> {
    florin_account::find(tx, id).await?.ok_or_else(|| Error::NotFound(account_name(id)))
}
