//! Paying invoices and debts when the customer asks to (R9.3), and what becomes of such payments.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, first |
//! | what pays | any VALID method of the account; credit pays nothing here: lots pay at issue (R9.4) |
//! | who pays | the account; for an invoice of one project also who holds a right to, with the default method (R4.5) |
//! | one at a time | an open settlement keeps others away, and so does a payment of one of its invoices |
//! | what if the customer never starts | a settlement that waits for the customer lapses after one hour |
//! | money for what is paid otherwise meanwhile | goes back to its source |

use florin_payment::{
    Dispute, Initiator, Means, NewPayment, Payment, PaymentId, PaymentMethodId, PaymentState, Settled,
    payment_name,
};
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, wire::account_name};
use florin_settlement::{Instant, Money};

use super::{bounces, collect, debts, query};
use crate::{
    domain::{
        debt::{
            Debt, DebtEnding, DebtId, DebtSettlement, DebtSettlementId, STARTED_WITHIN_SECONDS, debt_name,
            debt_settlement_name,
        },
        invoice::{InvoiceId, invoice_name},
        standing::Standing,
    },
    error::Error,
    store::{self, debt_settlement::SettlementEnd},
};

/// How many debts one payment takes at most.
const DEBTS_MAX: usize = 100;
/// A settlement that has begun is looked at again after so many seconds.
const LOOK_AGAIN_SECONDS: u64 = 24 * 3600;

/// Begins the payment of one invoice with `method`.
pub(crate) async fn begin_invoice(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    id: InvoiceId,
    method: PaymentMethodId,
) -> Result<PaymentId, Error> {
    florin_account::lock(tx, &[account]).await?;
    let name = invoice_name(account, id);
    // Asked again with the account locked: a right that was taken back pays nothing.
    let invoice = query::invoice(tx, call, account, id).await?;
    admit_method(tx, call, account, method).await?;
    let debt = store::debt::open_of(tx, account, id).await?;
    let amount = match (invoice.standing, &debt) {
        (Standing::Overdue { .. }, Some(debt)) => debt.owed()?,
        (Standing::Issued | Standing::Collecting { .. }, None) => invoice.content.totals.amount_incl_tax,
        (standing, _) => return Err(Error::NotPayable { invoice: name, state: standing.state().as_str() }),
    };
    if let Some(debt) = debt {
        nothing_pending(tx, at, account, &[debt]).await?;
    }
    let new =
        NewPayment { amount, reference: name, means: Means::Method(method), initiator: Initiator::Customer };
    let payment = florin_payment::begin(tx, at, call, account, new).await?;
    let standing = match invoice.standing {
        Standing::Overdue { .. } => Standing::Overdue { payment: Some(payment) },
        Standing::Issued | Standing::Collecting { .. } | Standing::Paid { .. } | Standing::WrittenOff => {
            Standing::Collecting { payment }
        }
    };
    store::standing::save(tx, at, account, id, standing).await?;
    Ok(payment)
}

/// That `method` may pay: any of the account's own choice, only the default one of another's (R4.5).
async fn admit_method(
    tx: &Tx,
    call: &Call,
    account: AccountId,
    method: PaymentMethodId,
) -> Result<(), Error> {
    if call.may_see(account) {
        return Ok(());
    }
    let default = florin_payment::default_method(tx, account).await?;
    let is_default = default.is_some_and(|default| default.id == method);
    if is_default { Ok(()) } else { Err(Error::OnlyDefaultMethod) }
}

/// Begins one payment for `wanted` debts, or for all that are open when none is named.
pub(crate) async fn begin_debts(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    wanted: &[DebtId],
    method: PaymentMethodId,
) -> Result<PaymentId, Error> {
    florin_account::lock(tx, &[account]).await?;
    let debts = open_debts(tx, account, wanted).await?;
    nothing_pending(tx, at, account, &debts).await?;
    let mut items = Vec::with_capacity(debts.len());
    for debt in &debts {
        items.push((debt.id, debt.owed()?));
    }
    let Some(currency) = debts.first().map(|debt| debt.amount.currency()) else {
        return Err(Error::NothingOwed);
    };
    let amount = Money::sum(items.iter().map(|(_, amount)| *amount), currency)?;
    let id = DebtSettlementId::generate(at);
    let new = NewPayment {
        amount,
        reference: debt_settlement_name(account, id),
        means: Means::Method(method),
        initiator: Initiator::Customer,
    };
    let payment = florin_payment::begin(tx, at, call, account, new).await?;
    let lapses = at.plus_seconds(STARTED_WITHIN_SECONDS);
    let settlement = DebtSettlement { account, id, payment, created: at, lapses };
    store::debt_settlement::insert(tx, &settlement, &items).await?;
    Ok(payment)
}

