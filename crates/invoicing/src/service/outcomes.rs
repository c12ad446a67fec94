//! What the outcome of a payment means: the one place that knows what was paid for.
//!
//! | reference | money came | money will not come | money was taken back | and is here again |
//! |---|---|---|---|---|
//! | a credit order | the order is paid, its lot issued, its project ACTIVE, a purchase invoice | the order awaits payment again | [`dispute::opened`](super::dispute) | [`dispute::won`](super::dispute) |
//! | an invoice | PAID, the debt closed, loyalty earned | OVERDUE, a debt | [`bounces::opened`](super::bounces) | [`bounces::won`](super::bounces) |
//!
//! Called by `payment` inside the transaction that records the outcome, with the account locked.

use florin_payment::{BoxError, Dispute, MoneyMoved, Outcomes, Payment, PaymentMethodId, Settled};
use florin_platform::{call::Call, db::Tx, id::AccountId, wire::parse_child};
use florin_settlement::Instant;

use super::{bounces, collect, dispute, ledger, pay, purchase::issue_purchase};
use crate::{
    domain::{
        debt::{DEBT_SETTLEMENTS, DebtSettlementId},
        invoice::{INVOICES, InvoiceId, invoice_name},
    },
    error::Error,
    store,
};

/// What payments of credit orders and invoices come to: [`florin_payment::Outcomes`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MoneyOutcomes;

enum Paid {
    Order(florin_credit::OrderId),
    Invoice(InvoiceId),
    Debts(DebtSettlementId),
}

fn paid_for(payment: &Payment) -> Result<Paid, Error> {
    let reference = &payment.reference;
    if let Some((owner, order)) = florin_credit::orders::of_reference(reference)
        && owner == payment.account
    {
        return Ok(Paid::Order(order));
    }
    if let Ok((owner, settlement)) = parse_child(DEBT_SETTLEMENTS, reference)
        && owner == payment.account
    {
        return Ok(Paid::Debts(settlement));
    }
    match parse_child(INVOICES, reference) {
        Ok((owner, invoice)) if owner == payment.account => Ok(Paid::Invoice(invoice)),
        Ok(_) | Err(_) => Err(Error::UnknownReference(reference.clone())),
    }
}

#[async_trait::async_trait]
impl Outcomes for MoneyOutcomes {
    async fn money_moved(
        &self,
        tx: &Tx,
        at: Instant,
        payment: &Payment,
        moved: MoneyMoved<'_>,
    ) -> Result<(), BoxError> {
        Ok(ledger::post(tx, at, ledger::moved(at, payment, moved)).await?)
    }

    async fn settled(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
    ) -> Result<Settled, BoxError> {
        match paid_for(payment)? {
            Paid::Order(order) => Ok(order_paid(tx, at, call, order, payment).await?),
            Paid::Invoice(invoice) => Ok(collect::received(tx, at, call, invoice, payment).await?),
            Paid::Debts(settlement) => Ok(pay::received(tx, at, call, settlement, payment).await?),
        }
    }

    async fn failed(&self, tx: &Tx, at: Instant, call: &Call, payment: &Payment) -> Result<(), BoxError> {
        match paid_for(payment)? {
            Paid::Order(order) => {
                florin_credit::orders::payment_failed(tx, at, call, payment.account, order, payment).await?;
            }
            Paid::Invoice(invoice) => collect::declined(tx, at, call, invoice, payment).await?,
            Paid::Debts(settlement) => pay::failed(tx, at, settlement, payment).await?,
        }
        Ok(())
    }

    async fn disputed(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
        disputed: &Dispute,
    ) -> Result<(), BoxError> {
        match paid_for(payment)? {
            Paid::Order(order) => dispute::opened(tx, at, call, order, payment, disputed).await?,
            Paid::Invoice(invoice) => collect::bounced(tx, at, call, invoice, payment, disputed).await?,
            Paid::Debts(settlement) => pay::bounced(tx, at, call, settlement, payment, disputed).await?,
        }
        Ok(())
    }

    async fn dispute_won(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
        disputed: &Dispute,
    ) -> Result<(), BoxError> {
        match paid_for(payment)? {
            Paid::Order(order) => dispute::won(tx, at, call, order, payment, disputed).await?,
            Paid::Invoice(_) | Paid::Debts(_) => bounces::won(tx, at, call, payment, disputed).await?,
        }
        Ok(())
    }

    async fn method_valid(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        _method: PaymentMethodId,
    ) -> Result<(), BoxError> {
        florin_project::activate_pending_of(tx, at, call, account).await?;
        store::dunning::retryable(tx, account, at).await?;
        Ok(())
    }

    async fn method_refused(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), BoxError> {
        florin_project::cancel_pending_for_method(tx, at, call, account, method).await?;
        Ok(())
    }
}

/// The order is paid, exactly once however often the payment is confirmed (R6.4): its lot, its purchase
/// invoice, its project. The project is ACTIVE also where the lot waits for the right of withdrawal: its
/// funding has succeeded.
async fn order_paid(
    tx: &Tx,
    at: Instant,
    call: &Call,
    order: florin_credit::OrderId,
    payment: &Payment,
) -> Result<Settled, Error> {
    use florin_credit::orders::{PaidOrder, invoiced, paid};
    let order = match paid(tx, at, call, &florin_project::Gate, (payment.account, order), payment).await? {
        PaidOrder::NotPayable => return Ok(Settled::Unwanted),
        PaidOrder::Already(_) => return Ok(Settled::Accepted),
        PaidOrder::Issued(_, order) | PaidOrder::Deferred(order) => order,
    };
    let invoice = issue_purchase(tx, at, call, &order, payment.id).await?;
    invoiced(tx, at, payment.account, order.id, &invoice_name(payment.account, invoice)).await?;
    florin_project::activate(tx, at, call, payment.account, order.project).await?;
    Ok(Settled::Accepted)
}
