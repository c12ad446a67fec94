//! Where a payment provider pushes its notices: `POST /webhooks/stripe`.
//!
//! | answer | when |
//! |---|---|
//! | 200 | what the notice tells of is recorded, or is none of ours |
//! | 400 | it is forged, a replay, or cannot be read: sending it again changes nothing |
//! | 413 | it is larger than any notice |
//! | 503 | it could not be recorded: the provider sends it again |
//!
//! A notice is believed for whose it is alone; how that stands is asked of the provider. So it does not matter how
//! often, how late and in which order notices come, and none has to be remembered.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use florin_payment::{Methods, NoticeError, Payments, provider::RawNotice, take_notice};
use florin_platform::call::{Call, Principal, current_trace};

/// No notice is larger.
const NOTICE_BYTES_MAX: usize = 512 * 1024;
/// Who is said to have called, in the audit log.
const STRIPE: &str = "webhooks/stripe";

/// What takes notices in.
#[derive(Clone)]
pub(crate) struct Webhooks {
    payments: Payments,
    methods: Methods,
}

impl Webhooks {
    /// Takes in notices about `payments` and `methods`.
    pub(crate) fn new(payments: Payments, methods: Methods) -> Self {
        Self { payments, methods }
    }

    /// The route, with the limit of what is read.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/webhooks/stripe", post(take))
            .with_state(self)
            .layer(DefaultBodyLimit::max(NOTICE_BYTES_MAX))
    }
}

async fn take(State(webhooks): State<Webhooks>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers = headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)));
    let raw = RawNotice { headers: headers.collect(), body: body.to_vec() };
    let principal = Principal::Service { name: STRIPE.to_owned(), roles: Vec::new() };
    let trace = current_trace().unwrap_or_default();
    let call = Call { principal, method: STRIPE.to_owned(), trace, by_role: true, shared: &[] };
    match take_notice(&webhooks.payments, &webhooks.methods, &call, &raw).await {
        Ok(_) => StatusCode::OK,
        Err(NoticeError::Refused(error)) => {
            tracing::warn!(%error, "a notice is not believed");
            StatusCode::BAD_REQUEST
        }
        Err(NoticeError::Later(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a notice could not be taken in");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
