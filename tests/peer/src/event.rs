//! Events: written with every change, signed when they are sent, delivered until they are taken.

use std::{sync::Arc, time::Duration};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{State, books::Books};

/// A signed event, as it goes over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The value of the header `Stripe-Signature`.
    pub signature: String,
    /// The body, byte for byte.
    pub body: String,
}

/// The signature header of `body` at `seconds`, made with `secret`.
#[must_use]
pub fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(format!("{seconds}.{body}").as_bytes());
    let hex = HEXLOWER.encode(mac.finalize().into_bytes().as_slice());
    format!("t={seconds},v1={hex},v0={}", "0".repeat(64))
}

impl Books {
    /// Writes that `object` changed.
    pub(crate) fn tell(&mut self, kind: &str, object: &Value) {
        let event = json!({
            "id": self.id("evt"),
            "object": "event",
            "api_version": self.version,
            "created": self.now(),
            "data": { "object": object },
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": null, "idempotency_key": null },
            "type": kind,
        });
        self.untaken.push(event.clone());
        self.events.push(event);
    }

    pub(crate) fn sign(&self, body: &str) -> Signed {
        Signed { signature: signature(&self.webhook_secret, self.now(), body), body: body.to_owned() }
    }

    pub(crate) fn signed(&self, event: &Value) -> Signed {
        self.sign(&event.to_string())
    }
}

/// Delivers every event there is and will be to `address`, in order, each until it is taken.
pub(crate) fn push(state: Arc<State>, address: String) {
    tokio::spawn(async move {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<axum::body::Bytes>>();
        let mut delivered = 0;
        loop {
            let stirred = state.stirred.notified();
            let next = {
                let books = state.books();
                books.events.get(delivered).map(|event| books.signed(event))
            };
            let Some(Signed { signature, body }) = next else {
                stirred.await;
                continue;
            };
            let request = Request::post(&address)
                .header("content-type", "application/json; charset=utf-8")
                .header("stripe-signature", signature)
                .body(Full::new(body.into()))
                .expect("a request");
            match client.request(request).await {
                Ok(response) if response.status().is_success() => delivered += 1,
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
}
