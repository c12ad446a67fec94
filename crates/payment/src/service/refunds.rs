//! Captured money goes back to its source: all of it if nobody wants it (R6.3), or the part another slice asks
//! for (R7.9). Asked of the provider with no transaction open.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, first |
//! | what makes it happen once | one refund per payment and purpose, by a unique key; its id is the provider's key |
//! | what keeps more from going back than was captured | the sum is checked under the lock, and by a trigger |

use florin_platform::{audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire};
use florin_settlement::{Instant, Money};
use sea_orm::{ConnectionTrait, DbErr};

use super::{
    names::payment_name,
    payments::Payments,
    query::{owned_account, owned_method, owned_payment},
};
use crate::{
    domain::{
        method::MethodKind,
        payment::{Means, Payment, PaymentId},
        refund::{Purpose, Refund, RefundId, RefundOutcome, RefundReport, RefundState},
    },
    error::Error,
    events::{PaymentRefundRefused, PaymentRefundRequested, PaymentRefunded},
    notices,
    outcomes::{MoneyMoved, Outcomes},
    provider::{GiveBack, ProviderUnknown},
    store,
};

/// The code of a refund the provider does not make for this kind of method.
const NOT_REFUNDABLE: &str = "kind_not_refundable";

/// Has `amount` of a captured payment go back to its source, once per `purpose`; the same purpose again is the
/// same refund. The caller has locked the account. After the commit, [`Payments::drive`] the payment, or leave
/// it to the reconcile job.
///
/// # Errors
/// [`Error::NotRefundable`] if the payment was not captured, or less of it is left.
pub async fn refund(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    payment: PaymentId,
    amount: Money,
    purpose: Purpose,
) -> Result<RefundId, Error> {
    let payment = owned_payment(tx, account, payment).await?;
    if let Some(known) = store::refund::for_purpose(tx, account, payment.id, &purpose).await? {
        return Ok(known.id);
    }
    let left = refundable(tx, &payment).await?;
    let fits = amount.currency() == left.currency() && (1..=left.minor()).contains(&amount.minor());
    if !fits {
        return Err(Error::NotRefundable(payment_name(account, payment.id)));
    }
    send_back(tx, at, &payment, amount, purpose).await
}

/// What of `payment` can still go back: what was captured, less what the bank took back and what has gone back or
/// is going to. Under its account's lock it stays true until the transaction ends.
///
/// # Errors
/// [`DbErr`].
pub async fn refundable(connection: &impl ConnectionTrait, payment: &Payment) -> Result<Money, DbErr> {
    let currency = payment.amount.currency();
    if !payment.was_captured() {
        return Ok(Money::zero(currency));
    }
    let promised = store::refund::promised(connection, payment.account, payment.id).await?;
    let left = payment.amount.minor().saturating_sub(payment.disputed.minor()).saturating_sub(promised);
    Ok(Money::new(left.max(0), currency))
}

/// Stores the refund of so much of `payment`.
pub(crate) async fn send_back(
    tx: &Tx,
    at: Instant,
    payment: &Payment,
    amount: Money,
    purpose: Purpose,
) -> Result<RefundId, Error> {
    let refund = Refund::of(payment, amount, purpose, at);
    store::refund::insert(tx, &refund).await?;
    let fact = PaymentRefundRequested {
        payment: payment_name(payment.account, payment.id),
        amount_incl_tax: Some(wire::money(refund.amount)),
    };
    outbox::append(tx, at, payment.account, &fact).await?;
    Ok(refund.id)
}

impl Payments {
    /// Takes a refund as far as it goes now.
    pub(crate) async fn give_back(&self, call: &Call, account: AccountId, id: RefundId) -> Result<(), Error> {
        let refund = owned_refund(self.platform.db.reader(), account, id).await?;
        if !matches!(refund.state, RefundState::Requested(_)) {
            return Ok(());
        }
        let answer = self.ask_back(&refund).await?;
        self.record_back(call, account, id, &answer).await
    }

