//! The port to whoever moves the money (R3.6, R3.7).
//!
//! | rule for callers | |
//! |---|---|
//! | no transaction is open while one of these runs | the answer may take as long as the network likes |
//! | every call carries a key that was stored before | the same key again is the same act, never a second one |
//! | `Ok` is what the provider decided | it does not change its mind about a final outcome |
//! | `Err` says nothing about the money | ask again with the same key, or [`Provider::fetch`] |
//!
//! A new provider is an adapter in `server` that passes [`contract::check`].

pub mod contract;

use std::sync::Arc;

use florin_platform::id::AccountId;
use florin_settlement::Money;

pub use crate::domain::{
    method::{CardExpiry, MethodDetails, Registration},
    payment::{ChargeOutcome, Finality},
    refund::RefundOutcome,
};
use crate::domain::{
    method::{MethodKind, PaymentMethod, PaymentMethodId},
    payment::{Initiator, Means, Payment, PaymentId},
    refund::{Refund, RefundId},
};

/// No answer came, or one that cannot be read: what happened is not known.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the payment provider gave no usable answer")]
pub struct ProviderUnknown {
    #[source]
    cause: Arc<dyn std::error::Error + Send + Sync>,
}

impl ProviderUnknown {
    /// Not known, because of `cause`.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: cause.into().into() }
    }
}

/// The key of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MethodKey {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub method: PaymentMethodId,
}

/// The key of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChargeKey {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub payment: PaymentId,
}

/// A method to register.
#[derive(Clone, PartialEq, Eq)]
pub struct Register {
    /// Its key.
    pub key: MethodKey,
    /// What it should be.
    pub kind: MethodKind,
    /// What the provider's form gave for it.
    pub token: String,
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("key", &self.key).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What a charge is drawn on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A method registered before, by the provider's reference. It was authenticated when it was
    /// registered; charging it asks nothing of the customer.
    Registered {
        /// What the provider calls it.
        reference: String,
    },
    /// A card given for this once; it must pass 3-D Secure, and nothing but a card is accepted (R3.3).
    OneOffCard {
        /// What the provider's page gave for it.
        token: String,
    },
}

/// Money to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its key.
    pub key: ChargeKey,
    /// How much, including VAT; above zero.
    pub amount: Money,
    /// From where.
    pub source: Source,
    /// Whether the customer is there.
    pub initiator: Initiator,
    /// What the customer reads on their statement.
    pub description: String,
}

/// Money to give back to its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiveBack {
    /// Its key.
    pub key: RefundId,
    /// The charge it gives back.
    pub charge: ChargeKey,
    /// How much; never more than was captured.
    pub amount: Money,
}

/// Somebody who moves money.
#[async_trait::async_trait]
pub trait Provider: Send + Sync {
    /// The kinds of method it can register.
    fn kinds(&self) -> &'static [MethodKind];

    /// What kind of method `token` stands for; none if the provider does not know it.
    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown>;

    /// Registers a method for charges without the customer, once per key.
    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown>;

    /// How a registration stands; none if this key never arrived.
    async fn registration(&self, key: MethodKey) -> Result<Option<Registration>, ProviderUnknown>;

    /// Takes money, once per key.
    async fn charge(&self, charge: &Charge) -> Result<ChargeOutcome, ProviderUnknown>;

    /// How a charge stands; none if this key never arrived.
    async fn fetch(&self, key: ChargeKey) -> Result<Option<ChargeOutcome>, ProviderUnknown>;

    /// Gives captured money back, once per key.
    async fn refund(&self, refund: &GiveBack) -> Result<RefundOutcome, ProviderUnknown>;
}

impl Register {
    pub(crate) fn of(method: &PaymentMethod) -> Self {
        let key = MethodKey { account: method.account, method: method.id };
        Self { key, kind: method.kind, token: method.token.clone() }
    }
}

impl ChargeKey {
    pub(crate) fn of(payment: &Payment) -> Self {
        Self { account: payment.account, payment: payment.id }
    }
}

impl Charge {
    /// The charge of `payment`; `reference` is what the provider calls its registered method.
    pub(crate) fn of(payment: &Payment, reference: Option<String>) -> Option<Self> {
        let source = match &payment.means {
            Means::Method(_) => Source::Registered { reference: reference? },
            Means::OneOff { provider_token } => Source::OneOffCard { token: provider_token.clone() },
        };
        Some(Self {
            key: ChargeKey::of(payment),
            amount: payment.amount,
            source,
            initiator: payment.initiator,
            description: payment.reference.clone(),
        })
    }
}

impl GiveBack {
    pub(crate) fn of(refund: &Refund) -> Self {
        let charge = ChargeKey { account: refund.account, payment: refund.payment };
        Self { key: refund.id, charge, amount: refund.amount }
    }
}
