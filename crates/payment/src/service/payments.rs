//! Driving a payment: ask the provider with no transaction open, then record what it said.
//!
//! | step | transaction |
//! |---|---|
//! | 1. the attempt is stored ([`begin`](crate::begin)) | the caller's |
//! | 2. what is SCHEDULED and due is released, after a last look at the method | a short one |
//! | 3. the provider is asked, with the payment's id as the key | none |
//! | 4. lock, read again, record, tell [`Outcomes`] | a short one of its own |
//!
//! Whatever is cut off between two steps is taken up by the reconcile job. Driving twice, or twice at once,
//! asks the provider twice under one key and records one outcome. A notice of the provider is a reason to ask,
//! also for what was final: a dispute may have been opened, or decided.

use std::sync::Arc;

use florin_platform::{Platform, call::Call, column::CorruptRow, db::Tx, id::AccountId};
use florin_settlement::Instant;

use super::{
    limits::allows_another,
    query::{owned_method, owned_payment},
    record::Recorder,
};
use crate::{
    domain::{
        limit::STOPPED,
        method::MethodKind,
        payment::{ChargeOutcome, ChargeReport, Initiator, Means, Payment, PaymentId, PaymentState},
    },
    error::Error,
    outcomes::Outcomes,
    provider::{Charge, Provider, ProviderUnknown},
    store,
};

/// Payments through one provider, told to one [`Outcomes`].
#[derive(Clone)]
pub struct Payments {
    pub(crate) platform: Platform,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) outcomes: Arc<dyn Outcomes>,
}