async fn open_debts(tx: &Tx, account: AccountId, wanted: &[DebtId]) -> Result<Vec<Debt>, Error> {
    let mut open = store::debt::open_of_accounts(tx, &[account]).await?;
    for id in wanted {
        if open.iter().any(|debt| debt.id == *id) {
            continue;
        }
        return Err(match store::debt::find(tx, account, *id).await? {
            Some(_) => Error::DebtClosed(debt_name(account, *id)),
            None => Error::NotFound(debt_name(account, *id)),
        });
    }
    if !wanted.is_empty() {
        open.retain(|debt| wanted.contains(&debt.id));
    }
    open.truncate(DEBTS_MAX);
    Ok(open)
}

/// That no payment is on its way for any of `debts`, and no settlement of the account is open (R9.3). One that
/// waited for the customer for an hour lapses here.
async fn nothing_pending(tx: &Tx, at: Instant, account: AccountId, debts: &[Debt]) -> Result<(), Error> {
    if let Some(open) = store::debt_settlement::open_of(tx, account).await? {
        let payment = florin_payment::find(tx, account, open.payment).await?;
        let waits =
            payment.is_some_and(|payment| matches!(payment.state, PaymentState::ActionRequired { .. }));
        if waits && open.lapses <= at {
            store::debt_settlement::end(tx, account, open.id, SettlementEnd::Lapsed).await?;
        } else {
            return Err(Error::SettlementPending {
                payment: payment_name(account, open.payment),
                lapses: waits.then_some(open.lapses),
            });
        }
    }
    for debt in debts {
        if let Some(payment) = debts::on_its_way(tx, debt).await? {
            let payment = payment_name(account, payment.id);
            return Err(Error::SettlementPending { payment, lapses: None });
        }
    }
    Ok(())
}

/// The hour of a settlement is over: it lapses if it still waits for the customer.
pub(crate) async fn lapse(tx: &Tx, at: Instant, settlement: DebtSettlement) -> Result<(), Error> {
    let account = settlement.account;
    florin_account::lock(tx, &[account]).await?;
    let payment = florin_payment::find(tx, account, settlement.payment).await?;
    match payment.map(|payment| payment.state) {
        Some(PaymentState::Scheduled(_) | PaymentState::Processing(_) | PaymentState::Pending(_)) => {
            let until = at.plus_seconds(LOOK_AGAIN_SECONDS);
            store::debt_settlement::put_off(tx, account, settlement.id, until).await?;
        }
        Some(
            PaymentState::ActionRequired { .. }
            | PaymentState::Succeeded { .. }
            | PaymentState::Declined { .. }
            | PaymentState::Refunded { .. },
        )
        | None => store::debt_settlement::end(tx, account, settlement.id, SettlementEnd::Lapsed).await?,
    }
    Ok(())
}

/// A payment for debts succeeded. It is wanted as long as each of them is still owed as it was, also when the
/// customer took longer than an hour.
pub(crate) async fn received(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: DebtSettlementId,
    payment: &Payment,
) -> Result<Settled, Error> {
    let account = payment.account;
    let items = store::debt_settlement::items(tx, account, id, payment.amount.currency()).await?;
    let mut owed = Vec::with_capacity(items.len());
    for (debt, amount) in &items {
        match store::debt::find(tx, account, *debt).await? {
            Some(debt) if debt.is_open() && debt.owed()? == *amount => owed.push(debt),
            Some(_) | None => {
                store::debt_settlement::end(tx, account, id, SettlementEnd::Failed).await?;
                return Ok(Settled::Unwanted);
            }
        }
    }
    store::debt_settlement::end(tx, account, id, SettlementEnd::Paid).await?;
    for debt in owed {
        collect::paid(tx, at, call, &debt, payment).await?;
    }
    Ok(Settled::Accepted)
}

