//! VIES, the register of the European Commission, over its REST interface.
//!
//! | answer | means |
//! |---|---|
//! | 200 with `valid` | what the member state says, with `requestIdentifier` as evidence |
//! | 200 with `errorWrappers` or a `userError`, such as `MS_UNAVAILABLE` or `MS_MAX_CONCURRENT_REQ` | silence |
//! | another status, a broken connection, silence, anything unreadable | silence |

use std::time::Duration;

use florin_account::{Consultation, Registered, RegistrySilent, VatRegistry};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::bytes::Bytes;
use serde::{Deserialize, Serialize};

/// No answer is larger.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// VIES.
#[derive(Clone)]
pub struct Vies {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    answer_max: Duration,
}

impl std::fmt::Debug for Vies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vies").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("VIES did not answer in time")]
    Late,
    #[error("VIES could not be asked")]
    Unreachable(#[source] legacy::Error),
    #[error("the answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("VIES answered {0}")]
    Status(StatusCode),
    #[error("VIES cannot tell: {0}")]
    Refused(String),
    #[error("the question or the answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("the request cannot be written")]
    Unwritable(#[from] http::Error),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'q> {
    country_code: &'q str,
    vat_number: &'q str,
    requester_member_state_code: &'q str,
    requester_number: &'q str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    valid: Option<bool>,
    request_identifier: Option<String>,
    /// What some member states' gateways say beside a `valid` that means nothing then.
    user_error: Option<String>,
    #[serde(default)]
    error_wrappers: Vec<Trouble>,
}

#[derive(Debug, Deserialize)]
struct Trouble {
    error: String,
}

impl Vies {
    /// The register at `url`, which answers within `answer_max`.
    ///
    /// # Errors
    /// If the certificates of this machine cannot be read.
    pub fn new(url: &str, answer_max: Duration) -> Result<Self, std::io::Error> {
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), answer_max })
    }

    async fn ask(&self, consultation: &Consultation) -> Result<Registered, Silence> {
        let (country_code, vat_number) = parts(&consultation.number);
        let (requester_member_state_code, requester_number) = parts(&consultation.requester);
        let question = Question { country_code, vat_number, requester_member_state_code, requester_number };
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/check-vat-number", self.url))
            .header("content-type", "application/json")
            .header("user-agent", concat!("florin/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(serde_json::to_vec(&question)?)))?;
        let response = self.http.request(request).await.map_err(Silence::Unreachable)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(Silence::Broken)?;
        if !head.status.is_success() {
            return Err(Silence::Status(head.status));
        }
        read(&body.to_bytes())
    }
}

fn read(body: &[u8]) -> Result<Registered, Silence> {
    let answer: Answer = serde_json::from_slice(body)?;
    let decided = |word: &String| word.is_empty() || word == "VALID" || word == "INVALID";
    let trouble = answer.error_wrappers.into_iter().next().map(|one| one.error);
    match (answer.valid, trouble.or(answer.user_error.filter(|word| !decided(word)))) {
        (Some(is_registered), None) => {
            let consultation = answer.request_identifier.unwrap_or_default();
            Ok(Registered { is_registered, consultation })
        }
        (_, Some(trouble)) => Err(Silence::Refused(trouble)),
        (None, None) => Err(Silence::Refused("no reason given".to_owned())),
    }
}

/// The country a number begins with, and the rest.
fn parts(number: &str) -> (&str, &str) {
    number.split_at_checked(2).unwrap_or((number, ""))
}

#[async_trait::async_trait]
impl VatRegistry for Vies {
    fn name(&self) -> &'static str {
        "VIES"
    }

    async fn consult(&self, consultation: &Consultation) -> Result<Registered, RegistrySilent> {
        let asked = tokio::time::timeout(self.answer_max, self.ask(consultation)).await;
        asked.unwrap_or(Err(Silence::Late)).map_err(RegistrySilent::new)
    }
}
