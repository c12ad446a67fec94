//! What can go wrong with projects, in the domain's words, and what the caller is told.

use florin_account::RightRefused;
use florin_api::error::v1::ErrorReason;
use florin_platform::{
    coalesce::Unanswered,
    db::is_contention,
    idempotency::RequestIdRefused,
    refusal::{Refusal, Unmet},
    violation::Violations,
};
use florin_settlement::{Currency, Instant, MoneyError, RoundingError};
use sea_orm::{DbErr, SqlErr};
use tonic::{Code, Status};

use crate::{
    domain::{
        eligibility::UnmetCondition,
        funding::Denial,
        hold::{HoldRefusal, HoldState},
        plan::PlanChangeError,
        project::ProjectState,
        quota::Quota,
        rating::RatingError,
    },
    ports::PortError,
};

/// A refusal by, or a failure of, the project slice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields that cannot be accepted.
    #[error("invalid request")]
    Invalid(#[from] Violations),
    /// Missing, or someone else's.
    #[error("{0} does not exist")]
    NotFound(String),
    /// Something has to hold before the account can create a project (R4.1); never empty.
    #[error("no project can be created yet")]
    Ineligible {
        /// The account's resource name.
        account: String,
        /// All that is unmet, in the order of the reasons.
        unmet: Vec<UnmetCondition>,
    },
    /// Only the first project asks for funding (R4.2).
    #[error("only an account's first project asks for funding; leave it out")]
    FundingNotAsked,
    /// The method is neither VALID nor VALIDATING.
    #[error("the payment method is {state}, neither VALID nor VALIDATING")]
    MethodNotUsable {
        /// What it is instead.
        state: &'static str,
    },
    /// Only a pending project can be given up.
    #[error("the project is {}, not PENDING_FUNDING", .0.as_str())]
    NotPending(ProjectState),
    /// Only an active project can hold more.
    #[error("the project is {}, not ACTIVE", .0.as_str())]
    NotActive(ProjectState),
    /// It is being deleted, deleted or canceled.
    #[error("the project is {}", .0.as_str())]
    NotLive(ProjectState),
    /// Nothing to lift, or to acknowledge.
    #[error("the project is {}, and not suspended this way", .0.as_str())]
    NotSuspended(ProjectState),
    /// An operator did so before.
    #[error("an operator has suspended the project before")]
    AlreadySuspended,
    /// The project holds as much as it may (R4.7).
    #[error("the project may hold {} resources of the family {}, and holds {}", .0.limit, .0.family.as_str(), .0.in_use)]
    QuotaExceeded(Quota),
    /// The account owes (R9.3).
    #[error("the account has an unpaid debt")]
    DebtUnpaid,
    /// There is no live token.
    #[error("no deletion is requested, or its token is used up; request it again")]
    DeletionNotRequested,
    /// Not the token that was mailed.
    #[error("this is not the token that was mailed last")]
    DeletionTokenWrong,
    /// The token's time is over.
    #[error("the token has expired; request the deletion again")]
    DeletionTokenExpired,
    /// A token was mailed a moment ago.
    #[error("a token was mailed less than a minute ago")]
    DeletionRequestedTooSoon {
        /// Another may be mailed after so long.
        wait: std::time::Duration,
    },
    /// There is no such plan.
    #[error("there is no plan {0}")]
    PlanUnknown(String),
    /// The plan is no longer sold.
    #[error("plan {plan} is retired since {retired}")]
    PlanRetired {
        /// The plan's code.
        plan: String,
        /// Since when.
        retired: Instant,
    },
    /// The plan costs nothing known in this currency.
    #[error("plan {plan} has no price in {currency} now")]
    PriceMissing {
        /// The plan's code.
        plan: String,
        /// The account's currency.
        currency: Currency,
    },
    /// There is a plan of this code.
    #[error("there is a plan {0}")]
    PlanExists(String),
    /// Another price begins at this instant.
    #[error("another price of plan {plan} begins at {effective}")]
    PriceExists {
        /// The plan's code.
        plan: String,
        /// When it begins.
        effective: Instant,
    },
    /// Usage would be rated anew.
    #[error("a price begins and ends at {earliest} at the earliest: what was used before is rated already")]
    PriceTooEarly {
        /// The next full hour.
        earliest: Instant,
    },
    /// A price was negotiated in a currency the account does not have (R1.1).
    #[error("the price is in {given}; the account's currency is {expected}")]
    PriceCurrency {
        /// What was given.
        given: Currency,
        /// The account's.
        expected: Currency,
    },
    /// A negotiated price ends once.
    #[error("the price ends at {ends}")]
    PriceEnds {
        /// When it ends.
        ends: Instant,
    },
    /// The resource cannot go on under this plan.
    #[error("a resource of plan {from} cannot be resized to plan {to}")]
    ResizeNotAllowed {
        /// The plan it runs under.
        from: String,
        /// The plan asked for.
        to: String,
        /// Why not.
        #[source]
        why: PlanChangeError,
    },
    /// The resource cannot be switched to this plan.
    #[error("a resource of plan {from} cannot be switched to plan {to}")]
    SwitchNotAllowed {
        /// The plan it runs under.
        from: String,
        /// The plan asked for.
        to: String,
        /// Why not.
        #[source]
        why: PlanChangeError,
    },
    /// The resource is gone.
    #[error("{0} was removed before")]
    ResourceRemoved(String),
    /// The resource changed since it was read.
    #[error("{0} has changed")]
    EtagMismatch(String),
    /// Somebody else extends the catalogue right now.
    #[error("another import of the catalogue was faster; import again")]
    ImportInProgress,
    /// More measured usage waits to be written than fits.
    #[error("more usage waits to be written than fits")]
    IntakeFull,
    /// The server stops taking measured usage.
    #[error("the server is stopping")]
    IntakeStopped,
    /// No batch came for a while.
    #[error("no batch came for {seconds} seconds")]
    StreamIdle {
        /// How long is waited.
        seconds: u64,
    },
    /// A sum of measured usage that fits nowhere.
    #[error("a sum of measured usage is out of range")]
    UsageOverflow,
    /// What may not start now, and every reason why (R4.8); never empty.
    #[error("nothing can be started now")]
    Denied {
        /// The project's resource name.
        project: String,
        /// All reasons.
        denials: Vec<Denial>,
    },
    /// The hold cannot admit this resource.
    #[error("the hold cannot be used for this")]
    HoldRefused {
        /// The hold's resource name.
        hold: String,
        /// Why not.
        refusal: HoldRefusal,
    },
    /// Another currency than the account's.
    #[error("the account's currency is {expected}, not {given}")]
    CurrencyMismatch {
        /// The account's.
        expected: Currency,
        /// What was given.
        given: Currency,
    },
    /// The project has as many budgets as it may have.
    #[error("a project has at most {0} budgets")]
    BudgetLimitReached(i64),
    /// What the project used cannot be rated, so nothing is known of its funding.
    #[error("what {0} used cannot be rated")]
    Unrated(String),
    /// The coalesced query was not answered.
    #[error("the hot read")]
    Unanswered(#[source] Unanswered),
    /// Usage cannot be rated.
    #[error("usage cannot be rated")]
    Rating(#[from] RatingError),
    /// Amounts that cannot be added.
    #[error("amounts that cannot be added")]
    Money(#[from] MoneyError),
    /// An amount that cannot be rounded.
    #[error("an amount out of range")]
    Rounding(#[from] RoundingError),
    /// The caller does not reach what is named.
    #[error(transparent)]
    Right(#[from] RightRefused),
    /// The account slice refused.
    #[error(transparent)]
    Account(#[from] florin_account::Error),
    /// The credit slice refused.
    #[error(transparent)]
    Credit(#[from] florin_credit::Error),
    /// The payment slice refused.
    #[error(transparent)]
    Payment(#[from] florin_payment::Error),
    /// The same request id with another body.
    #[error(transparent)]
    RequestIdRefused(#[from] RequestIdRefused),
    /// A slice above failed.
    #[error("a port")]
    Port(#[from] PortError),
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

impl Error {
    /// Whether trying the whole transaction again may succeed.
    #[must_use]
    pub fn is_contention(&self) -> bool {
        matches!(self, Self::Database(error) if is_contention(error))
    }

    /// Whether a row was inserted whose key is known.
    pub(crate) fn is_known_already(&self) -> bool {
        let Self::Database(error) = self else { return false };
        matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    }
}

pub(crate) fn reason(condition: &UnmetCondition) -> ErrorReason {
    match condition {
        UnmetCondition::AccountNotActive(_) => ErrorReason::AccountNotActive,
        UnmetCondition::TermsNotAccepted(_) => ErrorReason::TermsNotAccepted,
        UnmetCondition::DebtUnpaid => ErrorReason::DebtUnpaid,
        UnmetCondition::ProjectLimitReached(_) => ErrorReason::ProjectLimitReached,
        UnmetCondition::FundingRequired => ErrorReason::FundingRequired,
    }
}

fn ineligible(account: &str, conditions: &[UnmetCondition], text: &str) -> Refusal {
    let unmet = conditions.iter().map(|condition| Unmet {
        reason: reason(condition),
        subject: account.to_owned(),
        description: format!("{}: {}", condition.message(), condition.remedy()),
    });
    let first = conditions.first().map_or(ErrorReason::FundingRequired, reason);
    let refusal = Refusal::unmet(first, text, unmet.collect());
    conditions.iter().fold(refusal, |refusal, condition| match condition {
        UnmetCondition::AccountNotActive(state) => refusal.with("state", state.as_str()),
        UnmetCondition::TermsNotAccepted(documents) => refusal.with("terms_documents", documents.join(",")),
        UnmetCondition::ProjectLimitReached(limit) => refusal.with("limit", limit),
        UnmetCondition::DebtUnpaid | UnmetCondition::FundingRequired => refusal,
    })
}

fn plan_change(reason: ErrorReason, text: &str, why: PlanChangeError) -> Refusal {
    Refusal::failed_precondition(reason, format!("{text}: {why}"))
}

/// The wire's word for a reason why something may not start.
pub(crate) fn denial_reason(denial: &Denial) -> ErrorReason {
    match denial {
        Denial::ProjectNotActive(_) => ErrorReason::ProjectNotActive,
        Denial::DebtUnpaid => ErrorReason::DebtUnpaid,
        Denial::SpendCapReached { .. } => ErrorReason::SpendCapReached,
        Denial::FundsExhausted { .. } => ErrorReason::PrepaidFundsExhausted,
        Denial::PlanUnknown(_) => ErrorReason::PlanUnknown,
        Denial::PlanRetired(_) => ErrorReason::PlanRetired,
        Denial::PriceMissing(_, _) => ErrorReason::PlanPriceMissing,
        Denial::QuotaExceeded { .. } => ErrorReason::QuotaExceeded,
    }
}

fn denied(project: &str, denials: &[Denial], text: &str) -> Refusal {
    let unmet = denials.iter().map(|denial| Unmet {
        reason: denial_reason(denial),
        subject: project.to_owned(),
        description: denial.message(),
    });
    let first = denials.first().map_or(ErrorReason::ProjectNotActive, denial_reason);
    let refusal = Refusal::unmet(first, text, unmet.collect());
    denials.iter().fold(refusal, |refusal, denial| match denial {
        Denial::ProjectNotActive(state) => refusal.with("state", state.as_str()),
        Denial::SpendCapReached { spent, cap } => refusal.with("spent", spent).with("spend_cap", cap),
        Denial::FundsExhausted { available, estimate } => {
            refusal.with("available", available).with("estimated_cost", estimate)
        }
        Denial::QuotaExceeded { family, quota, in_use } => {
            refusal.with("family", family.as_str()).with("limit", quota).with("in_use", in_use)
        }
        Denial::DebtUnpaid | Denial::PlanUnknown(_) | Denial::PlanRetired(_) | Denial::PriceMissing(_, _) => {
            refusal
        }
    })
}

const fn hold_state(state: HoldState) -> &'static str {
    match state {
        HoldState::Open => "OPEN",
        HoldState::Attached => "ATTACHED",
        HoldState::Ended(end, _) => end.as_str(),
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let failed = Refusal::failed_precondition;
        let refusal = match error {
            Error::Invalid(violations) => Refusal::invalid(violations),
            Error::NotFound(name) => Refusal::not_found(&name),
            Error::Ineligible { account, unmet } => ineligible(&account, &unmet, &text),
            Error::FundingNotAsked => failed(ErrorReason::FundingNotAsked, &text),
            Error::MethodNotUsable { state } => {
                failed(ErrorReason::PaymentMethodNotValid, &text).with("state", state)
            }
            Error::NotPending(state) => {
                failed(ErrorReason::ProjectNotPending, &text).with("state", state.as_str())
            }
            Error::NotActive(state) => {
                failed(ErrorReason::ProjectNotActive, &text).with("state", state.as_str())
            }
            Error::NotLive(state) => failed(ErrorReason::ProjectNotLive, &text).with("state", state.as_str()),
            Error::NotSuspended(state) => {
                failed(ErrorReason::ProjectNotSuspended, &text).with("state", state.as_str())
            }
            Error::AlreadySuspended => failed(ErrorReason::ProjectAlreadySuspended, &text),
            Error::QuotaExceeded(quota) => failed(ErrorReason::QuotaExceeded, &text)
                .with("family", quota.family.as_str())
                .with("limit", quota.limit)
                .with("in_use", quota.in_use),
            Error::DebtUnpaid => failed(ErrorReason::DebtUnpaid, &text),
            Error::DeletionNotRequested => failed(ErrorReason::DeletionNotRequested, &text),
            Error::DeletionTokenWrong => failed(ErrorReason::DeletionTokenWrong, &text),
            Error::DeletionTokenExpired => failed(ErrorReason::DeletionTokenExpired, &text),
            Error::DeletionRequestedTooSoon { wait } => {
                Refusal::new(Code::ResourceExhausted, ErrorReason::DeletionRequestRateLimited, text)
                    .retry_after(wait)
            }
            Error::PlanUnknown(plan) => Refusal::new(Code::NotFound, ErrorReason::PlanUnknown, text)
                .with("resource", format!("plans/{plan}")),
            Error::PlanRetired { .. } => failed(ErrorReason::PlanRetired, &text),
            Error::PriceMissing { .. } => failed(ErrorReason::PlanPriceMissing, &text),
            Error::PlanExists(plan) => Refusal::new(Code::AlreadyExists, ErrorReason::PlanExists, text)
                .with("resource", format!("plans/{plan}")),
            Error::PriceExists { .. } => {
                Refusal::new(Code::AlreadyExists, ErrorReason::PriceVersionExists, text)
            }
            Error::PriceTooEarly { earliest } => {
                failed(ErrorReason::PriceEffectiveTooEarly, &text).with("earliest_time", earliest)
            }
            Error::PriceCurrency { expected, .. } => {
                failed(ErrorReason::CurrencyMismatch, &text).with("expected", expected.code())
            }
            Error::PriceEnds { ends } => failed(ErrorReason::PriceEndsAlready, &text).with("end_time", ends),
            Error::ResizeNotAllowed { from, to, why } => {
                plan_change(ErrorReason::ResizeNotAllowed, &text, why)
                    .with("from", format!("plans/{from}"))
                    .with("to", format!("plans/{to}"))
            }
            Error::SwitchNotAllowed { from, to, why } => {
                plan_change(ErrorReason::SwitchNotAllowed, &text, why)
                    .with("from", format!("plans/{from}"))
                    .with("to", format!("plans/{to}"))
            }
            Error::ResourceRemoved(_) => failed(ErrorReason::ResourceRemoved, &text),
            Error::EtagMismatch(name) => Refusal::etag_mismatch(&name),
            Error::ImportInProgress | Error::IntakeFull => Refusal::overloaded(),
            Error::IntakeStopped => Refusal::new(Code::Unavailable, ErrorReason::Unavailable, text),
            Error::StreamIdle { .. } => {
                Refusal::new(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, text)
            }
            Error::UsageOverflow => Refusal::internal(&error),
            Error::Denied { project, denials } => denied(&project, &denials, &text),
            Error::HoldRefused { hold, refusal } => match refusal {
                HoldRefusal::NotOpen(state) => failed(ErrorReason::HoldNotOpen, &text)
                    .with("resource", hold)
                    .with("state", hold_state(state)),
                HoldRefusal::DoesNotFit => failed(ErrorReason::HoldDoesNotFit, &text).with("resource", hold),
            },
            Error::CurrencyMismatch { expected, .. } => {
                failed(ErrorReason::CurrencyMismatch, &text).with("expected", expected)
            }
            Error::BudgetLimitReached(limit) => {
                failed(ErrorReason::BudgetLimitReached, &text).with("limit", limit)
            }
            error @ Error::Unrated(_) => Refusal::internal(&error),
            Error::Unanswered(error) => Refusal::internal(&error),
            Error::Rating(error) => Refusal::internal(&error),
            Error::Money(error) => Refusal::internal(&error),
            Error::Rounding(error) => Refusal::internal(&error),
            Error::Right(refused) => refused.into(),
            Error::Account(error) => return error.into(),
            Error::Credit(error) => return error.into(),
            Error::Payment(error) => return error.into(),
            Error::RequestIdRefused(refused) => Refusal::request_id_refused(refused),
            Error::Port(error) => Refusal::internal(error.as_ref()),
            Error::Database(error) => Refusal::database(&error),
        };
        refusal.into()
    }
}
