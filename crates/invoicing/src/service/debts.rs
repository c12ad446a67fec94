//! Debts begin and end here, and with them the state of their invoice (R8.2, R9.1). The account is locked.
//!
//! The last debt that kept the account's projects suspended lets them resume in the transaction that ends it
//! (R9.2).

use florin_payment::{Means, Payment, PaymentId, PaymentMethodId, PaymentState, payment_name};
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, outbox, wire::money};
use florin_settlement::{Instant, Money};
use sea_orm::DbErr;

use super::ledger;
use crate::{
    domain::{
        debt::{Debt, DebtCause, DebtEnding, debt_name},
        dunning::{Dunning, NextStep, Step},
        invoice::{Invoice, InvoiceId, invoice_name},
        money::{MoneyKind, Posting},
        standing::Standing,
    },
    error::Error,
    events::{DebtClosed, DebtOpened},
    store::{self, dunning::Planned},
};

/// Opens a debt of `amount` for `invoice`, which is `overdue` from now on.
pub(crate) async fn open(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    overdue: Standing,
    amount: Money,
    cause: DebtCause,
) -> Result<Debt, Error> {
    let (owner, name) = (invoice.content.account, invoice.name());
    store::standing::save(tx, at, owner, invoice.id, overdue).await?;
    let debt = Debt::open(owner, invoice.id, amount, cause, at);
    insert(tx, &[debt]).await?;
    audit::record(tx, at, call, owner, &name).await?;
    let fact = DebtOpened {
        invoice: name,
        amount_incl_tax: Some(money(amount)),
        payment: overdue.payment().map(|payment| payment_name(owner, payment)).unwrap_or_default(),
    };
    outbox::append(tx, at, owner, &fact).await?;
    Ok(debt)
}

/// `amount` of what `payment` had paid of `invoice` is owed again. A debt that is open already is taken into the new
/// one: an invoice has at most one.
pub(crate) async fn bounced(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    payment: PaymentId,
    amount: Money,
) -> Result<Debt, Error> {
    let owner = invoice.content.account;
    let open = store::debt::open_of(tx, owner, invoice.id).await?;
    let mut total = amount;
    if let Some(open) = &open {
        total = total.checked_add(open.owed()?)?;
        store::debt::close(tx, at, owner, open.id, DebtEnding::Credited).await?;
        store::dunning::end(tx, owner, open.id).await?;
    }
    let overdue = Standing::Overdue { payment: Some(payment) };
    let debt = self::open(tx, at, call, invoice, overdue, total, DebtCause::Bounced).await?;
    let name = debt_name(owner, debt.id);
    ledger::post(tx, at, Posting::of(owner, MoneyKind::OwedAgain, amount, at, &name)).await?;
    if let Some(open) = open {
        store::dispute::move_debt(tx, owner, open.id, debt.id).await?;
        store::bounce::move_debt(tx, owner, invoice.id, (open.id, debt.id)).await?;
    }
    Ok(debt)
}

/// Keeps new debts; the customer is told of each at once.
pub(crate) async fn insert(tx: &Tx, debts: &[Debt]) -> Result<(), DbErr> {
    store::debt::open(tx, debts).await?;
    let planned = debts.iter().map(|debt| planned(debt, Dunning::begin(debt.opened), debt.opened));
    store::dunning::begin(tx, &planned.collect::<Vec<_>>()).await
}

/// A payment of an open debt failed: its clock goes on, and the customer is told.
pub(crate) async fn failed(
    tx: &Tx,
    at: Instant,
    debt: &Debt,
    change: impl Fn(Dunning) -> Dunning,
) -> Result<(), Error> {
    let Some(before) = store::dunning::find(tx, debt.account, debt.id).await? else { return Ok(()) };
    let dunning = change(before.dunning.resumed(at));
    Ok(store::dunning::save(tx, &planned(debt, Dunning { untold: Some(at), ..dunning }, at)).await?)
}

/// The next step is to tell the customer, at once; what follows then is decided by the job, which knows the
/// rules.
fn planned(debt: &Debt, dunning: Dunning, at: Instant) -> Planned {
    let next = Some(NextStep { step: Step::Tell, at: Some(at) });
    Planned { account: debt.account, debt: debt.id, dunning, next }
}

