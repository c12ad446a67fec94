use std::{sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};
use florin_api::error::v1::ErrorReason;
use tokio::sync::Semaphore;
use tonic::Code;

use crate::refusal::Refusal;

/// How long a call may take and how many may run at once.
#[derive(Clone, Debug)]
pub struct Bounds {
    deadline_max: Duration,
    running: Arc<Semaphore>,
}

impl Bounds {
    /// At most `calls_max` calls at once, each at most `deadline_max` long.
    #[must_use]
    pub fn new(deadline_max: Duration, calls_max: usize) -> Self {
        Self { deadline_max, running: Arc::new(Semaphore::new(calls_max)) }
    }
}

/// Honours the caller's `grpc-timeout`, within ours, and refuses more work than fits (R12.4).
///
/// The future of a call that ran out of time is dropped, and its transaction rolls back with it.
pub async fn bounded<F: Future<Output = Response>>(
    bounds: &Bounds,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    // A probe that is refused under load would have a busy server restarted.
    if super::method_of(&request).starts_with("grpc.health.") {
        return next(request).await;
    }
    let Ok(_place) = bounds.running.try_acquire() else {
        return super::refuse(Refusal::overloaded());
    };
    let asked = request.headers().get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
    let deadline = asked.map_or(bounds.deadline_max, |asked| asked.min(bounds.deadline_max));
    match tokio::time::timeout(deadline, next(request)).await {
        Ok(response) => response,
        Err(_) => super::refuse(Refusal::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "the deadline passed before the answer was ready; repeat a mutation with the same request id",
        )),
    }
}

/// `grpc-timeout`: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_timeout_is_digits_and_a_unit() {
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("2S"), Some(Duration::from_secs(2)));
        assert_eq!(timeout("S"), None);
        assert_eq!(timeout(""), None);
        assert_eq!(timeout("123456789S"), None);
        assert_eq!(timeout("5é"), None);
    }
}
