//! The first half of a payment: the attempt is stored, so that the provider's answer has a place to go.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, by the caller, before this runs |
//! | what goes on while another payment for the same reference is PROCESSING or PENDING | nothing: IN_PROGRESS |
//! | what if the method was declined for good before | it is not asked again (R3.6): MethodNotValid |
//! | and while another waits for the customer | this one takes its place; if the customer pays both after all, the second money goes back (R6.3) |
//! | what makes the charge happen once | the payment's id is the provider's key |

use florin_platform::{audit, call::Call, db::Tx, id::AccountId, outbox, wire};
use florin_settlement::Instant;

use super::{
    names::payment_name,
    query::{has_captured, owned_account, owned_method},
};
use crate::{
    domain::payment::{Means, NewPayment, Payment, PaymentId, PaymentState},
    error::Error,
    events::PaymentStarted,
    store,
};

/// What a method that was declined for good is instead of VALID, in the words of a refusal.
const DECLINED_FOR_GOOD: &str = "DECLINED_FOR_GOOD";

/// Stores the attempt to take `new` from `account`, which the caller has locked. Then commit, and
/// [`Payments::drive`](crate::Payments::drive) it with no transaction open.
///
/// # Errors
/// [`Error::MethodNotValid`], [`Error::FirstPaymentNeedsCard`] (R3.3), [`Error::InProgress`],
/// [`Error::CurrencyMismatch`] (R1.1), [`Error::NotPayable`] for an amount that is not above zero.
pub async fn begin(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    new: NewPayment,
) -> Result<PaymentId, Error> {
    let expected = owned_account(tx, account).await?.currency;
    if new.amount.currency() != expected {
        return Err(Error::CurrencyMismatch { expected });
    }
    if new.amount.minor() <= 0 {
        return Err(Error::NotPayable(new.amount));
    }
    may_pay(tx, account, &new.means).await?;
    if let Some(other) = store::payment::on_its_way(tx, account, &new.reference).await? {
        may_be_replaced(&other)?;
    }
    let payment = Payment::begin(account, new, at);
    store::payment::insert(tx, &payment).await?;
    store::payment::set_on_its_way(tx, &payment).await?;
    let name = payment_name(account, payment.id);
    audit::record(tx, at, call, account, &name).await?;
    let fact = PaymentStarted {
        payment: name,
        reference: payment.reference.clone(),
        amount_incl_tax: Some(wire::money(payment.amount)),
    };
    outbox::append(tx, at, account, &fact).await?;
    Ok(payment.id)
}

/// A one-off card is a card with 3-D Secure by the terms of its charge; a registered method has to be looked at.
async fn may_pay(tx: &Tx, account: AccountId, means: &Means) -> Result<(), Error> {
    let Means::Method(id) = means else { return Ok(()) };
    let method = owned_method(tx, account, *id).await?;
    if method.chargeable().is_none() {
        return Err(Error::MethodNotValid { state: method.state.as_str() });
    }
    if store::payment::declined_for_good(tx, account, *id).await? {
        return Err(Error::MethodNotValid { state: DECLINED_FOR_GOOD });
    }
    if !method.may_pay_first() && !has_captured(tx, account).await? {
        return Err(Error::FirstPaymentNeedsCard);
    }
    Ok(())
}

fn may_be_replaced(other: &Payment) -> Result<(), Error> {
    match other.state {
        PaymentState::Processing(_) | PaymentState::Pending(_) => {
            Err(Error::InProgress { payment: payment_name(other.account, other.id) })
        }
        PaymentState::ActionRequired { .. }
        | PaymentState::Succeeded { .. }
        | PaymentState::Declined { .. }
        | PaymentState::Refunded { .. } => Ok(()),
    }
}
