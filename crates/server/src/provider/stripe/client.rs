//! The requests: a key, a version, a deadline, and few repetitions.
//!
//! | answer | means |
//! |---|---|
//! | 2xx | done |
//! | 400, 402, 404 | Stripe decided against it |
//! | 409, 429 | not begun: repeated, then unknown |
//! | 5xx | unknown; a question is repeated, a change only where Stripe says so |
//! | a broken connection, silence, 401, 403, anything unreadable, a key used with other parameters | unknown |

use std::time::Duration;

use florin_payment::provider::ProviderUnknown;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    API_VERSION,
    form::Form,
    object::{HasId, List, Trouble},
};
use crate::config::Secret;

/// How often a request is sent at most.
const TRIES_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
/// No answer of Stripe's is larger.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many pages of a list are read at most.
const PAGES_MAX: usize = 20;

/// What Stripe decided.
#[derive(Clone, Debug)]
pub(super) struct Answer<T> {
    pub(super) decided: Result<T, Trouble>,
}

impl<T> Answer<T> {
    /// What was asked for; a refusal says nothing then.
    pub(super) fn known(self) -> Result<T, ProviderUnknown> {
        self.decided.map_err(|trouble| {
            tracing::error!(
                code = trouble.word(),
                message = trouble.message,
                "Stripe refuses what was asked"
            );
            ProviderUnknown::new(Refused(trouble.word()))
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("Stripe refuses what was asked: {0}")]
struct Refused(String);

#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("Stripe did not answer in time")]
    Late,
    #[error("Stripe could not be asked")]
    Unreachable(#[source] legacy::Error),
    #[error("the answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("Stripe answered {0}")]
    Status(StatusCode),
    #[error("the answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("the request cannot be written")]
    Unwritable(#[from] http::Error),
    #[error("the list does not end")]
    Endless,
    #[error("an idempotency key was used before, with other parameters")]
    KeyReused,
}

/// Somebody who speaks with Stripe.
#[derive(Clone)]
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    secret_key: Secret,
    answer_max: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

/// One request.
struct Asked<'a> {
    method: Method,
    address: String,
    body: String,
    key: Option<&'a str>,
}

impl Client {
    pub(super) fn new(url: String, secret_key: Secret, answer_max: Duration) -> Result<Self, std::io::Error> {
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, url, secret_key, answer_max })
    }

    /// Asks, and changes nothing.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Form,
    ) -> Result<Answer<T>, ProviderUnknown> {
        let query = query.encoded();
        let separator = if query.is_empty() { "" } else { "?" };
        let address = format!("{}{path}{separator}{query}", self.url);
        self.ask(Asked { method: Method::GET, address, body: String::new(), key: None }).await
    }

    /// Changes something, once per key.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &Form,
        key: &str,
    ) -> Result<Answer<T>, ProviderUnknown> {
        let address = format!("{}{path}", self.url);
        self.ask(Asked { method: Method::POST, address, body: form.encoded(), key: Some(key) }).await
    }

    /// Everything in a list for which `wanted` holds, newest first.
    pub(super) async fn all<T: DeserializeOwned + HasId>(
        &self,
        path: &str,
        query: &Form,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, ProviderUnknown> {
        let mut found = Vec::new();
        let mut page_query = query.clone();
        for _ in 0..PAGES_MAX {
            let page: List<T> = self.get(path, &page_query).await?.known()?;
            let last = page.data.last().map(|object| object.id().to_owned());
            found.extend(page.data.into_iter().filter(|object| wanted(object)));
            match last {
                Some(last) if page.has_more => page_query = query.clone().with("starting_after", last),
                Some(_) | None => return Ok(found),
            }
        }
        Err(ProviderUnknown::new(Silence::Endless))
    }

    async fn ask<T: DeserializeOwned>(&self, asked: Asked<'_>) -> Result<Answer<T>, ProviderUnknown> {
        match tokio::time::timeout(self.answer_max, self.insist(&asked)).await {
            Ok(answer) => answer.map_err(ProviderUnknown::new),
            Err(_) => Err(ProviderUnknown::new(Silence::Late)),
        }
    }

    async fn insist<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> Result<Answer<T>, Silence> {
        let mut tries = 1;
        loop {
            let (status, headers, body) = self.send(asked).await?;
            match status {
                status if status.is_success() => {
                    return Ok(Answer { decided: Ok(serde_json::from_slice(&body)?) });
                }
                StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND => {
                    return decided(&body);
                }
                status if tries < TRIES_MAX && may_repeat(asked, status, &headers) => {
                    tokio::time::sleep(PAUSE.saturating_mul(tries)).await;
                    tries += 1;
                }
                status => {
                    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                        tracing::error!(%status, "Stripe does not accept the secret key");
                    }
                    return Err(Silence::Status(status));
                }
            }
        }
    }

    async fn send(&self, asked: &Asked<'_>) -> Result<(StatusCode, HeaderMap, Bytes), Silence> {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(&asked.address)
            .header("authorization", format!("Bearer {}", self.secret_key.reveal()))
            .header("stripe-version", API_VERSION)
            .header("user-agent", concat!("florin/", env!("CARGO_PKG_VERSION")))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(key) = asked.key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(Bytes::from(asked.body.clone())))?;
        let response = self.http.request(request).await.map_err(Silence::Unreachable)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(Silence::Broken)?;
        Ok((parts.status, parts.headers, body.to_bytes()))
    }
}

fn may_repeat(asked: &Asked<'_>, status: StatusCode, headers: &HeaderMap) -> bool {
    let advised = headers.get("stripe-should-retry").and_then(|value| value.to_str().ok());
    match advised {
        Some("true") => true,
        Some("false") => false,
        Some(_) | None if status == StatusCode::CONFLICT || status == StatusCode::TOO_MANY_REQUESTS => true,
        Some(_) | None => status.is_server_error() && asked.key.is_none(),
    }
}

fn decided<T>(body: &[u8]) -> Result<Answer<T>, Silence> {
    #[derive(Deserialize)]
    struct Body {
        error: Trouble,
    }
    let Body { error } = serde_json::from_slice(body)?;
    if error.kind == "idempotency_error" {
        tracing::error!(message = error.message, "an idempotency key was used with other parameters");
        return Err(Silence::KeyReused);
    }
    Ok(Answer { decided: Err(error) })
}

/// Whether `text` can be an id of Stripe's, and so stand in a path.
pub(super) fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
