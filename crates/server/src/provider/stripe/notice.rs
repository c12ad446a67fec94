//! Notices: events Stripe pushes. Nothing in them is believed but whose they are; the rest is asked for.
//!
//! | event | about |
//! |---|---|
//! | `payment_intent.…` | the charge in its metadata |
//! | `charge.dispute.…` | the charge of the payment intent it names |
//! | `setup_intent.…` | the method in its metadata |
//! | `mandate.updated`, `payment_method.…` | the method whose setup intent made it |
//! | `refund.…`, `charge.refund.updated` | the refund in its metadata |
//! | everything else, and what is not Florin's | nothing |
//!
//! The signature covers the time and the body. Several secrets are good while one replaces another; a signature
//! older than five minutes is a replay.

use std::collections::HashMap;

use data_encoding::HEXLOWER_PERMISSIVE;
use florin_payment::provider::{
    ChargeKey, MethodKey, Notice, NoticeRefused, NoticeSubject, ProviderUnknown, RawNotice,
};
use florin_platform::id::{Id, Kind};
use florin_settlement::Instant;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{
    SKEW, StripeProvider,
    client::is_id,
    form::Form,
    object::{Event, EventObject, PaymentIntent, SetupIntent},
};
use crate::config::Secret;

const HEADER: &str = "stripe-signature";
/// The events that may be about something of ours, by how they begin.
const CARED_FOR: [&str; 7] = [
    "payment_intent.",
    "charge.dispute.",
    "setup_intent.",
    "mandate.",
    "payment_method.",
    "refund.",
    "charge.refund.",
];

