//! Stripe's objects, as far as they are read.

use std::collections::HashMap;

use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer},
};

/// Something named by its id, or there as a whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

impl<T> Expandable<T> {
    pub(super) fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

impl<T: HasId> Expandable<T> {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id(),
        }
    }
}

pub(super) trait HasId {
    fn id(&self) -> &str;
}

#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) created: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PaymentMethod {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The customer it belongs to; nobody in particular before it is attached.
    #[serde(default)]
    pub(super) customer: Option<serde_json::Value>,
    pub(super) card: Option<Card>,
    pub(super) sepa_debit: Option<SepaDebit>,
    pub(super) paypal: Option<Paypal>,
}

impl HasId for PaymentMethod {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Card {
    pub(super) brand: String,
    pub(super) last4: String,
    pub(super) exp_month: u8,
    pub(super) exp_year: u16,
    pub(super) country: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct SepaDebit {
    pub(super) country: Option<String>,
    pub(super) last4: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Paypal {
    pub(super) payer_email: Option<String>,
    pub(super) country: Option<String>,
}

/// What the customer has to do.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NextAction {
    pub(super) redirect_to_url: Option<Redirect>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Redirect {
    pub(super) url: Option<String>,
}

impl NextAction {
    pub(super) fn url(&self) -> Option<String> {
        self.redirect_to_url.as_ref()?.url.clone()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) latest_charge: Option<Expandable<Charge>>,
    pub(super) next_action: Option<NextAction>,
    pub(super) last_payment_error: Option<Trouble>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) metadata: HashMap<String, String>,
}

impl HasId for PaymentIntent {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Charge {
    pub(super) disputed: bool,
    pub(super) payment_method_details: Option<MethodDetails>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct MethodDetails {
    pub(super) card: Option<CardUse>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CardUse {
    pub(super) three_d_secure: Option<ThreeDSecure>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ThreeDSecure {
    pub(super) result: Option<String>,
}

impl MethodDetails {
    /// Whether the cardholder was authenticated, or their bank answers as if they had been.
    pub(super) fn passed_three_d_secure(&self) -> bool {
        let result = self.card.as_ref().and_then(|card| card.three_d_secure.as_ref()?.result.as_deref());
        matches!(result, Some("authenticated" | "attempt_acknowledged"))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct SetupIntent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) customer: Option<String>,
    pub(super) payment_method: Option<Expandable<PaymentMethod>>,
    pub(super) latest_attempt: Option<Expandable<SetupAttempt>>,
    pub(super) mandate: Option<Expandable<Mandate>>,
    pub(super) next_action: Option<NextAction>,
    pub(super) last_setup_error: Option<Trouble>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) metadata: HashMap<String, String>,
}

impl HasId for SetupIntent {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct SetupAttempt {
    pub(super) payment_method_details: Option<MethodDetails>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Mandate {
    pub(super) status: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) status: Option<String>,
    pub(super) failure_reason: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) metadata: HashMap<String, String>,
}

impl HasId for Refund {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) reason: String,
    pub(super) status: String,
}

impl HasId for Dispute {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Why something was refused.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Trouble {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) advice_code: Option<String>,
    pub(super) param: Option<String>,
    pub(super) message: Option<String>,
    pub(super) payment_intent: Option<Box<PaymentIntent>>,
    pub(super) setup_intent: Option<Box<SetupIntent>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) data: EventData,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct EventData {
    pub(super) object: EventObject,
}

/// As much of an object as is needed to find out whose it is; the rest is asked for.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct EventObject {
    pub(super) id: Option<String>,
    pub(super) payment_intent: Option<Expandable<PaymentIntent>>,
    pub(super) payment_method: Option<Expandable<PaymentMethod>>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) metadata: HashMap<String, String>,
}

/// Metadata that is null is metadata without entries.
fn or_empty<'de, D: Deserializer<'de>>(from: D) -> Result<HashMap<String, String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
