use axum::response::Response;
use florin_api::error::v1::ErrorReason;
use tonic::{Code, Status};

use crate::refusal::Refusal;

/// Adds an `ErrorInfo` to an error that has none: those the transport itself answers (R12.2).
pub async fn explained(answer: impl Future<Output = Response>) -> Response {
    let response = answer.await;
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    if status.code() == Code::Ok || !status.details().is_empty() {
        return response;
    }
    let mut explained = super::refuse(Refusal::new(status.code(), reason(status.code()), status.message()));
    for (name, value) in response.headers() {
        if !name.as_str().starts_with("grpc-") && !explained.headers().contains_key(name) {
            explained.headers_mut().insert(name, value.clone());
        }
    }
    explained
}

fn reason(code: Code) -> ErrorReason {
    match code {
        Code::Unimplemented => ErrorReason::Unimplemented,
        Code::DeadlineExceeded => ErrorReason::DeadlineExceeded,
        Code::Cancelled => ErrorReason::Cancelled,
        Code::ResourceExhausted | Code::OutOfRange => ErrorReason::MessageTooLarge,
        Code::InvalidArgument => ErrorReason::InvalidArgumentViolations,
        Code::Unavailable => ErrorReason::Unavailable,
        Code::NotFound => ErrorReason::NotFound,
        Code::PermissionDenied => ErrorReason::PermissionDenied,
        Code::Unauthenticated => ErrorReason::Unauthenticated,
        Code::Ok
        | Code::Unknown
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Internal
        | Code::DataLoss => ErrorReason::Internal,
    }
}
