//! Playing the customer and the bank in sandbox mode: the provider is told what they decided, and then asked
//! as after any notice of it.

use florin_platform::{call::Call, db::Tx, id::AccountId};
use florin_settlement::Money;

use super::{
    methods::Methods,
    names::payment_name,
    payments::Payments,
    query::{owned_method, owned_payment},
};
use crate::{
    domain::{
        dispute::DisputeStanding,
        method::{MethodState, PaymentMethodId},
        payment::{Finality, PaymentId, PaymentState},
    },
    error::Error,
    provider::{ChargeKey, MethodKey, ProviderUnknown},
};

/// What the customer, or the bank, decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// They let it happen.
    Approved,
    /// They do not.
    Declined {
        /// The provider's word for it.
        code: String,
        /// Whether trying again may help.
        finality: Finality,
    },
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It stands, perhaps since an earlier time it was taken.
    Stands,
    /// It was not awaited, or another was taken before.
    NotAwaited,
}

/// A provider whose customers and banks can be played.
#[async_trait::async_trait]
pub trait CustomerDecisions: Send + Sync {
    /// Decides a charge that waits for the customer or the bank.
    async fn decide_charge(&self, key: ChargeKey, decision: &Decision) -> Result<Decided, ProviderUnknown>;

    /// Decides a registration that waits for the customer.
    async fn decide_method(&self, key: MethodKey, decision: &Decision) -> Result<Decided, ProviderUnknown>;

    /// The payer's bank takes back `amount` of a captured charge, all of it if none is given: a chargeback if
    /// `standing` is OPEN, a debit that bounces if it is LOST. Not awaited if not so much is there to take. Booked in
    /// `tx`, which claims the request: who repeats it takes nothing back a second time.
    async fn dispute_charge(
        &self,
        tx: &Tx,
        key: ChargeKey,
        amount: Option<Money>,
        standing: DisputeStanding,
    ) -> Result<Decided, ProviderUnknown>;

    /// Decides the latest dispute of a charge: WON or LOST. Booked in `tx`, as [`Self::dispute_charge`] is.
    async fn decide_dispute(
        &self,
        tx: &Tx,
        key: ChargeKey,
        standing: DisputeStanding,
    ) -> Result<Decided, ProviderUnknown>;
}

/// What the payer's bank does about captured money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BankAct {
    /// It takes back so much, all of it if none is given: OPEN for a chargeback, LOST for a debit that bounces.
    Dispute(Option<Money>, DisputeStanding),
    /// It decides the latest dispute: WON or LOST.
    Decide(DisputeStanding),
}

/// What waits for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Payment(AccountId, PaymentId),
    Method(AccountId, PaymentMethodId),
}

impl Subject {
    pub(crate) fn account(self) -> AccountId {
        match self {
            Self::Payment(account, _) | Self::Method(account, _) => account,
        }
    }
}

/// Refuses unless `subject` waits for somebody.
pub(crate) async fn check_awaited(tx: &Tx, subject: Subject) -> Result<(), Error> {
    match subject {
        Subject::Payment(account, id) => match owned_payment(tx, account, id).await?.state {
            PaymentState::ActionRequired { .. } | PaymentState::Pending(_) => Ok(()),
            state @ (PaymentState::Scheduled(_)
            | PaymentState::Processing(_)
            | PaymentState::Succeeded { .. }
            | PaymentState::Declined { .. }
            | PaymentState::Refunded { .. }) => Err(Error::NoActionAwaited { state: state.as_str() }),
        },
        Subject::Method(account, id) => check_validating(tx, account, id).await,
    }
}

/// Refuses unless the money of the payment was captured.
async fn check_captured(tx: &Tx, account: AccountId, id: PaymentId) -> Result<(), Error> {
    let payment = owned_payment(tx, account, id).await?;
    if payment.was_captured() { Ok(()) } else { Err(Error::NotDisputable(payment_name(account, id))) }
}

/// Refuses unless the method waits for the customer.
pub(crate) async fn check_validating(tx: &Tx, account: AccountId, id: PaymentMethodId) -> Result<(), Error> {
    match owned_method(tx, account, id).await?.state {
        MethodState::Validating { .. } => Ok(()),
        state @ (MethodState::Creating(_)
        | MethodState::Valid
        | MethodState::Failed { .. }
        | MethodState::Rejected { .. }
        | MethodState::Expired
        | MethodState::Replaced
        | MethodState::Canceled) => Err(Error::NoActionAwaited { state: state.as_str() }),
    }
}

impl Payments {
    /// The customer, or the bank, has decided `id`: the provider is told, and the outcome recorded.
    pub async fn customer_decided(
        &self,
        call: &Call,
        customer: &dyn CustomerDecisions,
        account: AccountId,
        id: PaymentId,
        decision: &Decision,
    ) -> Result<(), Error> {
        let key = ChargeKey { account, payment: id };
        let decided = customer.decide_charge(key, decision).await.map_err(Error::ProviderUnavailable)?;
        let payment = self.noticed(call, account, id).await?;
        match decided {
            Decided::Stands => Ok(()),
            Decided::NotAwaited => Err(Error::NoActionAwaited { state: payment.state.as_str() }),
        }
    }
}

/// The payer's bank acts on captured money: the provider books it in `tx`. What follows is recorded when it is asked
/// afterwards.
pub(crate) async fn bank_acts(
    tx: &Tx,
    bank: &dyn CustomerDecisions,
    (account, id): (AccountId, PaymentId),
    act: BankAct,
) -> Result<(), Error> {
    check_captured(tx, account, id).await?;
    let key = ChargeKey { account, payment: id };
    let decided = match act {
        BankAct::Dispute(amount, standing) => bank.dispute_charge(tx, key, amount, standing).await,
        BankAct::Decide(standing) => bank.decide_dispute(tx, key, standing).await,
    };
    match decided.map_err(Error::ProviderUnavailable)? {
        Decided::Stands => Ok(()),
        Decided::NotAwaited => Err(Error::NotDisputable(payment_name(account, id))),
    }
}

impl Methods {
    /// The customer has decided the registration of `id`: the provider is told, and the outcome recorded.
    pub async fn customer_decided(
        &self,
        call: &Call,
        customer: &dyn CustomerDecisions,
        account: AccountId,
        id: PaymentMethodId,
        decision: &Decision,
    ) -> Result<(), Error> {
        let key = MethodKey { account, method: id };
        let decided = customer.decide_method(key, decision).await.map_err(Error::ProviderUnavailable)?;
        let method = self.noticed(call, account, id).await?;
        match decided {
            Decided::Stands => Ok(()),
            Decided::NotAwaited => Err(Error::NoActionAwaited { state: method.state.as_str() }),
        }
    }
}
