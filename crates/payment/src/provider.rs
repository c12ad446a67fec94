//! The port to whoever moves the money (R3.6, R3.7).
//!
//! | rule for callers | |
//! |---|---|
//! | no transaction is open while one of these runs | the answer may take as long as the network likes |
//! | every call carries a key that was stored before | the same key again is the same act, never a second one |
//! | `Ok` is what the provider decided | it does not change its mind about a final outcome |
//! | `Err` says nothing about the money | ask again with the same key, or [`Provider::fetch`] |
//! | a notice is a hint | what is believed is what the provider answers when it is asked ([`notice`]) |
//!
//! A new provider is an adapter in `server` that passes [`contract::check`].

pub mod contract;
pub mod notice;

use std::sync::Arc;

use florin_platform::id::AccountId;
use florin_settlement::{Instant, Money};

pub use crate::domain::{
    dispute::{DisputeReport, DisputeStanding},
    method::{CardExpiry, MethodDetails, Registration},
    payment::{ChargeOutcome, ChargeReport, Finality},
    refund::{RefundOutcome, RefundReport},
};
pub use notice::{Notice, NoticeRefused, NoticeSubject, RawNotice};

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

/// How Florin hears of what happens at a provider between two questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The provider pushes signed notices: [`Provider::read_notice`].
    Pushed,
    /// It has to be asked.
    Asked,
}

/// What a provider can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The kinds of method it can register, in the order of offers.
    pub kinds: &'static [MethodKind],
    /// The kinds whose captured money it can send back to its source.
    pub refundable: &'static [MethodKind],
    /// The kinds whose customer approves apart, at an action URL; for the others the form itself is enough.
    pub approved_apart: &'static [MethodKind],
    /// How news reach Florin.
    pub news: News,
    /// How long the text on the customer's statement may be, in ASCII characters.
    pub statement_characters_max: usize,
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
    /// When it was stored; the provider cannot know it from before.
    pub begun: Instant,
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("key", &self.key).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A registered method to forget: it is never charged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forget {
    /// Its key.
    pub key: MethodKey,
    /// What the provider calls it, if it ever said.
    pub reference: Option<String>,
}

/// What a charge is drawn on.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A method registered before, by the provider's reference. It was authenticated when it was
    /// registered; charging it asks nothing of the customer, unless the bank insists.
    Registered {
        /// What kind it is.
        kind: MethodKind,
        /// What the provider calls it.
        reference: String,
    },
    /// A card given for this once; it must pass 3-D Secure, and nothing but a card is accepted (R3.3).
    OneOffCard {
        /// What the provider's page gave for it.
        token: String,
    },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registered { kind, reference } => {
                f.debug_struct("Registered").field("kind", kind).field("reference", reference).finish()
            }
            Self::OneOffCard { .. } => f.debug_struct("OneOffCard").finish_non_exhaustive(),
        }
    }
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
    /// What is paid for, for the provider's own records: a resource name.
    pub description: String,
    /// What the customer reads on their statement; within the provider's limit.
    pub statement: String,
    /// When the attempt was stored; the provider cannot know it from before.
    pub begun: Instant,
}

/// Money to give back to its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiveBack {
    /// Its key.
    pub key: RefundId,
    /// The charge it gives back.
    pub charge: ChargeKey,
    /// What the provider calls that charge, if it ever said.
    pub charge_reference: Option<String>,
    /// How much; never more than was captured.
    pub amount: Money,
    /// When the refund was stored; the provider cannot know it from before.
    pub begun: Instant,
}

/// Somebody who moves money.
///
/// Where a `reference` is asked for, it is what the provider called the thing in an earlier answer; none if no
/// answer ever came, and then the provider has to find it by its key.
#[async_trait::async_trait]
pub trait Provider: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// What kind of method `token` stands for; none if the provider does not know it.
    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown>;

    /// Registers a method for charges without the customer, once per key.
    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown>;

    /// How a registration stands now; none if this key never arrived.
    async fn registration(
        &self,
        method: &Register,
        reference: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown>;

    /// Forgets a method, so that it cannot be charged again. Forgetting what is not known is done already.
    async fn forget(&self, method: &Forget) -> Result<(), ProviderUnknown>;

    /// Takes money, once per key.
    async fn charge(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown>;

    /// How a charge stands now, with every dispute of it there ever was; none if this key never arrived.
    async fn fetch(
        &self,
        charge: &Charge,
        reference: Option<&str>,
    ) -> Result<Option<ChargeReport>, ProviderUnknown>;

    /// Gives captured money back, once per key.
    async fn refund(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown>;

    /// How a refund stands now; none if this key never arrived.
    async fn fetch_refund(
        &self,
        refund: &GiveBack,
        reference: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown>;

    /// What a notice says that arrived at `now`, once its signature is verified; nothing if it is about what
    /// Florin does not care for.
    async fn read_notice(&self, raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused>;
}

impl MethodKey {
    pub(crate) fn of(method: &PaymentMethod) -> Self {
        Self { account: method.account, method: method.id }
    }
}

impl Register {
    pub(crate) fn of(method: &PaymentMethod) -> Self {
        let key = MethodKey::of(method);
        Self { key, kind: method.kind, token: method.token.clone(), begun: method.created }
    }
}

impl ChargeKey {
    pub(crate) fn of(payment: &Payment) -> Self {
        Self { account: payment.account, payment: payment.id }
    }
}

impl Charge {
    /// The charge of `payment`; `method` is what pays, where that is a registered one.
    pub(crate) fn of(
        payment: &Payment,
        method: Option<&PaymentMethod>,
        capabilities: &Capabilities,
    ) -> Option<Self> {
        let source = match &payment.means {
            Means::Method(_) => {
                let method = method?;
                Source::Registered { kind: method.kind, reference: method.provider_reference.clone()? }
            }
            Means::OneOff { provider_token } => Source::OneOffCard { token: provider_token.clone() },
        };
        Some(Self {
            key: ChargeKey::of(payment),
            amount: payment.amount,
            source,
            initiator: payment.initiator,
            description: payment.reference.clone(),
            statement: statement(payment.id, capabilities.statement_characters_max),
            begun: payment.created,
        })
    }
}

/// Who took the money, and by which payment, as far as it fits.
fn statement(payment: PaymentId, characters_max: usize) -> String {
    let id = payment.to_string();
    let tail: String = id.chars().skip(id.len().saturating_sub(8)).collect();
    format!("FLORIN {}", tail.to_ascii_uppercase()).chars().take(characters_max).collect()
}

impl GiveBack {
    pub(crate) fn of(refund: &Refund, charge_reference: Option<String>) -> Self {
        let charge = ChargeKey { account: refund.account, payment: refund.payment };
        Self { key: refund.id, charge, charge_reference, amount: refund.amount, begun: refund.created }
    }
}
