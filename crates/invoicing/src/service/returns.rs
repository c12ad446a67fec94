//! Money of an invoice that goes back to its source: because of a credit note, or of a dispute that was won after
//! somebody else had paid (R7.9, R3.7).
//!
//! | question | answer |
//! |---|---|
//! | of which payments | those that paid the invoice or a debt of it, the latest first |
//! | how much of each | what was captured for this invoice, less what went back and what the bank holds: never more |
//! | what makes it happen once | a refund per payment and source, which also names the invoice |
//! | when is the provider asked | after the commit; what is cut off is taken up by the reconcile job |

use florin_payment::{Payment, PaymentId, Payments, Purpose, refundable};
use florin_platform::{call::Call, db::Tx, id::AccountId};
use florin_settlement::{Instant, Money};

use crate::{
    domain::{
        credit_note::Refunded,
        debt::DebtEnding,
        invoice::{Invoice, Occasion},
    },
    error::Error,
    store::{self, refund::InvoiceRefund},
};

/// Of which payments `amount` of `invoice` would go back; less of it if less was captured.
pub(crate) async fn sources(tx: &Tx, invoice: &Invoice, amount: Money) -> Result<Vec<Refunded>, Error> {
    let mut left = amount;
    let mut refunds = Vec::new();
    for (payment, captured) in captured(tx, invoice).await? {
        let amount = captured.min(left)?;
        if amount.is_positive() {
            left = left.checked_sub(amount)?;
            refunds.push(Refunded { payment, amount });
        }
    }
    Ok(refunds)
}

/// Has `refunds` of `invoice` go back because of `source`, which does so once.
pub(crate) async fn send(
    tx: &Tx,
    at: Instant,
    invoice: &Invoice,
    source: &str,
    refunds: &[Refunded],
) -> Result<(), Error> {
    let owner = invoice.content.account;
    for refunded in refunds {
        let purpose = Purpose::named(source).ok_or_else(|| Error::UnknownReference(source.to_owned()))?;
        florin_payment::refund(tx, at, owner, refunded.payment, refunded.amount, purpose).await?;
        let refund = InvoiceRefund { source: source.to_owned(), refunded: *refunded };
        store::refund::insert(tx, at, (owner, invoice.id), &refund).await?;
    }
    Ok(())
}

/// Asks the provider to give back what was stored of `payment`, with no transaction open. What does not work now the
/// reconcile job does.
pub(crate) async fn drive(payments: &Payments, call: &Call, owner: AccountId, payment: PaymentId) {
    if let Err(error) = payments.drive(call, owner, payment).await {
        tracing::warn!(%payment, error = &error as &dyn std::error::Error, "a refund waits");
    }
}

/// What is here of the money of `invoice`, by payment, the latest first.
async fn captured(tx: &Tx, invoice: &Invoice) -> Result<Vec<(PaymentId, Money)>, Error> {
    let (owner, name) = (invoice.content.account, invoice.name());
    let mut captured = Vec::new();
    for payment in direct(tx, invoice, &name).await? {
        captured.push((payment.id, refundable(tx, &payment).await?));
    }
    for debt in store::debt::of_invoice(tx, owner, invoice.id).await? {
        let Some((_, DebtEnding::Paid(id))) = debt.ended else { continue };
        if captured.iter().any(|(known, _)| *known == id) {
            continue;
        }
        if let Some(payment) = florin_payment::find(tx, owner, id).await? {
            let share = share_of(tx, invoice, id, debt.owed()?).await?;
            captured.push((id, share.min(refundable(tx, &payment).await?)?));
        }
    }
    captured.sort_by_key(|(payment, _)| std::cmp::Reverse(*payment));
    Ok(captured)
}

/// The payments of nothing but this invoice.
async fn direct(tx: &Tx, invoice: &Invoice, name: &str) -> Result<Vec<Payment>, Error> {
    let owner = invoice.content.account;
    let mut payments = florin_payment::of_reference(tx, owner, name).await?;
    match invoice.content.occasion {
        // Its payment names the order.
        Occasion::Purchase(order) => {
            let order = florin_credit::orders::find(tx, owner, order).await?;
            if let Some(payment) = order.and_then(|order| order.payment) {
                payments.extend(florin_payment::find(tx, owner, payment).await?);
            }
        }
        Occasion::Monthly(_) | Occasion::ProRata { .. } | Occasion::Final => {}
    }
    Ok(payments)
}

/// What is here of `paid`, the part of `payment` that paid a debt of `invoice` beside others.
async fn share_of(tx: &Tx, invoice: &Invoice, payment: PaymentId, paid: Money) -> Result<Money, Error> {
    let (key, currency) = ((invoice.content.account, invoice.id), invoice.content.currency);
    let back = store::refund::of_payment(tx, key, payment, currency).await?;
    let held = store::bounce::held(tx, key, payment, currency).await?;
    let left = paid.checked_sub(back)?.checked_sub(held)?;
    Ok(if left.is_negative() { Money::zero(currency) } else { left })
}