impl StripeProvider {
    /// What a notice that arrived at `now` is about.
    pub(super) async fn noticed(&self, raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused> {
        let signature = raw.header(HEADER).ok_or(NoticeRefused::Forged)?;
        verify(signature, &raw.body, &self.webhook_secrets, now)?;
        let event: Event = serde_json::from_slice(&raw.body)
            .map_err(|error| NoticeRefused::Unreadable(error.to_string()))?;
        if !CARED_FOR.iter().any(|start| event.kind.starts_with(start)) {
            return Ok(Vec::new());
        }
        let about = self.about(&event.kind, &event.data.object).await?;
        Ok(about.map(|about| Notice { id: event.id, about }).into_iter().collect())
    }

    async fn about(
        &self,
        kind: &str,
        object: &EventObject,
    ) -> Result<Option<NoticeSubject>, ProviderUnknown> {
        if kind.starts_with("charge.dispute.") {
            let Some(intent) = object.payment_intent.as_ref().map(super::object::Expandable::id) else {
                return Ok(None);
            };
            return self.about_intent(intent).await;
        }
        if kind.starts_with("mandate.") {
            let method = object.payment_method.as_ref().map(super::object::Expandable::id);
            return self.about_method(method).await;
        }
        if kind.starts_with("payment_method.") {
            return self.about_method(object.id.as_deref()).await;
        }
        Ok(subject(&object.metadata))
    }

    async fn about_intent(&self, intent: &str) -> Result<Option<NoticeSubject>, ProviderUnknown> {
        if !is_id(intent) {
            return Ok(None);
        }
        let path = format!("/v1/payment_intents/{intent}");
        let intent: PaymentIntent = self.client.get(&path, &Form::new()).await?.known()?;
        Ok(subject(&intent.metadata))
    }

    async fn about_method(&self, method: Option<&str>) -> Result<Option<NoticeSubject>, ProviderUnknown> {
        let Some(method) = method.filter(|method| is_id(method)) else { return Ok(None) };
        let query = Form::new().with("payment_method", method).with("limit", 100);
        let ours = |intent: &SetupIntent| subject(&intent.metadata).is_some();
        let found = self.client.all("/v1/setup_intents", &query, ours).await?;
        Ok(found.first().and_then(|intent| subject(&intent.metadata)))
    }
}

/// Whose something is, by its metadata; nothing if it is not Florin's.
fn subject(metadata: &HashMap<String, String>) -> Option<NoticeSubject> {
    let account = id(metadata, "florin_account")?;
    if let Some(refund) = id(metadata, "florin_refund") {
        return Some(NoticeSubject::Refund { account, payment: id(metadata, "florin_payment")?, refund });
    }
    if let Some(payment) = id(metadata, "florin_payment") {
        return Some(NoticeSubject::Charge(ChargeKey { account, payment }));
    }
    Some(NoticeSubject::Method(MethodKey { account, method: id(metadata, "florin_method")? }))
}

fn id<K: Kind>(metadata: &HashMap<String, String>, name: &str) -> Option<Id<K>> {
    Id::parse(metadata.get(name)?).ok()
}

/// Checks a header such as `t=1492774577,v1=5257a869…,v1=…,v0=…`.
fn verify(header: &str, body: &[u8], secrets: &[Secret], now: Instant) -> Result<(), NoticeRefused> {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", seconds)) => time = seconds.parse::<i64>().ok(),
            Some(("v1", hex)) => signatures.extend(HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()),
            Some(_) | None => {}
        }
    }
    let time = time.ok_or(NoticeRefused::Forged)?;
    let genuine = secrets.iter().any(|secret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(time.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        // In constant time.
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if !genuine {
        return Err(NoticeRefused::Forged);
    }
    let signed = time.checked_mul(1_000_000).and_then(|micros| Instant::from_micros(micros).ok());
    let signed = signed.ok_or(NoticeRefused::Forged)?;
    let apart = now.saturating_since(signed).max(signed.saturating_since(now));
    if apart > SKEW { Err(NoticeRefused::Stale) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const AT: i64 = 1_800_000_000;

    fn secrets(secrets: &[&str]) -> Vec<Secret> {
        secrets.iter().map(|secret| Secret::new(*secret)).collect()
    }

    fn signed(secret: &str, seconds: i64) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(BODY);
        HEXLOWER_PERMISSIVE.encode(mac.finalize().into_bytes().as_slice())
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_micros(seconds * 1_000_000).expect("an instant")
    }

    fn said(header: &str, known: &[&str], seconds: i64) -> &'static str {
        match verify(header, BODY, &secrets(known), at(seconds)) {
            Ok(()) => "believed",
            Err(NoticeRefused::Stale) => "stale",
            Err(_) => "forged",
        }
    }

    #[test]
    fn a_signature_by_any_secret_in_use_is_believed_for_five_minutes() {
        let header = format!("t={AT},v1={},v0=00", signed("old", AT));
        assert_eq!(said(&header, &["old"], AT), "believed");
        assert_eq!(said(&header, &["new", "old"], AT + 300), "believed");
        assert_eq!(said(&header, &["new", "old"], AT + 301), "stale");
        assert_eq!(said(&header, &["new", "old"], AT - 301), "stale");
        assert_eq!(said(&header, &["new"], AT), "forged");
        let both = format!("t={AT},v1={},v1={}", signed("new", AT), signed("old", AT));
        assert_eq!(said(&both, &["old"], AT), "believed");
    }

    #[test]
    fn the_time_is_signed_and_nothing_else_will_do() {
        let moved = format!("t={},v1={}", AT + 1, signed("key", AT));
        assert_eq!(said(&moved, &["key"], AT), "forged");
        for header in
            ["", "t=", "v1=00", "t=1800000000", "t=1800000000,v1=", "t=1800000000,v1=zz", "t=x,v1=00"]
        {
            assert_eq!(said(header, &["key"], AT), "forged", "{header}");
        }
        let old_scheme = format!("t={AT},v0={}", signed("key", AT));
        assert_eq!(said(&old_scheme, &["key"], AT), "forged");
        assert_eq!(said(&format!("t={AT},v1={}", signed("", AT)), &[], AT), "forged");
    }
}
