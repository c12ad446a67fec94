//! The second half: what the provider said becomes state, once, and whoever waits for it is told.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, first |
//! | what makes it happen once | the state is read after the lock; what is final stays, and nobody is told again |
//! | what if whoever is told cannot take it in | everything is undone, and the reconcile job asks again |

use florin_account::{EvidenceKind, record_country_evidence};
use florin_platform::{audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire};
use florin_settlement::Instant;

use super::{
    names::{method_name, payment_name},
    query::{default_id, methods_valid, owned_account, owned_method},
    refunds::send_back,
};
use crate::{
    domain::{
        method::{MethodNews, PaymentMethod, PaymentMethodId, Registration},
        payment::{ChargeReport, Finality, Initiator, Means, Payment, PaymentNews, PaymentState},
        refund::Purpose,
        watch::{Awaited, Watch},
    },
    error::Error,
    events::{
        DefaultPaymentMethodChanged, PaymentDeclined, PaymentMethodBecameValid, PaymentMethodDeclinedForGood,
        PaymentMethodRefused, PaymentMethodReplaced, PaymentMethodRevoked, PaymentSucceeded,
    },
    notices,
    outcomes::{MoneyMoved, Outcomes, Settled},
    store,
};

/// Where the recording happens: one transaction, one instant, one call, and who is told.
pub(crate) struct Recorder<'r> {
    pub(crate) tx: &'r Tx,
    pub(crate) at: Instant,
    pub(crate) call: &'r Call,
    pub(crate) outcomes: &'r dyn Outcomes,
}

