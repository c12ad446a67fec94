//! The requests: who asks, whether it was asked before, and what is lost on the way.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State as Shared},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    Fault, State,
    answer::{Answer, Refused},
    books::{Books, Kept},
    form::Form,
    shapes,
};

/// Keys are forgotten after so long, as Stripe says it may.
const KEPT_SECONDS: i64 = 24 * 3600;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(answer).with_state(state)
}

async fn answer(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 1 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (fault, answer) = {
        let mut books = state.books();
        books.asked.push(format!("{} {}", parts.method, parts.uri.path()));
        let fault = if parts.method == Method::POST { books.faults.pop_front() } else { None };
        let answer = match fault {
            Some(Fault::LoseQuestion | Fault::NeverDo | Fault::Status(_)) => None,
            Some(Fault::LoseAnswer | Fault::NeverAnswer | Fault::HoldAnswer) | None => Some(books.admitted(
                &parts.method,
                parts.uri.path(),
                &Form::of_query(&parts.uri),
                &parts.headers,
                &body,
            )),
        };
        (fault, answer)
    };
    state.stirred.notify_waiters();
    match (fault, answer) {
        (Some(Fault::Status(status)), _) => written(&Answer {
            status,
            body: json!({ "error": { "type": "api_error", "message": "as the test asks" } }),
        }),
        (Some(Fault::NeverDo | Fault::NeverAnswer), _) => std::future::pending().await,
        (Some(Fault::HoldAnswer), Some(answer)) => {
            state.released.acquire().await.expect("it is never closed").forget();
            written(&answer)
        }
        (Some(Fault::LoseQuestion | Fault::LoseAnswer | Fault::HoldAnswer), _) | (None, None) => broken(),
        (None, Some(answer)) => written(&answer),
    }
}

/// The connection breaks in the middle of the answer.
fn broken() -> Response {
    let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("as the test asks"))]);
    Response::new(Body::from_stream(broken))
}

fn written(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/json")], answer.body.to_string()).into_response()
}

impl Books {
    fn admitted(
        &mut self,
        method: &Method,
        path: &str,
        query: &Form,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Answer {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if header("authorization") != format!("Bearer {}", self.secret_key) {
            let refused = Answer::invalid(None, None, "Invalid API Key provided");
            return Answer { status: 401, ..refused };
        }
        header("stripe-version").clone_into(&mut self.version);
        let text = String::from_utf8_lossy(body).into_owned();
        let key = header("idempotency-key").to_owned();
        if method == Method::GET {
            return self.read(path, query).unwrap_or_else(|refused| refused);
        }
        let fingerprint = format!("{path}?{text}");
        if let Some(kept) = self.kept.get(&key).filter(|kept| self.now() - kept.at < KEPT_SECONDS) {
            if kept.fingerprint == fingerprint {
                return kept.answer.clone();
            }
            let message = "Keys for idempotent requests can only be used with the same parameters.";
            let error = json!({ "type": "idempotency_error", "message": message });
            return Answer { status: 400, body: json!({ "error": error }) };
        }
        let form = Form::parse(&text);
        let answer = match shapes::unknown_parameter(path, &form) {
            Some(name) => {
                return Answer::invalid(Some("parameter_unknown"), Some(&name), "Received unknown parameter");
            }
            None => self.changed(path, &form).unwrap_or_else(|refused| refused),
        };
        if !key.is_empty() {
            let at = self.now();
            self.kept.insert(key, Kept { fingerprint, answer: answer.clone(), at });
        }
        answer
    }

    fn read(&mut self, path: &str, query: &Form) -> Result<Answer, Refused> {
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        let (narrow, prefix): (&[&str], _) = match parts.as_slice() {
            ["customers", "search"] => return self.search_customers(query),
            ["payment_methods", id] => {
                // A documented token can be looked at, as one's own test tokens can at Stripe.
                let method = self.method(id).map_err(|_| Answer::missing(id, "payment_method"))?;
                return Ok(Answer::fine(method));
            }
            [_, id] => {
                let mut object = self.get(id, "id")?;
                self.expand(&mut object, &query.list("expand"));
                return Ok(Answer::fine(object));
            }
            ["payment_intents"] => (&["customer"], "pi"),
            ["setup_intents"] => (&["customer", "payment_method"], "seti"),
            ["refunds"] => (&["payment_intent", "charge"], "re"),
            ["disputes"] => (&["payment_intent", "charge"], "du"),
            _ => return Err(unknown_path(path)),
        };
        Ok(self.list(prefix, path, query, narrow))
    }

    fn changed(&mut self, path: &str, form: &Form) -> Result<Answer, Refused> {
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        match parts.as_slice() {
            ["customers"] => Ok(self.create_customer(form)),
            ["setup_intents"] => self.create_setup(form),
            ["setup_intents", id, "cancel"] => self.cancel_setup(id, form),
            ["payment_intents"] => self.create_payment(form),
            ["payment_intents", id, "capture"] => self.capture_payment(id, form),
            ["payment_intents", id, "cancel"] => self.cancel_payment(id, form),
            ["payment_methods", id, "detach"] => self.detach(id),
            ["refunds"] => self.create_refund(form),
            _ => Err(unknown_path(path)),
        }
    }
}

fn unknown_path(path: &str) -> Refused {
    Answer { status: 404, ..Answer::invalid(None, None, &format!("Unrecognized request URL: {path}")) }
}
