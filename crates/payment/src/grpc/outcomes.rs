//! `florin.sandbox.v1.PaymentOutcomeService`: it lives here because the outcomes do.

use std::sync::Arc;

use florin_api::{
    payment::v1::Payment,
    sandbox::v1::{
        ApprovePaymentRequest, ApprovePaymentResponse, DeclinePaymentRequest, DeclinePaymentResponse,
        DisputePaymentRequest, DisputePaymentResponse, LoseDisputeRequest, LoseDisputeResponse,
        WinDisputeRequest, WinDisputeResponse, payment_outcome_service_server::PaymentOutcomeService,
    },
};
use florin_platform::{call::Call, db::Tx, id::AccountId, idempotency::RequestKey};
use prost::Message;
use tonic::{Request, Response, Status};

use super::visible;
use crate::{
    DisputeStanding, PaymentId,
    convert::{
        self,
        outcome::{Afterwards, approved, refused},
    },
    error::Error,
    service::{
        methods::Methods,
        payments::Payments,
        query,
        sandbox::{BankAct, CustomerDecisions, Decision, Subject, bank_acts, check_awaited},
    },
};

/// Plays the customer and the bank; outside sandbox mode every call is refused.
#[derive(Clone)]
pub struct PaymentOutcomeRpc {
    payments: Payments,
    methods: Methods,
    customer: Option<Arc<dyn CustomerDecisions>>,
}

impl std::fmt::Debug for PaymentOutcomeRpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PaymentOutcomeRpc").finish_non_exhaustive()
    }
}

impl PaymentOutcomeRpc {
    /// Plays the customers of the sandbox's provider.
    #[must_use]
    pub fn in_sandbox(payments: Payments, methods: Methods, customer: Arc<dyn CustomerDecisions>) -> Self {
        Self { payments, methods, customer: Some(customer) }
    }

    /// Refuses every call: real customers decide for themselves.
    #[must_use]
    pub fn outside_sandbox(payments: Payments, methods: Methods) -> Self {
        Self { payments, methods, customer: None }
    }

    fn customer(&self) -> Result<&dyn CustomerDecisions, Error> {
        self.customer.as_deref().ok_or(Error::NotASandbox)
    }

    async fn decide(&self, call: &Call, subject: Subject, decision: &Decision) -> Result<(), Error> {
        let customer = self.customer()?;
        match subject {
            Subject::Payment(account, id) => {
                self.payments.customer_decided(call, customer, account, id, decision).await
            }
            Subject::Method(account, id) => {
                self.methods.customer_decided(call, customer, account, id, decision).await
            }
        }
    }
}

async fn afterwards(tx: &Tx, subject: Subject) -> Result<Afterwards, Error> {
    Ok(match subject {
        Subject::Payment(account, id) => Afterwards::Payment(query::owned_payment(tx, account, id).await?),
        Subject::Method(account, id) => Afterwards::Method(query::shown_method(tx, account, id).await?),
    })
}

#[tonic::async_trait]
impl PaymentOutcomeService for PaymentOutcomeRpc {
    async fn approve_payment(
        &self,
        request: Request<ApprovePaymentRequest>,
    ) -> Result<Response<ApprovePaymentResponse>, Status> {
        self.customer()?;
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let subject = convert::outcome::subject(&request.name).map_err(Error::from)?;
        visible(call, subject.account(), &request.name)?;
        let platform = &self.payments.platform;
        let key = RequestKey::new(platform, call, subject.account(), &request.request_id, request);
        let begin = |tx, _| async move { check_awaited(&tx, subject).await.map(|()| request.name.clone()) };
        let between = |_| async move { self.decide(call, subject, &Decision::Approved).await };
        let finish = |tx, _, _| async move { Ok(approved(&afterwards(&tx, subject).await?)) };
        Ok(Response::new(platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?))
    }

    async fn decline_payment(
        &self,
        request: Request<DeclinePaymentRequest>,
    ) -> Result<Response<DeclinePaymentResponse>, Status> {
        self.customer()?;
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let subject = convert::outcome::subject(&request.name).map_err(Error::from)?;
        let decision = &convert::outcome::declined(request).map_err(Error::from)?;
        visible(call, subject.account(), &request.name)?;
        let platform = &self.payments.platform;
        let key = RequestKey::new(platform, call, subject.account(), &request.request_id, request);
        let begin = |tx, _| async move { check_awaited(&tx, subject).await.map(|()| request.name.clone()) };
        let between = |_| async move { self.decide(call, subject, decision).await };
        let finish = |tx, _, _| async move { Ok(refused(&afterwards(&tx, subject).await?)) };
        Ok(Response::new(platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?))
    }

    async fn dispute_payment(
        &self,
        request: Request<DisputePaymentRequest>,
    ) -> Result<Response<DisputePaymentResponse>, Status> {
        let (call, request) = (Call::of(&request), request.into_inner());
        let (subject, act) = convert::outcome::disputed(&request).map_err(Error::from)?;
        let acted = Acted { subject, name: &request.name, request_id: &request.request_id, act };
        let payment = self.bank_acts(&call, &acted, &request).await?;
        Ok(Response::new(DisputePaymentResponse { payment: Some(payment) }))
    }

    async fn win_dispute(
        &self,
        request: Request<WinDisputeRequest>,
    ) -> Result<Response<WinDisputeResponse>, Status> {
        let (call, request) = (Call::of(&request), request.into_inner());
        let subject = convert::payment::name(&request.name).map_err(Error::from)?;
        let act = BankAct::Decide(DisputeStanding::Won);
        let acted = Acted { subject, name: &request.name, request_id: &request.request_id, act };
        let payment = self.bank_acts(&call, &acted, &request).await?;
        Ok(Response::new(WinDisputeResponse { payment: Some(payment) }))
    }

    async fn lose_dispute(
        &self,
        request: Request<LoseDisputeRequest>,
    ) -> Result<Response<LoseDisputeResponse>, Status> {
        let (call, request) = (Call::of(&request), request.into_inner());
        let subject = convert::payment::name(&request.name).map_err(Error::from)?;
        let act = BankAct::Decide(DisputeStanding::Lost);
        let acted = Acted { subject, name: &request.name, request_id: &request.request_id, act };
        let payment = self.bank_acts(&call, &acted, &request).await?;
        Ok(Response::new(LoseDisputeResponse { payment: Some(payment) }))
    }
}

/// What the payer's bank is asked to do to which payment, under which request.
struct Acted<'r> {
    subject: (AccountId, PaymentId),
    name: &'r str,
    request_id: &'r str,
    act: BankAct,
}

impl PaymentOutcomeRpc {
    async fn bank_acts<M: Message>(
        &self,
        call: &Call,
        acted: &Acted<'_>,
        request: &M,
    ) -> Result<Payment, Error> {
        let bank = self.customer()?;
        let (account, id) = acted.subject;
        visible(call, account, acted.name)?;
        let platform = &self.payments.platform;
        let key = RequestKey::new(platform, call, account, acted.request_id, request);
        let begin = |tx, _| async move {
            bank_acts(&tx, bank, acted.subject, acted.act).await.map(|()| acted.name.to_owned())
        };
        let between = |_| async move { self.payments.noticed(call, account, id).await.map(drop) };
        let finish = |tx, _, _| async move {
            query::owned_payment(&tx, account, id).await.map(|payment| convert::payment::payment(&payment))
        };
        platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await
    }
}