/// A payment for debts failed: their clocks go on.
pub(crate) async fn failed(
    tx: &Tx,
    at: Instant,
    id: DebtSettlementId,
    payment: &Payment,
) -> Result<(), Error> {
    let account = payment.account;
    store::debt_settlement::end(tx, account, id, SettlementEnd::Failed).await?;
    for (debt, _) in store::debt_settlement::items(tx, account, id, payment.amount.currency()).await? {
        if let Some(debt) = store::debt::find(tx, account, debt).await?
            && debt.is_open()
        {
            debts::failed(tx, at, &debt, |dunning| dunning).await?;
        }
    }
    Ok(())
}

/// The clocks of the debts of a pending payment stand still from its beginning on.
pub(crate) async fn pause(tx: &Tx, id: DebtSettlementId, payment: &Payment) -> Result<(), Error> {
    let account = payment.account;
    for (debt, _) in store::debt_settlement::items(tx, account, id, payment.amount.currency()).await? {
        if let Some(debt) = store::debt::find(tx, account, debt).await? {
            super::dunning::pause(tx, account, debt.invoice, payment.created).await?;
        }
    }
    Ok(())
}

/// The bank took back what paid several debts: as much of each is owed again, the oldest first.
pub(crate) async fn bounced(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: DebtSettlementId,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), Error> {
    if bounces::is_known(tx, payment, dispute).await? {
        return Ok(());
    }
    let account = payment.account;
    let mut left = dispute.amount;
    for (debt, paid) in store::debt_settlement::items(tx, account, id, left.currency()).await? {
        let Some(debt) = store::debt::find(tx, account, debt).await? else { continue };
        if debt.ended.map(|(_, ending)| ending) != Some(DebtEnding::Paid(payment.id)) {
            continue;
        }
        let held = store::bounce::held(tx, (account, debt.invoice), payment.id, left.currency()).await?;
        let amount = paid.checked_sub(held)?.min(left)?;
        if amount.is_positive() {
            left = left.checked_sub(amount)?;
            bounces::opened(tx, at, call, debt.invoice, payment, (dispute.id, amount)).await?;
        }
    }
    Ok(())
}

/// An operator gives up a debt (R6.13: the caller has seen to the second one).
pub(crate) async fn write_off(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    id: DebtId,
) -> Result<Debt, Error> {
    let debt = owed(tx, account, id).await?;
    if let Some(payment) = debts::on_its_way(tx, &debt).await? {
        let payment = payment_name(account, payment.id);
        return Err(Error::SettlementPending { payment, lapses: None });
    }
    let name = invoice_name(account, debt.invoice);
    let invoice =
        store::document::find(tx, account, debt.invoice).await?.ok_or_else(|| Error::NotFound(name))?;
    debts::end(tx, at, call, &invoice, &debt, DebtEnding::WrittenOff).await?;
    audit::record(tx, at, call, account, &debt_name(account, id)).await?;
    store::debt::find(tx, account, id).await?.ok_or_else(|| Error::NotFound(debt_name(account, id)))
}

/// The debt, which must be open; its account is locked from here on.
pub(crate) async fn owed(tx: &Tx, account: AccountId, id: DebtId) -> Result<Debt, Error> {
    florin_account::lock(tx, &[account]).await?;
    let missing = || Error::NotFound(debt_name(account, id));
    let debt = store::debt::find(tx, account, id).await?.ok_or_else(missing)?;
    if debt.is_open() { Ok(debt) } else { Err(Error::DebtClosed(debt_name(account, id))) }
}

/// An operator holds the deletion of the account's projects by dunning, or lets it go on.
pub(crate) async fn hold(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    reason: Option<&str>,
) -> Result<(), Error> {
    florin_account::lock(tx, &[account]).await?;
    let missing = || Error::NotFound(account_name(account));
    florin_account::find(tx, account).await?.ok_or_else(missing)?;
    match reason {
        Some(reason) => {
            store::dunning::hold(tx, at, account, &call.principal.to_string(), reason).await?;
        }
        None => {
            store::dunning::release(tx, account).await?;
        }
    }
    // What follows is decided anew, at once.
    store::dunning::look_again(tx, account, at).await?;
    audit::record(tx, at, call, account, &account_name(account)).await?;
    Ok(())
}
