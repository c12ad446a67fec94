use std::borrow::Cow;

use axum::{extract::Request, http::HeaderValue, response::Response};
use tracing::Instrument;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::call::TRACE;

const HEADER: &str = "x-request-id";
const BYTES_MAX: usize = 128;

/// Gives the request its id (the caller's `x-request-id`, or a new one), its span and its log line.
///
/// What is not an RPC may carry a secret in its path: only the path's first part is written down.
pub async fn traced<F: Future<Output = Response>>(
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let id = given(&request).unwrap_or_else(fresh);
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(HEADER, value);
    }
    let span = tracing::info_span!("rpc", method = &*told(&request), request_id = id);
    let started = tokio::time::Instant::now();
    let mut response = TRACE.scope(id.clone(), next(request).instrument(span.clone())).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let status = response.headers().get("grpc-status").and_then(|code| code.to_str().ok()).unwrap_or("0");
    let http_status = response.status().as_u16();
    span.in_scope(|| tracing::info!(grpc_status = status, http_status, micros, "answered"));
    response
}

/// What is called, fit for a log.
fn told(request: &Request) -> Cow<'_, str> {
    let method = super::method_of(request);
    let content = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    if content.is_some_and(|content| content.starts_with("application/grpc")) {
        return method.into();
    }
    let first = method.split('/').next().unwrap_or_default();
    format!("{} {first}/…", request.method()).into()
}

fn given(request: &Request) -> Option<String> {
    let text = request.headers().get(HEADER)?.to_str().ok()?;
    let fine = (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fine.then(|| text.to_owned())
}

fn fresh() -> String {
    Uuid::new_v7(Timestamp::now(ContextV7::new())).to_string()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn told_of(path: &str, content: &str) -> String {
        let request = Request::builder().uri(path).header("content-type", content).body(Body::empty());
        told(&request.expect("a request")).into_owned()
    }

    #[test]
    fn the_log_names_rpcs_and_no_secret_of_any_other_path() {
        let rpc = "/florin.credit.v1.CreditOrderService/PayCreditOrder";
        assert_eq!(told_of(rpc, "application/grpc+proto"), rpc[1..]);
        assert_eq!(told_of("/pay/s3cr3t", "application/x-www-form-urlencoded"), "GET pay/…");
        assert_eq!(told_of("/s3cr3t?token=s3cr3t", "text/plain").find("token"), None);
    }
}