impl Recorder<'_> {
    /// Takes in what the provider says about `payment`, which was read after the lock: how the charge went, and
    /// what its bank took back since.
    pub(crate) async fn payment(&self, payment: Payment, report: &ChargeReport) -> Result<Payment, Error> {
        let before = payment.state.clone();
        let reference = payment.provider_reference.clone().or_else(|| report.reference.clone());
        let is_new = reference != payment.provider_reference;
        let payment = Payment { provider_reference: reference, ..payment };
        let payment = match payment.learn(report.outcome.clone(), self.at) {
            PaymentNews::Settled(payment) => {
                if is_new {
                    store::payment::save(self.tx, &payment).await?;
                }
                payment
            }
            PaymentNews::Waiting(payment) => self.waiting(payment, &before).await?,
            PaymentNews::Succeeded(payment) => self.succeeded(payment).await?,
            PaymentNews::Declined(payment) => self.declined(payment, &before).await?,
        };
        if payment.was_captured() { self.disputes(payment, &report.disputes).await } else { Ok(payment) }
    }

    async fn waiting(&self, payment: Payment, before: &PaymentState) -> Result<Payment, Error> {
        let Self { tx, at, .. } = self;
        store::payment::save(tx, &payment).await?;
        if before.as_str() == payment.state.as_str() {
            return Ok(payment);
        }
        self.audit_payment(&payment).await?;
        // The customer who is there is sent to the page; the one who is not gets a link to it (R3.6).
        if let (PaymentState::ActionRequired { url, .. }, Initiator::Merchant) =
            (&payment.state, payment.initiator)
        {
            let account = owned_account(*tx, payment.account).await?;
            notice::raise(tx, *at, account.id, &notices::action_required(&account, &payment, url)).await?;
        }
        Ok(payment)
    }

    async fn succeeded(&self, payment: Payment) -> Result<Payment, Error> {
        let Self { tx, at, call, outcomes } = self;
        store::payment::save(tx, &payment).await?;
        self.audit_payment(&payment).await?;
        let fact = PaymentSucceeded {
            payment: payment_name(payment.account, payment.id),
            reference: payment.reference.clone(),
            amount_incl_tax: Some(wire::money(payment.amount)),
        };
        outbox::append(tx, *at, payment.account, &fact).await?;
        self.money_moved(&payment, MoneyMoved::Captured).await?;
        match outcomes.settled(tx, *at, call, &payment).await.map_err(Error::Outcome)? {
            Settled::Accepted => store::payment::accepted(tx, &payment).await?,
            Settled::Unwanted => {
                store::payment::arrived(tx, &payment).await?;
                send_back(tx, *at, &payment, payment.amount, Purpose::unwanted()).await?;
            }
        }
        Ok(payment)
    }

    pub(crate) async fn money_moved(&self, payment: &Payment, moved: MoneyMoved<'_>) -> Result<(), Error> {
        self.outcomes.money_moved(self.tx, self.at, payment, moved).await.map_err(Error::Outcome)
    }

    async fn declined(&self, payment: Payment, before: &PaymentState) -> Result<Payment, Error> {
        let Self { tx, at, call, outcomes } = self;
        let PaymentState::Declined { code, finality, .. } = &payment.state else { return Ok(payment) };
        store::payment::save(tx, &payment).await?;
        self.audit_payment(&payment).await?;
        let fact = PaymentDeclined {
            payment: payment_name(payment.account, payment.id),
            reference: payment.reference.clone(),
            amount_incl_tax: Some(wire::money(payment.amount)),
            decline_code: code.clone(),
            decline_final: *finality == Finality::Final,
        };
        outbox::append(tx, *at, payment.account, &fact).await?;
        // The customer who is there sees the decline; the one who is not gets a notice (R10.1).
        let was_there = matches!(before, PaymentState::Processing(_) | PaymentState::ActionRequired { .. });
        if payment.initiator == Initiator::Merchant || !was_there {
            let account = owned_account(*tx, payment.account).await?;
            notice::raise(tx, *at, account.id, &notices::declined(&account, &payment, code)).await?;
        }
        if let (Means::Method(method), Finality::Final) = (&payment.means, finality) {
            self.never_again(payment.account, *method, code).await?;
        }
        if store::payment::arrived(tx, &payment).await? {
            outcomes.failed(tx, *at, call, &payment).await.map_err(Error::Outcome)?;
        }
        Ok(payment)
    }

    /// A charge on a method was declined for good: it pays nothing any more, what is scheduled on it is
    /// stopped, and it is no longer the default (R3.6).
    async fn never_again(&self, account: AccountId, id: PaymentMethodId, code: &str) -> Result<(), Error> {
        let method = owned_method(self.tx, account, id).await?;
        let Some(method) = method.declined_for_good(code, self.at) else { return Ok(()) };
        store::method::save(self.tx, &method).await?;
        store::payment::hasten(self.tx, account, id, self.at).await?;
        self.audit_method(&method).await?;
        let fact =
            PaymentMethodDeclinedForGood { payment_method: method_name(account, id), code: code.to_owned() };
        outbox::append(self.tx, self.at, account, &fact).await?;
        self.leave_default(account, id).await
    }

    /// Takes in what the provider says about `method`, which was read after the lock.
    pub(crate) async fn method(
        &self,
        method: PaymentMethod,
        registration: Registration,
    ) -> Result<PaymentMethod, Error> {
        let version = method.version;
        let country = method.details.country.clone();
        match method.learn(registration, self.at) {
            MethodNews::Settled(method) => Ok(method),
            MethodNews::Waiting(method) => {
                store::method::save(self.tx, &method).await?;
                if method.version != version {
                    self.audit_method(&method).await?;
                }
                Ok(method)
            }
            MethodNews::BecameValid(method) => self.became_valid(method).await,
            MethodNews::Refused(method) => self.refused(method).await,
            MethodNews::Renewed(method) => {
                store::method::save(self.tx, &method).await?;
                self.audit_method(&method).await?;
                if method.details.country != country {
                    self.country_evidence(&method).await?;
                }
                Ok(method)
            }
            MethodNews::Revoked(method) => self.revoked(method).await,
        }
    }

    async fn revoked(&self, method: PaymentMethod) -> Result<PaymentMethod, Error> {
        let Self { tx, at, .. } = self;
        store::method::save(tx, &method).await?;
        store::payment::hasten(tx, method.account, method.id, *at).await?;
        self.audit_method(&method).await?;
        let payment_method = method_name(method.account, method.id);
        outbox::append(tx, *at, method.account, &PaymentMethodRevoked { payment_method }).await?;
        let account = owned_account(*tx, method.account).await?;
        notice::raise(tx, *at, account.id, &notices::revoked(&account, &method)).await?;
        self.leave_default(method.account, method.id).await?;
        Ok(method)
    }

    /// Where a card was issued, or an account is kept, speaks for the country its holder is in (R8.4).
    async fn country_evidence(&self, method: &PaymentMethod) -> Result<(), Error> {
        let Some(country) = &method.details.country else { return Ok(()) };
        let (kind, source) = (EvidenceKind::PaymentMethod, method_name(method.account, method.id));
        let kept = record_country_evidence(self.tx, self.at, method.account, kind, country, &source);
        Ok(kept.await?)
    }

    async fn became_valid(&self, method: PaymentMethod) -> Result<PaymentMethod, Error> {
        let Self { tx, at, call, outcomes } = self;
        store::method::save(tx, &method).await?;
        self.audit_method(&method).await?;
        self.country_evidence(&method).await?;
        let payment_method = method_name(method.account, method.id);
        outbox::append(tx, *at, method.account, &PaymentMethodBecameValid { payment_method }).await?;
        let method = match method.replaces {
            Some(before) => self.take_place_of(before, method).await?,
            None => method,
        };
        if default_id(*tx, method.account).await?.is_none() {
            self.make_default(&method).await?;
        }
        let told = outcomes.method_valid(tx, *at, call, method.account, method.id).await;
        told.map_err(Error::Outcome)?;
        Ok(method)
    }

    async fn refused(&self, method: PaymentMethod) -> Result<PaymentMethod, Error> {
        use crate::domain::method::MethodState::{Failed, Rejected};
        let Self { tx, at, call, outcomes } = self;
        store::method::save(tx, &method).await?;
        self.audit_method(&method).await?;
        if let Failed { code } | Rejected { code } = &method.state {
            let payment_method = method_name(method.account, method.id);
            let fact = PaymentMethodRefused { payment_method, code: code.clone() };
            outbox::append(tx, *at, method.account, &fact).await?;
        }
        let told = outcomes.method_refused(tx, *at, call, method.account, method.id).await;
        told.map_err(Error::Outcome)?;
        Ok(method)
    }

    /// `method` takes the place of the one called `before`: its order, and whether it is the default. The one
    /// before is REPLACED, and the provider forgets it (R3.2).
    async fn take_place_of(
        &self,
        before: PaymentMethodId,
        method: PaymentMethod,
    ) -> Result<PaymentMethod, Error> {
        let Self { tx, at, .. } = self;
        let account = method.account;
        let was_default = default_id(*tx, account).await? == Some(before);
        let fallback_order = owned_method(*tx, account, before).await?.fallback_order;
        let Some(replaced) = owned_method(*tx, account, before).await?.replaced(*at) else {
            return Ok(method);
        };
        store::method::save(tx, &replaced).await?;
        store::forgetting::insert(tx, account, before, Watch::begin(Awaited::Answer, *at)).await?;
        self.audit_method(&replaced).await?;
        let fact = PaymentMethodReplaced {
            payment_method: method_name(account, before),
            replaced_by: method_name(account, method.id),
        };
        outbox::append(tx, *at, account, &fact).await?;
        let method = PaymentMethod { fallback_order: method.fallback_order.or(fallback_order), ..method };
        store::method::save(tx, &method).await?;
        if was_default {
            self.make_default(&method).await?;
        }
        Ok(method)
    }

    /// What was the default no longer can be: the next in the customer's order becomes it, then the oldest that
    /// can pay; with none left there is no default, and everybody is told (R3.4). Nothing happens if it was not.
    pub(crate) async fn leave_default(&self, account: AccountId, id: PaymentMethodId) -> Result<(), Error> {
        if default_id(self.tx, account).await? != Some(id) {
            return Ok(());
        }
        let mut able = methods_valid(self.tx, account).await?;
        able.retain(|method| method.id != id);
        able.sort_by_key(|method| (method.fallback_order.unwrap_or(u32::MAX), method.id));
        if let Some(next) = able.into_iter().next() {
            let next = next.touched(self.at);
            store::method::save(self.tx, &next).await?;
            return self.make_default(&next).await;
        }
        store::method::clear_default(self.tx, account).await?;
        let fact = DefaultPaymentMethodChanged {
            account: wire::account_name(account),
            payment_method: String::new(),
        };
        outbox::append(self.tx, self.at, account, &fact).await?;
        Ok(())
    }

    /// Makes a VALID method the default (R3.4).
    pub(crate) async fn make_default(&self, method: &PaymentMethod) -> Result<(), Error> {
        store::method::set_default(self.tx, method.account, method.id).await?;
        let fact = DefaultPaymentMethodChanged {
            account: wire::account_name(method.account),
            payment_method: method_name(method.account, method.id),
        };
        outbox::append(self.tx, self.at, method.account, &fact).await?;
        Ok(())
    }

    pub(crate) async fn audit_payment(&self, payment: &Payment) -> Result<(), Error> {
        let name = payment_name(payment.account, payment.id);
        Ok(audit::record(self.tx, self.at, self.call, payment.account, &name).await?)
    }

    pub(crate) async fn audit_method(&self, method: &PaymentMethod) -> Result<(), Error> {
        let name = method_name(method.account, method.id);
        Ok(audit::record(self.tx, self.at, self.call, method.account, &name).await?)
    }
}
