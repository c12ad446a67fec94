//! What can go wrong when operating Florin, and what the caller is told.

use florin_api::error::v1::ErrorReason;
use florin_platform::{call::Role, idempotency::RequestIdRefused, refusal::Refusal, violation::Violations};
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::schedule::ScheduleError;

/// A refusal by, or a failure of, the operation slice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields that cannot be accepted.
    #[error("invalid request")]
    Invalid(#[from] Violations),
    /// Missing, or someone else's.
    #[error("{0} does not exist")]
    NotFound(String),
    /// Time does not go back.
    #[error("the clock cannot be moved back")]
    ClockBackwards,
    /// This is not a sandbox.
    #[error("only a sandbox's clock can be moved")]
    NotASandbox,
    /// Something due on the way failed.
    #[error("the clock stopped on its way")]
    Schedule(#[from] ScheduleError),
    /// Decided before, or not in time.
    #[error("the approval is {state}, not PENDING")]
    ApprovalNotPending {
        /// What it is instead.
        state: &'static str,
    },
    /// Four eyes are wanted.
    #[error("who asked for an act cannot approve it")]
    ApprovalByRequester,
    /// Whoever may not ask for an act may not decide it either.
    #[error("deciding this takes the role {}", .role.as_str())]
    RoleMissing {
        /// The act's role.
        role: Role,
    },
    /// The act was refused, now that it was to take effect.
    #[error("the act was refused")]
    Act(#[source] Box<Status>),
    /// Nothing performs such requests any more. A bug.
    #[error("nothing performs a {0}")]
    ActUnknown(String),
    /// The same request id with another body.
    #[error(transparent)]
    RequestIdRefused(#[from] RequestIdRefused),
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let refusal = match error {
            Error::Invalid(violations) => Refusal::invalid(violations),
            Error::NotFound(name) => Refusal::not_found(&name),
            Error::ClockBackwards => Refusal::failed_precondition(ErrorReason::ClockBackwards, text),
            Error::Schedule(ScheduleError::Database(error)) => Refusal::database(&error),
            Error::Schedule(ScheduleError::Busy(_)) => Refusal::overloaded(),
            Error::Schedule(ScheduleError::NotASandbox) | Error::NotASandbox => {
                Refusal::new(Code::Unimplemented, ErrorReason::NotASandbox, text)
            }
            Error::ApprovalNotPending { state } => {
                Refusal::failed_precondition(ErrorReason::ApprovalNotPending, text).with("state", state)
            }
            Error::ApprovalByRequester => {
                Refusal::new(Code::PermissionDenied, ErrorReason::ApprovalByRequester, text)
            }
            Error::RoleMissing { .. } => {
                Refusal::new(Code::PermissionDenied, ErrorReason::PermissionDenied, text)
            }
            Error::Act(refused) => return *refused,
            bug @ Error::ActUnknown(_) => Refusal::internal(&bug),
            Error::RequestIdRefused(refused) => Refusal::request_id_refused(refused),
            Error::Database(error) => Refusal::database(&error),
        };
        refusal.into()
    }
}