    /// What the provider says; the inner error is that it says nothing.
    async fn ask_back(&self, refund: &Refund) -> Result<Result<RefundReport, ProviderUnknown>, Error> {
        let reader = self.platform.db.reader();
        let payment = owned_payment(reader, refund.account, refund.payment).await?;
        let kind = match &payment.means {
            Means::Method(method) => owned_method(reader, refund.account, *method).await?.kind,
            Means::OneOff { .. } => MethodKind::Card,
        };
        if !self.provider.capabilities().refundable.contains(&kind) {
            let outcome = RefundOutcome::Refused { code: NOT_REFUNDABLE.to_owned() };
            return Ok(Ok(RefundReport { reference: None, outcome }));
        }
        let back = &GiveBack::of(refund, payment.provider_reference);
        Ok(match &refund.provider_reference {
            None => self.provider.refund(back).await,
            reference @ Some(_) => {
                let known = self.provider.fetch_refund(back, reference.as_deref()).await;
                known.and_then(|known| {
                    known.ok_or_else(|| ProviderUnknown::new("the refund is not known there"))
                })
            }
        })
    }

    /// Puts off a refund whose outcome could not be recorded.
    pub(crate) async fn put_off_refund(&self, account: AccountId, id: RefundId) -> Result<(), Error> {
        let nothing = Err(ProviderUnknown::new("the outcome could not be recorded"));
        self.record_back(&Call::by_job(crate::jobs::NAME), account, id, &nothing).await
    }

    async fn record_back(
        &self,
        call: &Call,
        account: AccountId,
        id: RefundId,
        answer: &Result<RefundReport, ProviderUnknown>,
    ) -> Result<(), Error> {
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                let refund = owned_refund(&tx, account, id).await?;
                record(&tx, at, call, refund, answer, &*self.outcomes).await
            })
            .await
    }
}

async fn record(
    tx: &Tx,
    at: Instant,
    call: &Call,
    refund: Refund,
    answer: &Result<RefundReport, ProviderUnknown>,
    outcomes: &dyn Outcomes,
) -> Result<(), Error> {
    if !matches!(refund.state, RefundState::Requested(_)) {
        return Ok(());
    }
    let report = match answer {
        Ok(report) => report.clone(),
        Err(unknown) => {
            tracing::warn!(refund = %refund.id, error = unknown as &dyn std::error::Error, "refund unknown");
            return Ok(store::refund::save(tx, &refund.unanswered(at)).await?);
        }
    };
    let refund = refund.learn(report, at);
    store::refund::save(tx, &refund).await?;
    let name = payment_name(refund.account, refund.payment);
    let amount_incl_tax = Some(wire::money(refund.amount));
    match &refund.state {
        RefundState::Requested(_) => return Ok(()),
        RefundState::Done => {
            let payment = owned_payment(tx, refund.account, refund.payment).await?;
            let payment = payment.gave_back(refund.amount, at);
            store::payment::save(tx, &payment).await?;
            let moved = outcomes.money_moved(tx, at, &payment, MoneyMoved::WentBack(refund.amount)).await;
            moved.map_err(Error::Outcome)?;
            let account = owned_account(tx, refund.account).await?;
            let returned = if refund.purpose == Purpose::unwanted() {
                notices::returned(&account, &payment)
            } else {
                notices::refunded(&account, &payment, refund.amount)
            };
            notice::raise(tx, at, account.id, &returned).await?;
            let fact = PaymentRefunded { payment: name.clone(), amount_incl_tax };
            outbox::append(tx, at, refund.account, &fact).await?;
        }
        RefundState::Refused { code } => {
            tracing::error!(
                payment = name,
                code,
                "the provider refuses to give money back; an operator has to"
            );
            let fact = PaymentRefundRefused { payment: name.clone(), amount_incl_tax, code: code.clone() };
            outbox::append(tx, at, refund.account, &fact).await?;
        }
    }
    audit::record(tx, at, call, refund.account, &name).await?;
    Ok(())
}

async fn owned_refund(
    connection: &impl sea_orm::ConnectionTrait,
    account: AccountId,
    id: RefundId,
) -> Result<Refund, Error> {
    store::refund::find(connection, account, id).await?.ok_or_else(|| Error::NotFound(id.to_string()))
}
