//! What every page has in common: its frame, the headers that protect it, and how trouble looks.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use florin_api::error::v1::ErrorReason;
use maud::{DOCTYPE, Markup, html};
use sea_orm::DbErr;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    asked_language,
    text::{self, Texts},
};

const STYLE: &str = include_str!("style.css");
const CARD_SCRIPT: &str = include_str!("card.js");

/// Nothing but our own style and forms; no script, no frame, no image.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The same, and Stripe's form.
const POLICY_WITH_STRIPE: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; script-src 'self' https://js.stripe.com; connect-src https://api.stripe.com; \
     frame-src https://js.stripe.com https://hooks.stripe.com";

/// A page in `language`.
pub(super) fn page(language: &str, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="stylesheet" href="/pages/style.css";
            }
            body { main { h1 { (title) } (body) } }
        }
    }
}

/// What the customer did took effect, or had taken effect before: the page says how things stand. A browser
/// that reloads it asks nothing again.
pub(super) fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// Lets Stripe's form into a page.
pub(super) fn with_stripe(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(POLICY_WITH_STRIPE);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing is here, or nothing the visitor may know of.
    NotFound,
    /// The form is not one of ours.
    BadForm,
    /// The database.
    Database(DbErr),
    /// Whatever the service refused.
    Refused(Status),
}

impl From<DbErr> for Trouble {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        // The language is chosen further out, where the visitor's headers are at hand.
        let (code, _) = self.seen();
        let mut response = code.into_response();
        response.extensions_mut().insert(Shown(code));
        response
    }
}

/// A page that is still to be written in the visitor's language.
#[derive(Clone, Copy, Debug)]
struct Shown(StatusCode);

impl Trouble {
    fn seen(&self) -> (StatusCode, Option<ErrorReason>) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, None),
            Self::BadForm => (StatusCode::BAD_REQUEST, None),
            Self::Database(error) => {
                tracing::error!(%error, "no page");
                (StatusCode::INTERNAL_SERVER_ERROR, None)
            }
            Self::Refused(status) => (http_code(status.code()), Some(reason(status))),
        }
    }
}

/// The machine-readable reason of a refusal.
pub(super) fn reason(status: &Status) -> ErrorReason {
    let details = status.get_error_details();
    let named = details.error_info().map(|info| format!("ERROR_REASON_{}", info.reason));
    let known = named.and_then(|name| ErrorReason::from_str_name(&name));
    known.unwrap_or(ErrorReason::Internal)
}

/// The HTTP code nearest to a refusal.
pub(super) fn http_code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::NotFound | Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::PermissionDenied | Code::Unauthenticated => StatusCode::FORBIDDEN,
        Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn trouble(language: &'static str, code: StatusCode) -> Response {
    let texts: &Texts = text::of(language);
    let (title, words) = match code {
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => (texts.not_found, texts.not_found_words),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::GATEWAY_TIMEOUT => {
            (texts.busy, texts.busy_words)
        }
        code if code.is_server_error() => (texts.broken, texts.broken_words),
        _ => (texts.refused, texts.refused_words),
    };
    (code, page(language, title, &html! { p { (words) } })).into_response()
}

/// Writes out trouble, the pages' own and what the layers within say in gRPC's way, for a person to read.
pub(crate) async fn readable<F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let language = asked_language(request.headers());
    let response = next(request).await;
    let written = match (response.extensions().get::<Shown>(), Status::from_header_map(response.headers())) {
        (Some(Shown(code)), _) => trouble(language, *code),
        (None, Some(status)) if status.code() != Code::Ok => trouble(language, http_code(status.code())),
        (None, _) => return response,
    };
    shielded(written)
}

/// Answers whoever is not an RPC client and asks for a page that is not there.
pub(crate) async fn not_for_people<F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let content = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content.is_some_and(|content| content.starts_with("application/grpc")) {
        return next(request).await;
    }
    shielded(trouble(asked_language(request.headers()), StatusCode::NOT_FOUND))
}

/// Adds the headers without which no page leaves.
pub(super) async fn protected(request: Request, next: Next) -> Response {
    shielded(next.run(request).await)
}

fn shielded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    response
}

/// Refuses a form that another site's page sends. Whoever sends it would have to know the address, token and
/// all; this is the second lock.
pub(super) async fn only_from_here(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site");
    let foreign = site.is_some_and(|site| site == "cross-site" || site == "same-site");
    if foreign && !request.method().is_safe() {
        return Trouble::BadForm.into_response();
    }
    next.run(request).await
}

pub(super) async fn style() -> Response {
    lasting("text/css; charset=utf-8", STYLE)
}

pub(super) async fn card_script() -> Response {
    lasting("text/javascript; charset=utf-8", CARD_SCRIPT)
}

fn lasting(content: &'static str, body: &'static str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    (headers, body).into_response()
}