/// What the end of a debt does to the books. What a credit note lowers, the note itself has told.
fn ended(at: Instant, debt: &Debt, ending: DebtEnding, invoice: &str) -> Result<Option<Posting>, Error> {
    let kind = match ending {
        DebtEnding::Paid(_) | DebtEnding::DisputeWon => MoneyKind::Applied,
        DebtEnding::WrittenOff => MoneyKind::WrittenOff,
        DebtEnding::Credited => return Ok(None),
    };
    Ok(Posting::of(debt.account, kind, debt.owed()?, at, invoice))
}

/// Ends the open debt of `invoice`. When no debt keeps the projects suspended any more, they resume.
pub(crate) async fn end(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    debt: &Debt,
    ending: DebtEnding,
) -> Result<(), Error> {
    let (owner, name) = (invoice.content.account, invoice.name());
    let standing = match ending {
        DebtEnding::Paid(payment) => Standing::Paid { payment: Some(payment), at },
        DebtEnding::Credited => Standing::Paid { payment: None, at },
        DebtEnding::DisputeWon => Standing::Paid { payment: invoice.standing.payment(), at },
        DebtEnding::WrittenOff => Standing::WrittenOff,
    };
    store::standing::save(tx, at, owner, invoice.id, standing).await?;
    store::debt::close(tx, at, owner, debt.id, ending).await?;
    ledger::post(tx, at, ended(at, debt, ending, &name)?).await?;
    store::dunning::end(tx, owner, debt.id).await?;
    audit::record(tx, at, call, owner, &name).await?;
    outbox::append(tx, at, owner, &DebtClosed { invoice: name }).await?;
    if !store::dunning::suspends(tx, owner).await? {
        florin_project::resume_all_of(tx, at, call, &[owner]).await?;
    }
    Ok(())
}

/// What of `invoice` was given up and is lost: no correction has taken the sale back since, and no dispute that was won
/// has brought the money.
pub(crate) async fn lost(tx: &Tx, invoice: &Invoice) -> Result<Money, Error> {
    let (owner, currency) = (invoice.content.account, invoice.content.currency);
    let mut given_up = Money::zero(currency);
    for debt in store::debt::of_invoice(tx, owner, invoice.id).await? {
        if debt.ended.map(|(_, ending)| ending) == Some(DebtEnding::WrittenOff) {
            given_up = given_up.checked_add(debt.owed()?)?;
        }
    }
    let corrected = store::credit_note::corrected(tx, owner, invoice.id, currency).await?;
    let recovered = store::bounce::recovered(tx, (owner, invoice.id), currency).await?;
    let found = corrected.forgiven.checked_add(recovered)?;
    Ok(given_up.checked_sub(found.min(given_up)?)?)
}

/// The payment on its way for a debt, alone or together with others, that has left the customer's hands.
pub(crate) async fn on_its_way(tx: &Tx, debt: &Debt) -> Result<Option<Payment>, Error> {
    let name = invoice_name(debt.account, debt.invoice);
    let mut payments = florin_payment::of_reference(tx, debt.account, &name).await?;
    if let Some(settlement) = store::debt_settlement::open_of(tx, debt.account).await? {
        payments.extend(florin_payment::find(tx, debt.account, settlement.payment).await?);
    }
    let moving = |payment: &Payment| {
        matches!(
            payment.state,
            PaymentState::Scheduled(_) | PaymentState::Processing(_) | PaymentState::Pending(_)
        )
    };
    Ok(payments.into_iter().find(moving))
}

/// The first VALID method in the customer's order that was not tried for the invoice, if the customer allowed it
/// (R9.1).
pub(crate) async fn other_method(
    tx: &Tx,
    account: AccountId,
    invoice: InvoiceId,
) -> Result<Option<PaymentMethodId>, Error> {
    // One of them may have become the default in place of the one that was declined for good.
    let mut methods = florin_payment::methods_valid(tx, account).await?;
    methods.retain(|method| method.fallback_order.is_some());
    if methods.is_empty() {
        return Ok(None);
    }
    methods.sort_by_key(|method| (method.fallback_order, method.id));
    let tried = florin_payment::of_reference(tx, account, &invoice_name(account, invoice)).await?;
    let tried = tried.into_iter().filter_map(|payment| match payment.means {
        Means::Method(method) => Some(method),
        Means::OneOff { .. } => None,
    });
    let tried = tried.collect::<Vec<_>>();
    Ok(methods.into_iter().map(|method| method.id).find(|method| !tried.contains(method)))
}
