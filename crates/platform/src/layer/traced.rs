use axum::{extract::Request, http::HeaderValue, middleware::Next, response::Response};
use tracing::Instrument;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::call::TRACE;

const HEADER: &str = "x-request-id";
const BYTES_MAX: usize = 128;

/// Gives the request its id (the caller's `x-request-id`, or a new one), its span and its log line.
pub async fn traced(mut request: Request, next: Next) -> Response {
    let id = given(&request).unwrap_or_else(fresh);
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(HEADER, value);
    }
    let method = super::method_of(&request);
    let span = tracing::info_span!("rpc", method, request_id = id);
    let started = tokio::time::Instant::now();
    let mut response = TRACE.scope(id.clone(), next.run(request).instrument(span.clone())).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let status = response.headers().get("grpc-status").and_then(|code| code.to_str().ok()).unwrap_or("0");
    span.in_scope(|| tracing::info!(grpc_status = status, micros, "answered"));
    response
}

fn given(request: &Request) -> Option<String> {
    let text = request.headers().get(HEADER)?.to_str().ok()?;
    let fine = (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fine.then(|| text.to_owned())
}

fn fresh() -> String {
    Uuid::new_v7(Timestamp::now(ContextV7::new())).to_string()
}
