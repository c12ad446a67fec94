//! The second half: what the provider said becomes state, once, and whoever waits for it is told.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, first |
//! | what makes it happen once | the state is read after the lock; what is final stays, and nobody is told again |
//! | what if whoever is told cannot take it in | everything is undone, and the reconcile job asks again |

use florin_platform::{audit, call::Call, db::Tx, notice, outbox, wire};
use florin_settlement::Instant;

use super::names::{method_name, payment_name};
use crate::{
    domain::{
        method::{MethodNews, PaymentMethod, Registration},
        payment::{ChargeReport, Finality, Initiator, Payment, PaymentNews, PaymentState},
        refund::Refund,
    },
    error::Error,
    events::{
        DefaultPaymentMethodChanged, PaymentDeclined, PaymentMethodBecameValid, PaymentMethodRefused,
        PaymentRefundRequested, PaymentSucceeded,
    },
    notices,
    outcomes::{Outcomes, Settled},
    service::query::{default_id, owned_account},
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
    /// Takes in what the provider says about `payment`, which was read after the lock.
    pub(crate) async fn payment(&self, payment: Payment, report: &ChargeReport) -> Result<Payment, Error> {
        let before = payment.state.clone();
        match payment.learn(report.outcome.clone(), self.at) {
            PaymentNews::Settled(payment) => Ok(payment),
            PaymentNews::Waiting(payment) => {
                store::payment::save(self.tx, &payment).await?;
                if before.as_str() != payment.state.as_str() {
                    self.audit_payment(&payment).await?;
                }
                Ok(payment)
            }
            PaymentNews::Succeeded(payment) => self.succeeded(payment).await,
            PaymentNews::Declined(payment) => self.declined(payment, &before).await,
        }
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
        match outcomes.settled(tx, *at, call, &payment).await.map_err(Error::Outcome)? {
            Settled::Accepted => store::payment::accepted(tx, &payment).await?,
            Settled::Unwanted => {
                store::payment::arrived(tx, &payment).await?;
                self.send_back(&payment).await?;
            }
        }
        Ok(payment)
    }

    async fn send_back(&self, payment: &Payment) -> Result<(), Error> {
        let refund = Refund::of_unwanted(payment, self.at);
        store::refund::insert(self.tx, &refund).await?;
        let fact = PaymentRefundRequested {
            payment: payment_name(payment.account, payment.id),
            amount_incl_tax: Some(wire::money(refund.amount)),
        };
        outbox::append(self.tx, self.at, payment.account, &fact).await?;
        Ok(())
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
        if payment.initiator == Initiator::Merchant || matches!(before, PaymentState::Pending(_)) {
            let account = owned_account(*tx, payment.account).await?;
            notice::raise(tx, *at, account.id, &notices::declined(&account, &payment, code)).await?;
        }
        if store::payment::arrived(tx, &payment).await? {
            outcomes.failed(tx, *at, call, &payment).await.map_err(Error::Outcome)?;
        }
        Ok(payment)
    }

    /// Takes in what the provider says about `method`, which was read after the lock.
    pub(crate) async fn method(
        &self,
        method: PaymentMethod,
        registration: Registration,
    ) -> Result<PaymentMethod, Error> {
        let version = method.version;
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
            MethodNews::Renewed(method) | MethodNews::Revoked(method) => {
                store::method::save(self.tx, &method).await?;
                self.audit_method(&method).await?;
                Ok(method)
            }
        }
    }

    async fn became_valid(&self, method: PaymentMethod) -> Result<PaymentMethod, Error> {
        let Self { tx, at, call, outcomes } = self;
        store::method::save(tx, &method).await?;
        self.audit_method(&method).await?;
        let payment_method = method_name(method.account, method.id);
        outbox::append(tx, *at, method.account, &PaymentMethodBecameValid { payment_method }).await?;
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

    async fn audit_payment(&self, payment: &Payment) -> Result<(), Error> {
        let name = payment_name(payment.account, payment.id);
        Ok(audit::record(self.tx, self.at, self.call, payment.account, &name).await?)
    }

    async fn audit_method(&self, method: &PaymentMethod) -> Result<(), Error> {
        let name = method_name(method.account, method.id);
        Ok(audit::record(self.tx, self.at, self.call, method.account, &name).await?)
    }
}
