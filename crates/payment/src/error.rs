//! What can go wrong with payments, in the domain's words, and what the caller is told.

use std::time::Duration;

use florin_api::error::v1::ErrorReason;
use florin_platform::{
    db::is_contention, idempotency::RequestIdRefused, refusal::Refusal, violation::Violations,
};
use florin_settlement::{Currency, Money, MoneyError};
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::{domain::method::MethodKind, outcomes::BoxError, provider::ProviderUnknown};

/// A refusal by, or a failure of, the payment slice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields that cannot be accepted.
    #[error("invalid request")]
    Invalid(#[from] Violations),
    /// Missing, or someone else's.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The caller does not reach what is named.
    #[error(transparent)]
    Right(#[from] florin_account::RightRefused),
    /// The account cannot register methods now.
    #[error("the account is {state}, not ACTIVE")]
    AccountNotActive {
        /// What it is instead.
        state: &'static str,
    },
    /// The issuer does not offer this kind in the account's country (R3.1).
    #[error("{0} is not offered in this country")]
    KindNotOffered(MethodKind),
    /// Only a card with 3-D Secure may make an account's first ever payment (R3.3).
    #[error("until a payment has been captured, only a card that passed 3-D Secure may pay")]
    FirstPaymentNeedsCard,
    /// The method cannot pay.
    #[error("the payment method is {state}, not VALID")]
    MethodNotValid {
        /// What it is instead.
        state: &'static str,
    },
    /// A payment for the same thing is on its way.
    #[error("a payment for the same thing is on its way")]
    InProgress {
        /// Its resource name.
        payment: String,
    },
    /// The last method that can pay, and something needs it (R3.4).
    #[error("the last payment method that can pay is needed by {}", by.join(", "))]
    MethodNeeded {
        /// The resource names of some of what needs it.
        by: Vec<String>,
    },
    /// Too many cards were tried, or too many automatic attempts declined, in one day (R3.6).
    #[error("too many attempts in one day")]
    AttemptsLimited {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Less of the payment is left to give back, or nothing of it was captured.
    #[error("{0} has not so much left to give back")]
    NotRefundable(String),
    /// Nothing of the payment was captured, or no dispute of it waits for a decision.
    #[error("the bank cannot do that to {0} now")]
    NotDisputable(String),
    /// A sum of amounts that cannot be.
    #[error("amounts of disputes")]
    Amount(#[source] MoneyError),
    /// The provider does not know the token.
    #[error("the payment provider does not know this token")]
    TokenInvalid,
    /// The provider could not be asked.
    #[error("the payment provider could not be reached; nothing was charged")]
    ProviderUnavailable(#[source] ProviderUnknown),
    /// Nothing is awaited of the customer or the bank.
    #[error("nothing is awaited: it is {state}")]
    NoActionAwaited {
        /// What it is.
        state: &'static str,
    },
    /// The resource changed since it was read.
    #[error("{0} has changed")]
    EtagMismatch(String),
    /// Another currency than the account's (R1.1).
    #[error("the account pays in {expected}")]
    CurrencyMismatch {
        /// The account's.
        expected: Currency,
    },
    /// Not an amount one can take.
    #[error("a payment of {0} cannot be made")]
    NotPayable(Money),
    /// Only the sandbox can play the customer.
    #[error("this is not a sandbox")]
    NotASandbox,
    /// The same request id with another body.
    #[error(transparent)]
    RequestIdRefused(#[from] RequestIdRefused),
    /// What is paid for could not take in the outcome.
    #[error("the outcome of a payment could not be taken in")]
    Outcome(#[source] BoxError),
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let precondition = |reason| Refusal::failed_precondition(reason, &text);
        let refusal = match error {
            Error::Invalid(violations) => Refusal::invalid(violations),
            Error::NotFound(name) => Refusal::not_found(&name),
            Error::Right(refused) => refused.into(),
            Error::AccountNotActive { state } => {
                precondition(ErrorReason::AccountNotActive).with("state", state)
            }
            Error::KindNotOffered(_) => precondition(ErrorReason::PaymentMethodKindNotOffered),
            Error::FirstPaymentNeedsCard => precondition(ErrorReason::FirstPaymentNeedsCard),
            Error::MethodNotValid { state } => {
                precondition(ErrorReason::PaymentMethodNotValid).with("state", state)
            }
            Error::InProgress { payment } => {
                precondition(ErrorReason::PaymentInProgress).with("payment", payment)
            }
            Error::MethodNeeded { by } => {
                precondition(ErrorReason::PaymentMethodNeeded).with("needed_by", by.join(","))
            }
            Error::AttemptsLimited { retry_after } => {
                Refusal::new(Code::ResourceExhausted, ErrorReason::PaymentAttemptsLimited, text)
                    .retry_after(retry_after)
            }
            Error::NotDisputable(_) => precondition(ErrorReason::PaymentNotDisputable),
            Error::TokenInvalid => {
                Refusal::new(Code::InvalidArgument, ErrorReason::ProviderTokenInvalid, text)
            }
            Error::ProviderUnavailable(cause) => {
                tracing::warn!(error = &cause as &dyn std::error::Error, "payment provider");
                Refusal::new(Code::Unavailable, ErrorReason::PaymentProviderUnavailable, text)
            }
            Error::NoActionAwaited { state } => {
                precondition(ErrorReason::NoActionAwaited).with("state", state)
            }
            Error::EtagMismatch(name) => Refusal::etag_mismatch(&name),
            Error::CurrencyMismatch { expected } => {
                precondition(ErrorReason::CurrencyMismatch).with("expected", expected.code())
            }
            Error::NotPayable(_) | Error::NotRefundable(_) | Error::Amount(_) => Refusal::internal(&error),
            Error::NotASandbox => Refusal::new(Code::Unimplemented, ErrorReason::NotASandbox, text),
            Error::RequestIdRefused(refused) => Refusal::request_id_refused(refused),
            Error::Outcome(cause) => match cause.downcast_ref::<DbErr>() {
                Some(database) if is_contention(database) => Refusal::overloaded(),
                _ => Refusal::internal(&*cause),
            },
            Error::Database(error) => Refusal::database(&error),
        };
        refusal.into()
    }
}
