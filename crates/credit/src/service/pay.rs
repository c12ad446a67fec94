//! Paying an order, with a registered method or through its link (R6.3).
//!
//! | step | transaction |
//! |---|---|
//! | 1. lock, check the order and the payer, store the attempt, order → PROCESSING | the first |
//! | 2. the provider is asked; its answer is recorded and told to `payment::Outcomes` | none of ours |
//! | 3. read the order and the payment again and answer | the second |

use florin_payment::{Initiator, Means, NewPayment, Payment, PaymentId, PaymentMethodId, Payments};
use florin_platform::{audit, call::Call, db::Tx, etag, id::AccountId, outbox, secret::digest};
use florin_settlement::Instant;
use sea_orm::ConnectionTrait;

use super::query;
use crate::{
    domain::order::{Consent, CreditOrder, OrderId, Price},
    error::Error,
    events::CreditOrderPaymentStarted,
    names::order_name,
    store,
};

/// What pays an order.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A registered method of the account.
    Method(PaymentMethodId),
    /// The link, with what the payer typed in at the provider's own form.
    Link { token: String, provider_token: String },
}

/// An order to pay.
#[derive(Clone, Debug)]
pub(crate) struct Payable {
    pub(crate) account: AccountId,
    pub(crate) order: OrderId,
    pub(crate) source: Source,
    pub(crate) consent: Consent,
    pub(crate) etag: String,
}

/// Lets through who may see the account, whoever has the link of this very order, and a guest with a right to
/// pay: with the account's default method and no other (R4.5).
pub(crate) async fn admit(
    connection: &impl ConnectionTrait,
    call: &Call,
    payable: &Payable,
) -> Result<(), Error> {
    let Payable { account, order, .. } = *payable;
    match &payable.source {
        Source::Method(_) if call.may_see(account) => Ok(()),
        Source::Method(method) => {
            query::reach_order(connection, call, account, order).await?;
            let default = florin_payment::default_method(connection, account).await?;
            if default.is_some_and(|default| default.id == *method) {
                Ok(())
            } else {
                Err(Error::OnlyDefaultMethod)
            }
        }
        Source::Link { token, .. } => {
            let linked = store::order::by_link(connection, digest(token)).await?;
            if linked == Some((account, order)) { Ok(()) } else { Err(Error::LinkInvalid) }
        }
    }
}

/// Asks the provider whether it knows a token typed in at a link, before anything is stored.
pub(crate) async fn check_source(payments: &Payments, source: &Source) -> Result<(), Error> {
    match source {
        Source::Method(_) => Ok(()),
        Source::Link { provider_token, .. } => Ok(payments.check_one_off(provider_token).await?),
    }
}

/// Stores the attempt; the order is PROCESSING from here on.
pub(crate) async fn begin(tx: &Tx, at: Instant, call: &Call, payable: &Payable) -> Result<PaymentId, Error> {
    let Payable { account, order, .. } = *payable;
    florin_account::lock(tx, &[account]).await?;
    let found = query::order(tx, account, order).await?;
    let name = order_name(account, order);
    if !etag::allows(&payable.etag, &name, found.version) {
        return Err(Error::EtagMismatch(name));
    }
    found.check_payable(at).map_err(Error::to_pay)?;
    let price = quote(tx, at, &found).await?;
    let new = NewPayment {
        amount: price.gross,
        reference: name.clone(),
        means: match &payable.source {
            Source::Method(method) => Means::Method(*method),
            Source::Link { provider_token, .. } => Means::OneOff { provider_token: provider_token.clone() },
        },
        initiator: Initiator::Customer,
    };
    let payment = florin_payment::begin(tx, at, call, account, new).await?;
    if price != found.price {
        store::charge::insert(tx, at, (account, order), payment, &price).await?;
    }
    let paying = found.begin_payment(at, payment, payable.consent).map_err(Error::to_pay)?;
    store::order::save(tx, &paying).await?;
    audit::record(tx, at, call, account, &name).await?;
    let payment_name = florin_payment::payment_name(account, payment);
    outbox::append(tx, at, account, &CreditOrderPaymentStarted { credit_order: name, payment: payment_name })
        .await?;
    Ok(payment)
}

/// What an order comes to if it is paid now: the day of the payment decides the VAT (R8.4).
pub(crate) async fn quote(
    connection: &impl ConnectionTrait,
    at: Instant,
    order: &CreditOrder,
) -> Result<Price, Error> {
    let account = query::account(connection, order.account).await?;
    let treatment = florin_account::vat_treatment(connection, &account, at).await?;
    Ok(Price::of(order.price.net, &treatment)?)
}

/// The order and the payment as they are after the provider was asked.
pub(crate) async fn outcome(
    connection: &impl ConnectionTrait,
    account: AccountId,
    order: OrderId,
    payment: PaymentId,
) -> Result<(CreditOrder, Payment), Error> {
    let order = query::order(connection, account, order).await?;
    let name = florin_payment::payment_name(account, payment);
    let payment = florin_payment::find(connection, account, payment).await?;
    Ok((order, payment.ok_or(Error::NotFound(name))?))
}
