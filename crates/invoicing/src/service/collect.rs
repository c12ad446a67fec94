//! What becomes of an invoice's payment (R9.1), inside the transaction that records the payment's
//! outcome, with the account locked. Each once: the invoice's standing decides, whatever is repeated.

use florin_account::Account;
use florin_payment::{
    Dispute, Finality, Initiator, Means, Payment, PaymentState, Settled, default_method, payment_name,
};
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    outbox,
    wire::{account_name, money},
};
use florin_settlement::{Instant, Money, Percentage};

use super::{bounces, debts, ledger};
use crate::{
    domain::{
        debt::{Debt, DebtCause, DebtEnding},
        dunning::Dunning,
        invoice::{Content, Invoice, InvoiceId, Occasion, invoice_name},
        money::{MoneyKind, Posting},
        standing::Receipt,
    },
    error::Error,
    events::InvoicePaid,
    store,
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
    let paid = match invoice.standing.received(payment.id, at) {
        Receipt::Pays(standing) => standing,
        Receipt::AlreadyPaid => return already(tx, id, &invoice, payment).await,
        Receipt::Unwanted => return Ok(Settled::Unwanted),
    };
    let debt = store::debt::open_of(tx, payment.account, id).await?;
    let owed = match &debt {
        Some(debt) => debt.owed()?,
        None => invoice.content.totals.amount_incl_tax,
    };
    if payment.amount != owed {
        return Ok(Settled::Unwanted);
    }
    match debt {
        Some(debt) => self::paid(tx, at, call, &debt, payment).await?,
        None => {
            store::standing::save(tx, at, payment.account, id, paid).await?;
            let (owner, amount) = (payment.account, payment.amount);
            ledger::post(tx, at, Posting::of(owner, MoneyKind::Applied, amount, at, &invoice.name())).await?;
            audit::record(tx, at, call, payment.account, &invoice.name()).await?;
            tell_paid(tx, at, &invoice, payment, payment.amount).await?;
            earn(tx, at, call, &invoice).await?;
        }
    }
    Ok(Settled::Accepted)
}

/// `payment` had paid the invoice, or the debt of it: told again, it changes nothing.
async fn already(tx: &Tx, id: InvoiceId, invoice: &Invoice, payment: &Payment) -> Result<Settled, Error> {
    let paid = match store::debt::paid_by(tx, payment.account, id, payment.id).await? {
        Some(debt) => debt.owed()?,
        None => invoice.content.totals.amount_incl_tax,
    };
    Ok(if payment.amount == paid { Settled::Accepted } else { Settled::Unwanted })
}

/// `payment` pays an open debt, alone or with others: the invoice is PAID, and what was suspended resumes.
pub(crate) async fn paid(
    tx: &Tx,
    at: Instant,
    call: &Call,
    debt: &Debt,
    payment: &Payment,
) -> Result<(), Error> {
    let invoice = owned(tx, payment.account, debt.invoice).await?;
    debts::end(tx, at, call, &invoice, debt, DebtEnding::Paid(payment.id)).await?;
    tell_paid(tx, at, &invoice, payment, debt.owed()?).await?;
    earn(tx, at, call, &invoice).await
}

pub(crate) async fn tell_paid(
    tx: &Tx,
    at: Instant,
    invoice: &Invoice,
    payment: &Payment,
    amount: Money,
) -> Result<(), Error> {
    let fact = InvoicePaid {
        invoice: invoice.name(),
        amount_incl_tax: Some(money(amount)),
        payment: payment_name(payment.account, payment.id),
    };
    outbox::append(tx, at, payment.account, &fact).await?;
    Ok(())
}

/// Loyalty is earned on what was paid in money and not credited, net, rounded down (R6.7); bought credit earns none.
/// Done again it gives nothing; what a bounce took back is earned again.
pub(crate) async fn earn(tx: &Tx, at: Instant, call: &Call, invoice: &Invoice) -> Result<(), Error> {
    let content = &invoice.content;
    let credited = store::credit_note::net_money(tx, content.account, invoice.id, content.currency).await?;
    earn_on(tx, at, call, invoice, content.totals.net_after_credit.checked_sub(credited)?).await
}

