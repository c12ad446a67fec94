//! What can go wrong with an account, in the domain's words, and what the caller is told.

use florin_api::error::v1::ErrorReason;
use florin_platform::{
    access::unauthenticated, call::Right, idempotency::RequestIdRefused, refusal::Refusal,
    violation::Violations,
};
use florin_settlement::Instant;
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::domain::{account::AccountState, password::HashError};

/// A refusal by, or a failure of, the account slice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields that cannot be accepted.
    #[error("invalid request")]
    Invalid(#[from] Violations),
    /// Missing, or someone else's.
    #[error("{0} does not exist")]
    NotFound(String),
    /// Another account has this e-mail address.
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    /// No issuer sells to this country.
    #[error("no issuer sells to {0}")]
    CountryNotServed(String),
    /// The account was confirmed before.
    #[error("this account is confirmed already")]
    AlreadyConfirmed,
    /// Not the code that was mailed.
    #[error("this is not the code that was mailed")]
    CodeWrong,
    /// The code expired, or was guessed wrong too often.
    #[error("the code has expired or was tried too often; ask for another")]
    CodeDead,
    /// A code was sent a moment ago.
    #[error("a code was sent less than a minute ago")]
    ResentTooSoon {
        /// Another may be sent after so long.
        wait: std::time::Duration,
    },
    /// The account's state does not allow the change.
    #[error("the account is {}", .0.as_str())]
    NotActive(AccountState),
    /// The terms document does not exist, is not this issuer's, or is not the one in force.
    #[error("{0} is not a current terms document of this account's issuer")]
    TermsUnknown(String),
    /// The account changed since it was read.
    #[error("{0} has changed")]
    EtagMismatch(String),
    /// Wrong login or password: the answer does not tell which (R2.3).
    #[error("login or password is wrong")]
    LoginRefused,
    /// Too many failures.
    #[error("too many failed logins; try again later")]
    LoginThrottled {
        /// For so long.
        wait: std::time::Duration,
    },
    /// Somebody without a session asked for something only a session has.
    #[error("this call needs a session")]
    NoSession,
    /// There is no ACTIVE account of this name or handle.
    #[error("no active account has this name or handle")]
    GranteeUnknown,
    /// The grantee has the right already.
    #[error("the grantee has the right {} already", .0.as_str())]
    RightHeld(Right),
    /// As many rights are held on the resource as can be.
    #[error("at most {0} rights can be held on one resource")]
    RightsMax(u64),
    /// The same request id with another body.
    #[error(transparent)]
    RequestIdRefused(#[from] RequestIdRefused),
    /// Hashing failed.
    #[error("password hashing failed")]
    Hash(#[from] HashError),
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

impl Error {
    pub(crate) fn throttled(at: Instant, until: Instant) -> Self {
        Self::LoginThrottled { wait: until.saturating_since(at) }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let refusal = match error {
            Error::Invalid(violations) => Refusal::invalid(violations),
            Error::NotFound(name) => Refusal::not_found(&name),
            Error::EmailTaken => Refusal::new(Code::AlreadyExists, ErrorReason::EmailTaken, text),
            Error::CountryNotServed(country) => {
                Refusal::failed_precondition(ErrorReason::CountryNotServed, text).with("country", country)
            }
            Error::AlreadyConfirmed => {
                Refusal::failed_precondition(ErrorReason::AccountAlreadyConfirmed, text)
            }
            Error::CodeWrong => Refusal::failed_precondition(ErrorReason::ConfirmationCodeWrong, text),
            Error::CodeDead => Refusal::failed_precondition(ErrorReason::ConfirmationCodeExpired, text),
            Error::ResentTooSoon { wait } => {
                Refusal::new(Code::ResourceExhausted, ErrorReason::ConfirmationRateLimited, text)
                    .retry_after(wait)
            }
            Error::NotActive(state) => Refusal::failed_precondition(ErrorReason::AccountNotActive, text)
                .with("state", state.as_str()),
            Error::TermsUnknown(_) => Refusal::failed_precondition(ErrorReason::TermsVersionUnknown, text),
            Error::EtagMismatch(name) => Refusal::etag_mismatch(&name),
            Error::LoginRefused => Refusal::new(Code::Unauthenticated, ErrorReason::LoginRefused, text),
            Error::LoginThrottled { wait } => {
                Refusal::new(Code::ResourceExhausted, ErrorReason::LoginThrottled, text).retry_after(wait)
            }
            Error::NoSession => unauthenticated(&text),
            Error::GranteeUnknown => Refusal::failed_precondition(ErrorReason::GranteeUnknown, text),
            Error::RightHeld(_) => Refusal::new(Code::AlreadyExists, ErrorReason::RightAlreadyGranted, text),
            Error::RightsMax(limit) => {
                Refusal::failed_precondition(ErrorReason::RightsLimitReached, text).with("limit", limit)
            }
            Error::RequestIdRefused(refused) => Refusal::request_id_refused(refused),
            Error::Hash(error) => Refusal::internal(&error),
            Error::Database(error) => Refusal::database(&error),
        };
        refusal.into()
    }
}

/// Why a caller does not reach a resource.
#[derive(Debug, thiserror::Error)]
pub enum RightRefused {
    /// Missing, or not the caller's to know of.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The caller holds rights on it, and none that allows this.
    #[error("none of the rights held on {name} allows this")]
    Insufficient {
        /// What was asked for.
        name: String,
        /// What the caller holds.
        held: Vec<Right>,
        /// What would do; never empty.
        needed: &'static [Right],
    },
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

impl From<RightRefused> for Refusal {
    fn from(refused: RightRefused) -> Self {
        let text = refused.to_string();
        let listed =
            |rights: &[Right]| rights.iter().map(|right| right.as_str()).collect::<Vec<_>>().join(",");
        match refused {
            RightRefused::NotFound(name) => Self::not_found(&name),
            RightRefused::Insufficient { name, held, needed } => {
                Self::new(Code::PermissionDenied, ErrorReason::RightInsufficient, text)
                    .with("resource", name)
                    .with("held", listed(&held))
                    .with("needed", listed(needed))
            }
            RightRefused::Database(error) => Self::database(&error),
        }
    }
}