impl std::fmt::Debug for Payments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payments").field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl Payments {
    /// Payments kept in `platform`, made through `provider`, told to `outcomes`.
    #[must_use]
    pub fn new(platform: Platform, provider: Arc<dyn Provider>, outcomes: Arc<dyn Outcomes>) -> Self {
        Self { platform, provider, outcomes }
    }

    /// Whether `token` can pay a payment link: a card, as the provider recognises it (R3.3). Call it before
    /// the attempt is stored, with no transaction open.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], [`Error::FirstPaymentNeedsCard`], [`Error::ProviderUnavailable`].
    pub async fn check_one_off(&self, token: &str) -> Result<(), Error> {
        match self.provider.recognise(token).await.map_err(Error::ProviderUnavailable)? {
            None => Err(Error::TokenInvalid),
            Some(MethodKind::Card) => Ok(()),
            Some(MethodKind::BankAccount | MethodKind::Paypal) => Err(Error::FirstPaymentNeedsCard),
        }
    }

    /// Takes a payment as far as it goes now: asks the provider, records the outcome once, and sends back what
    /// nobody wants (R6.3). Call it with no transaction open. What is final stays as it is.
    ///
    /// An answer that does not come leaves the payment as it is; the reconcile job asks again.
    pub async fn drive(&self, call: &Call, account: AccountId, id: PaymentId) -> Result<Payment, Error> {
        let mut payment = owned_payment(self.platform.db.reader(), account, id).await?;
        if payment.scheduled().is_some() {
            payment = self.release(call, account, id).await?;
        }
        if payment.is_open() && payment.scheduled().is_none() {
            let answer = self.ask(&payment).await?;
            self.record(call, account, id, &answer).await?;
        }
        self.give_back_all(call, account, id).await?;
        owned_payment(self.platform.db.reader(), account, id).await
    }

    /// Looks at a payment because of a notice of the provider: as [`Self::drive`], and what was final may have
    /// been disputed since. Call it with no transaction open.
    ///
    /// # Errors
    /// [`Error::ProviderUnavailable`] if no answer came: the provider is to deliver the notice again.
    pub async fn noticed(&self, call: &Call, account: AccountId, id: PaymentId) -> Result<Payment, Error> {
        let payment = owned_payment(self.platform.db.reader(), account, id).await?;
        if payment.scheduled().is_none() {
            let answer = self.ask(&payment).await?;
            self.record(call, account, id, &answer).await?;
            answer.map_err(Error::ProviderUnavailable)?;
        }
        self.give_back_all(call, account, id).await?;
        owned_payment(self.platform.db.reader(), account, id).await
    }

    async fn give_back_all(&self, call: &Call, account: AccountId, id: PaymentId) -> Result<(), Error> {
        for refund in store::refund::requested(self.platform.db.reader(), account, id).await? {
            self.give_back(call, account, refund).await?;
        }
        Ok(())
    }

    /// The last look before the provider hears of a payment: whether its day has come, and whether the method
    /// still pays. A decline for good by a payment begun in the same breath stops this one (R3.6).
    async fn release(&self, call: &Call, account: AccountId, id: PaymentId) -> Result<Payment, Error> {
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                let payment = owned_payment(&tx, account, id).await?;
                let Some(due) = payment.scheduled() else { return Ok(payment) };
                if let Some(outcome) = stopped(&tx, &payment, at).await? {
                    let report = ChargeReport { reference: None, outcome, disputes: Vec::new() };
                    let recorder = Recorder { tx: &tx, at, call, outcomes: &*self.outcomes };
                    return recorder.payment(payment, &report).await;
                }
                if at < due {
                    return Ok(payment);
                }
                let payment = payment.released(at);
                store::payment::save(&tx, &payment).await?;
                Ok(payment)
            })
            .await
    }

    /// What the provider says; the inner error is that it says nothing.
    async fn ask(&self, payment: &Payment) -> Result<Result<ChargeReport, ProviderUnknown>, Error> {
        let charge = &self.charge_of(payment).await?;
        let reference = payment.provider_reference.as_deref();
        let now = self.platform.clock.now(self.platform.db.reader()).await?;
        Ok(match &payment.state {
            // Nobody can have asked before, but for somebody asking right now under the same key.
            PaymentState::Processing(watch) if now < watch.next && watch.looks == 0 => {
                self.provider.charge(charge).await
            }
            PaymentState::Processing(_) => match self.provider.fetch(charge, reference).await {
                Ok(None) => self.provider.charge(charge).await,
                Ok(Some(report)) => Ok(report),
                Err(unknown) => Err(unknown),
            },
            PaymentState::Scheduled(_)
            | PaymentState::ActionRequired { .. }
            | PaymentState::Pending(_)
            | PaymentState::Succeeded { .. }
            | PaymentState::Declined { .. }
            | PaymentState::Refunded { .. } => {
                let known = self.provider.fetch(charge, reference).await;
                known.and_then(|known| {
                    known.ok_or_else(|| ProviderUnknown::new("the charge is not known there"))
                })
            }
        })
    }

    async fn charge_of(&self, payment: &Payment) -> Result<Charge, Error> {
        let method = match &payment.means {
            Means::Method(method) => {
                Some(owned_method(self.platform.db.reader(), payment.account, *method).await?)
            }
            Means::OneOff { .. } => None,
        };
        let charge = Charge::of(payment, method.as_ref(), &self.provider.capabilities());
        let corrupt = || CorruptRow::new("payment_method", "charged without a provider reference");
        Ok(charge.ok_or_else(|| sea_orm::DbErr::from(corrupt()))?)
    }

    async fn record(
        &self,
        call: &Call,
        account: AccountId,
        id: PaymentId,
        answer: &Result<ChargeReport, ProviderUnknown>,
    ) -> Result<(), Error> {
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                let payment = owned_payment(&tx, account, id).await?;
                match answer {
                    Ok(report) => {
                        let recorder = Recorder { tx: &tx, at, call, outcomes: &*self.outcomes };
                        recorder.payment(payment, report).await?;
                    }
                    Err(unknown) if payment.is_open() => {
                        tracing::warn!(payment = %id, error = unknown as &dyn std::error::Error, "outcome unknown");
                        store::payment::save(&tx, &payment.unanswered(at)).await?;
                    }
                    Err(_) => {}
                }
                Ok(())
            })
            .await
    }

    /// Puts off an open payment whose outcome could not be recorded.
    pub(crate) async fn put_off(&self, account: AccountId, id: PaymentId) -> Result<(), Error> {
        let nothing = Err(ProviderUnknown::new("the outcome could not be recorded"));
        self.record(&Call::by_job(crate::jobs::NAME), account, id, &nothing).await
    }
}

/// Why a SCHEDULED payment is not made, if it is not.
async fn stopped(tx: &Tx, payment: &Payment, at: Instant) -> Result<Option<ChargeOutcome>, Error> {
    let Means::Method(id) = &payment.means else { return Ok(None) };
    let method = owned_method(tx, payment.account, *id).await?;
    if !method.carries_on() {
        let code = format!("payment_method_{}", method.standing().to_ascii_lowercase());
        return Ok(Some(ChargeOutcome::DeclinedFinal { code }));
    }
    let too_many =
        payment.initiator == Initiator::Merchant && !allows_another(tx, payment.account, *id, at).await?;
    Ok(too_many.then(|| ChargeOutcome::DeclinedSoft { code: STOPPED.to_owned() }))
}