/// As [`earn`], on what is known to be paid in money, net.
pub(crate) async fn earn_on(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    net: Money,
) -> Result<(), Error> {
    let content = &invoice.content;
    match content.occasion {
        Occasion::Purchase(_) => return Ok(()),
        Occasion::Monthly(_) | Occasion::ProRata { .. } | Occasion::Final => {}
    }
    let account = account(tx, content.account).await?;
    let rate = loyalty_rate(tx, content).await?;
    florin_credit::loyalty::earn(tx, at, call, &account, &invoice.name(), net, rate).await?;
    Ok(())
}

/// What share of what is paid in money the issuer of `content` gives as loyalty.
pub(crate) async fn loyalty_rate(tx: &Tx, content: &Content) -> Result<Percentage, Error> {
    let issuer = florin_account::issuer(tx, &content.issuer)
        .await?
        .ok_or_else(|| Error::NotFound(format!("issuers/{}", content.issuer)))?;
    Ok(Percentage::try_new(issuer.loyalty_rate.percent())
        .map_err(|error| sea_orm::DbErr::Type(error.to_string()))?)
}

/// The money will not come: OVERDUE, and a debt (R9.1). Of a debt there is already, the dunning goes on.
pub(crate) async fn declined(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: InvoiceId,
    payment: &Payment,
) -> Result<(), Error> {
    let invoice = owned(tx, payment.account, id).await?;
    let debt = match invoice.standing.declined(payment.id) {
        Some(overdue) => {
            let amount = invoice.content.totals.amount_incl_tax;
            debts::open(tx, at, call, &invoice, overdue, amount, DebtCause::Declined).await?
        }
        None => match store::debt::open_of(tx, payment.account, id).await? {
            Some(debt) => debt,
            None => return Ok(()),
        },
    };
    let change = after_decline(tx, at, id, payment).await?;
    debts::failed(tx, at, &debt, change).await
}

/// What a decline says about trying again (R3.6, R9.1): on the default method after a soft one, on the
/// customer's others after a final one, and on the next of those after any of theirs.
async fn after_decline(
    tx: &Tx,
    at: Instant,
    id: InvoiceId,
    payment: &Payment,
) -> Result<impl Fn(Dunning) -> Dunning + use<>, Error> {
    let by_merchant = payment.initiator == Initiator::Merchant;
    let is_final = matches!(&payment.state, PaymentState::Declined { finality: Finality::Final, .. });
    let default = default_method(tx, payment.account).await?.map(|method| method.id);
    let on_default = match payment.means {
        Means::Method(method) => Some(method) == default,
        Means::OneOff { .. } => false,
    };
    let try_others = by_merchant
        && (is_final || !on_default)
        && debts::other_method(tx, payment.account, id).await?.is_some();
    Ok(move |dunning: Dunning| Dunning {
        retryable: if by_merchant && on_default { !is_final } else { dunning.retryable },
        try_others: try_others.then_some(at),
        ..dunning
    })
}

/// The bank took back money that had paid the invoice: OVERDUE again, and a debt of so much (R3.7).
pub(crate) async fn bounced(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: InvoiceId,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), Error> {
    if bounces::is_known(tx, payment, dispute).await? {
        return Ok(());
    }
    bounces::opened(tx, at, call, id, payment, (dispute.id, dispute.amount)).await
}

pub(crate) async fn owned(tx: &Tx, account: AccountId, id: InvoiceId) -> Result<Invoice, Error> {
    let found = store::document::find(tx, account, id).await?;
    found.ok_or_else(|| Error::NotFound(invoice_name(account, id)))
}

async fn account(tx: &Tx, id: AccountId) -> Result<Account, Error> {
    florin_account::find(tx, id).await?.ok_or_else(|| Error::NotFound(account_name(id)))
}
