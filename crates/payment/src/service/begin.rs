//! The first half of a payment: the attempt is stored, so that the provider's answer has a place to go.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, by the caller, before this runs |
//! | what goes on while another payment for the same reference is SCHEDULED, PROCESSING or PENDING | nothing: IN_PROGRESS |
//! | what if the method was declined for good before | it is not asked again (R3.6): MethodNotValid |
//! | and while another waits for the customer | this one takes its place; if the customer pays both after all, the second money goes back (R6.3) |
//! | when is a bank account debited | after the mandate's notice period, of which its holder is told here (R3.6) |
//! | what if too many cards were tried at links, or automatic attempts declined | AttemptsLimited |
//! | what makes the charge happen once | the payment's id is the provider's key |

use florin_platform::{audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire};
use florin_settlement::Instant;

use super::{
    limits::{allows_another, check_links},
    names::payment_name,
    query::{has_captured, owned_account, owned_method},
};
use crate::{
    domain::{
        method::{MethodKind, PaymentMethod},
        payment::{Initiator, Means, NewPayment, Payment, PaymentId, PaymentState},
    },
    error::Error,
    events::PaymentStarted,
    notices, store,
};

/// How long to wait when automatic attempts were declined too often.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Stores the attempt to take `new` from `account`, which the caller has locked. Then commit, and
/// [`Payments::drive`](crate::Payments::drive) it with no transaction open.
///
/// # Errors
/// [`Error::MethodNotValid`], [`Error::FirstPaymentNeedsCard`] (R3.3), [`Error::InProgress`],
/// [`Error::AttemptsLimited`], [`Error::CurrencyMismatch`] (R1.1), [`Error::NotPayable`] for an amount that is
/// not above zero.
pub async fn begin(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    new: NewPayment,
) -> Result<PaymentId, Error> {
    let owner = owned_account(tx, account).await?;
    let expected = owner.currency;
    if new.amount.currency() != expected {
        return Err(Error::CurrencyMismatch { expected });
    }
    if new.amount.minor() <= 0 {
        return Err(Error::NotPayable(new.amount));
    }
    let method = may_pay(tx, at, account, &new).await?;
    if let Some(other) = store::payment::on_its_way(tx, account, &new.reference).await? {
        may_be_replaced(&other)?;
    }
    let payment =
        Payment::begin(account, new, method.as_ref().and_then(|method| collected_at(method, at)), at);
    store::payment::insert(tx, &payment).await?;
    store::payment::set_on_its_way(tx, &payment).await?;
    let name = payment_name(account, payment.id);
    audit::record(tx, at, call, account, &name).await?;
    let fact = PaymentStarted {
        payment: name,
        reference: payment.reference.clone(),
        amount_incl_tax: Some(wire::money(payment.amount)),
        collect_time: payment.collect.map(wire::timestamp),
    };
    outbox::append(tx, at, account, &fact).await?;
    if let (Some(method), Some(collect)) = (&method, payment.collect) {
        let announced = notices::announced(&owner, &payment, &method.details.masked, collect);
        notice::raise(tx, at, account, &announced).await?;
    }
    Ok(payment.id)
}

/// When a bank account may be debited of what is begun at `at`; none for what is not announced (R3.6).
fn collected_at(method: &PaymentMethod, at: Instant) -> Option<Instant> {
    match method.kind {
        MethodKind::BankAccount => Some(at.plus_days(method.notice_days)),
        MethodKind::Card | MethodKind::Paypal => None,
    }
}

/// The registered method that is to pay, if it may. A one-off card is a card with 3-D Secure by the terms of
/// its charge.
async fn may_pay(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    new: &NewPayment,
) -> Result<Option<PaymentMethod>, Error> {
    let Means::Method(id) = &new.means else {
        check_links(tx, account, at).await?;
        return Ok(None);
    };
    let method = owned_method(tx, account, *id).await?;
    if method.chargeable().is_none() {
        return Err(Error::MethodNotValid { state: method.standing() });
    }
    if !method.may_pay_first() && !has_captured(tx, account).await? {
        return Err(Error::FirstPaymentNeedsCard);
    }
    if new.initiator == Initiator::Merchant && !allows_another(tx, account, *id, at).await? {
        return Err(Error::AttemptsLimited { retry_after: RETRY_AFTER });
    }
    Ok(Some(method))
}

fn may_be_replaced(other: &Payment) -> Result<(), Error> {
    match other.state {
        PaymentState::Scheduled(_) | PaymentState::Processing(_) | PaymentState::Pending(_) => {
            Err(Error::InProgress { payment: payment_name(other.account, other.id) })
        }
        PaymentState::ActionRequired { .. }
        | PaymentState::Succeeded { .. }
        | PaymentState::Declined { .. }
        | PaymentState::Refunded { .. } => Ok(()),
    }
}
