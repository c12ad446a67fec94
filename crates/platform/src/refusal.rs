//! How an error becomes a gRPC status: a code, exactly one `ErrorInfo`, and what helps the caller (R12).

use std::{collections::HashMap, fmt, time::Duration};

use florin_api::error::v1::ErrorReason;
use sea_orm::DbErr;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    call,
    db::{is_contention, is_unreachable},
    idempotency::RequestIdRefused,
    violation::Violations,
};

/// The `domain` of every `ErrorInfo`.
pub const DOMAIN: &str = "florin";
const INTERNAL_TEXT: &str = "an internal error occurred; quote the request id to support";
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A refused call, on its way to becoming a [`Status`].
#[derive(Clone, Debug)]
pub struct Refusal {
    code: Code,
    reason: ErrorReason,
    message: String,
    metadata: HashMap<String, String>,
    violations: Violations,
    unmet: Vec<Unmet>,
    retry_after: Option<Duration>,
}

/// One condition that has to hold first, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Why the call is refused.
    pub reason: ErrorReason,
    /// The resource it is about.
    pub subject: String,
    /// What is wrong, and what to do.
    pub description: String,
}

impl Refusal {
    /// A refusal with `code` and its documented reason.
    pub fn new(code: Code, reason: ErrorReason, message: impl fmt::Display) -> Self {
        Self {
            code,
            reason,
            message: message.to_string(),
            metadata: HashMap::new(),
            violations: Violations::new(),
            unmet: Vec::new(),
            retry_after: None,
        }
    }

    /// The resource is in a state that does not allow the call.
    pub fn failed_precondition(reason: ErrorReason, message: impl fmt::Display) -> Self {
        Self::new(Code::FailedPrecondition, reason, message)
    }

    /// Missing, or someone else's: the two cannot be told apart (R12.1).
    #[must_use]
    pub fn not_found(name: &str) -> Self {
        Self::new(Code::NotFound, ErrorReason::NotFound, format!("{name} does not exist"))
            .with("resource", name)
    }

    /// The resource changed since the caller read it.
    #[must_use]
    pub fn etag_mismatch(name: &str) -> Self {
        let message = format!("{name} has changed since it was read; read it again");
        Self::new(Code::Aborted, ErrorReason::EtagMismatch, message).with("resource", name)
    }

    /// The request names values that cannot be accepted; all of them.
    #[must_use]
    pub fn invalid(violations: Violations) -> Self {
        let only_the_token = violations.as_slice().iter().all(|violation| violation.field == "page_token");
        let reason = if only_the_token {
            ErrorReason::PageTokenInvalid
        } else {
            ErrorReason::InvalidArgumentViolations
        };
        let mut refusal = Self::new(Code::InvalidArgument, reason, format!("invalid: {violations}"));
        refusal.violations = violations;
        refusal
    }

    /// Several conditions are unmet at once.
    #[must_use]
    pub fn unmet(reason: ErrorReason, message: impl fmt::Display, unmet: Vec<Unmet>) -> Self {
        let mut refusal = Self::failed_precondition(reason, message);
        refusal.unmet = unmet;
        refusal
    }

    /// More work than can be taken now; try again after a pause.
    #[must_use]
    pub fn overloaded() -> Self {
        Self::new(
            Code::ResourceExhausted,
            ErrorReason::Overloaded,
            "too much work at once; try again shortly",
        )
        .retry_after(RETRY_AFTER)
    }

    /// A bug: the cause goes to the log with its whole chain, the caller gets a fixed text.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = cause.to_string();
        let mut source = cause.source();
        while let Some(next) = source {
            chain.push_str(": ");
            chain.push_str(&next.to_string());
            source = next.source();
        }
        tracing::error!(error = chain, "internal error");
        Self::new(Code::Internal, ErrorReason::Internal, INTERNAL_TEXT)
    }

    /// What the database answered, for the edge.
    #[must_use]
    pub fn database(error: &DbErr) -> Self {
        if is_contention(error) {
            Self::overloaded()
        } else if is_unreachable(error) {
            tracing::error!(%error, "the database cannot be reached");
            Self::new(
                Code::Unavailable,
                ErrorReason::Unavailable,
                "the database cannot be reached; try again shortly",
            )
            .retry_after(RETRY_AFTER)
        } else {
            Self::internal(error)
        }
    }

    /// The request id cannot be used for this request.
    #[must_use]
    pub fn request_id_refused(refused: RequestIdRefused) -> Self {
        match refused {
            RequestIdRefused::Reused => Self::new(Code::AlreadyExists, ErrorReason::RequestIdReused, refused),
            RequestIdRefused::Malformed => Self::invalid(Violations::one("request_id", refused)),
        }
    }

    /// Adds a machine-readable fact to the `ErrorInfo`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }
}

/// The reason as it stands in `ErrorInfo.reason`: without the enum's prefix.
#[must_use]
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason_name(refusal.reason), DOMAIN, refusal.metadata);
        for violation in refusal.violations.as_slice() {
            details.add_bad_request_violation(&violation.field, &violation.description);
        }
        for unmet in &refusal.unmet {
            details.add_precondition_failure_violation(
                reason_name(unmet.reason),
                &unmet.subject,
                &unmet.description,
            );
        }
        if let Some(pause) = refusal.retry_after {
            details.set_retry_info(Some(pause));
        }
        if let Some(trace) = call::current_trace() {
            details.set_request_info(trace, "");
        }
        Self::with_error_details(refusal.code, refusal.message, details)
    }
}
