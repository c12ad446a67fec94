use std::panic::AssertUnwindSafe;

use axum::response::Response;
use futures::FutureExt;

use crate::refusal::Refusal;

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

/// Turns a panic of whatever is inside into INTERNAL; the server goes on.
pub async fn guarded(answer: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default();
            super::refuse(Refusal::internal(&Panicked(text)))
        }
    }
}
