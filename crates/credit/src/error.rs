//! What can go wrong with credit, in the domain's words, and what the caller is told.

use florin_api::error::v1::ErrorReason;
use florin_platform::{
    column::CorruptRow, idempotency::RequestIdRefused, refusal::Refusal, violation::Violations,
};
use florin_settlement::{Instant, LotError, MoneyError};
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::{
    domain::{
        order::{AmountError, OrderRefusal, PriceError},
        redemption::VoucherRefusal,
    },
    ports::PortError,
};

/// A refusal by, or a failure of, the credit slice.
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
    /// A guest pays with the default method only (R4.5).
    #[error("for another account's project only its default method pays, or its payment link")]
    OnlyDefaultMethod,
    /// The account is not ACTIVE.
    #[error("the account is {state}, not ACTIVE")]
    AccountNotActive {
        /// What it is instead.
        state: &'static str,
    },
    /// Nothing can be bought or redeemed for the project any more.
    #[error("{0} is being deleted, is deleted or was canceled")]
    ProjectNotLive(String),
    /// Not an amount one can buy.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The order cannot be paid or canceled.
    #[error("the order cannot be {verb}: {refusal}")]
    Order {
        /// `paid` or `canceled`.
        verb: OrderVerb,
        /// Why.
        refusal: OrderRefusal,
    },
    /// There is no right to withdraw, or not any more.
    #[error("the order gives no right to withdraw now: it is {state}")]
    NotWithdrawable {
        /// What it is.
        state: &'static str,
    },
    /// Not the token of the order's payment link.
    #[error("this is not the order's payment link")]
    LinkInvalid,
    /// The payment slice refused.
    #[error(transparent)]
    Payment(#[from] florin_payment::Error),
    /// The code gives nothing.
    #[error(transparent)]
    Voucher(#[from] VoucherRefusal),
    /// Too many wrong codes.
    #[error("too many wrong voucher codes; try again later")]
    VoucherEntryLocked {
        /// For so long.
        wait: std::time::Duration,
    },
    /// The campaign's lots could miss every monthly settlement.
    #[error("lots of this campaign could miss every monthly settlement")]
    CampaignMissesSettlement,
    /// The campaign's redemption window is over.
    #[error("the time to redeem the campaign's codes is over")]
    CampaignEnded,
    /// The campaign was disabled.
    #[error("the campaign was disabled")]
    CampaignDisabled,
    /// A SHARED campaign has its one code.
    #[error("the campaign has its one code")]
    CampaignCodeExists,
    /// The budget does not cover the codes.
    #[error("the campaign's budget does not cover so many codes")]
    CampaignBudgetExceeded,
    /// There is nothing to charge without the customer.
    #[error("the account has no default payment method")]
    TopUpNeedsMethod,
    /// The resource changed since it was read.
    #[error("{0} has changed")]
    EtagMismatch(String),
    /// A movement would take more than a lot has. A bug in whoever asked, and the database agrees.
    #[error("{0} has less than is to be taken")]
    Overdrawn(String),
    /// What was given contradicts what a lot is. A bug.
    #[error("not a lot")]
    Lot(#[from] LotError),
    /// Amounts that cannot be summed. A bug.
    #[error("amounts that cannot be summed")]
    Money(#[from] MoneyError),
    /// No price could be made. A bug.
    #[error("no price")]
    Price(#[from] PriceError),
    /// A slice above failed to answer.
    #[error("a port failed")]
    Port(#[source] PortError),
    /// The same request id with another body.
    #[error(transparent)]
    RequestIdRefused(#[from] RequestIdRefused),
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

/// What was to be done with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderVerb {
    /// Pay it.
    Pay,
    /// Cancel it.
    Cancel,
}

impl std::fmt::Display for OrderVerb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pay => "paid",
            Self::Cancel => "canceled",
        })
    }
}

impl From<CorruptRow> for Error {
    fn from(corrupt: CorruptRow) -> Self {
        Self::Database(corrupt.into())
    }
}

impl Error {
    pub(crate) fn locked(at: Instant, until: Instant) -> Self {
        Self::VoucherEntryLocked { wait: until.saturating_since(at) }
    }

    pub(crate) fn to_pay(refusal: OrderRefusal) -> Self {
        Self::Order { verb: OrderVerb::Pay, refusal }
    }

    pub(crate) fn to_cancel(refusal: OrderRefusal) -> Self {
        Self::Order { verb: OrderVerb::Cancel, refusal }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let precondition = |reason| Refusal::failed_precondition(reason, &text);
        let refusal = match error {
            Error::Invalid(violations) => Refusal::invalid(violations),
            Error::NotFound(name) => Refusal::not_found(&name),
            Error::Right(refused) => refused.into(),
            Error::OnlyDefaultMethod => {
                Refusal::new(Code::PermissionDenied, ErrorReason::OnlyDefaultMethod, &text)
            }
            Error::AccountNotActive { state } => {
                precondition(ErrorReason::AccountNotActive).with("state", state)
            }
            Error::ProjectNotLive(name) => precondition(ErrorReason::ProjectNotLive).with("project", name),
            Error::Amount(amount) => amount_refusal(amount),
            Error::Order { verb, refusal } => order_refusal(verb, refusal, &text),
            Error::NotWithdrawable { state } => {
                precondition(ErrorReason::OrderNotWithdrawable).with("state", state)
            }
            Error::LinkInvalid => Refusal::new(Code::PermissionDenied, ErrorReason::PaymentLinkInvalid, text),
            Error::Payment(payment) => return payment.into(),
            Error::Voucher(voucher) => voucher_refusal(voucher),
            Error::VoucherEntryLocked { wait } => {
                Refusal::new(Code::ResourceExhausted, ErrorReason::VoucherEntryLocked, text).retry_after(wait)
            }
            Error::CampaignMissesSettlement => precondition(ErrorReason::CampaignMissesSettlement),
            Error::CampaignEnded => precondition(ErrorReason::CampaignEnded),
            Error::CampaignDisabled => precondition(ErrorReason::CampaignDisabled),
            Error::CampaignCodeExists => precondition(ErrorReason::CampaignCodeExists),
            Error::CampaignBudgetExceeded => precondition(ErrorReason::CampaignBudgetExceeded),
            Error::TopUpNeedsMethod => precondition(ErrorReason::TopUpNeedsMethod),
            Error::EtagMismatch(name) => Refusal::etag_mismatch(&name),
            Error::RequestIdRefused(refused) => Refusal::request_id_refused(refused),
            Error::Database(error) => Refusal::database(&error),
            Error::Port(cause) => match cause.downcast_ref::<DbErr>() {
                Some(error) => Refusal::database(error),
                None => Refusal::internal(&*cause),
            },
            bug @ (Error::Overdrawn(_) | Error::Lot(_) | Error::Money(_) | Error::Price(_)) => {
                Refusal::internal(&bug)
            }
        };
        refusal.into()
    }
}

fn amount_refusal(error: AmountError) -> Refusal {
    match error {
        AmountError::Currency(expected) => {
            Refusal::failed_precondition(ErrorReason::CurrencyMismatch, error).with("expected", expected)
        }
        AmountError::NotWholeUnits => {
            Refusal::new(Code::InvalidArgument, ErrorReason::AmountNotWholeUnits, error)
        }
        AmountError::BelowMinimum(minimum) => {
            Refusal::failed_precondition(ErrorReason::OrderAmountTooSmall, error).with("minimum", minimum)
        }
    }
}

fn order_refusal(verb: OrderVerb, refusal: OrderRefusal, text: &str) -> Refusal {
    let precondition = |reason| Refusal::failed_precondition(reason, text);
    match (verb, refusal) {
        (OrderVerb::Pay, OrderRefusal::Done(state)) => {
            precondition(ErrorReason::OrderNotPayable).with("state", state.as_str())
        }
        (OrderVerb::Cancel, OrderRefusal::Done(state)) => {
            precondition(ErrorReason::OrderNotCancelable).with("state", state.as_str())
        }
        (OrderVerb::Pay, OrderRefusal::Expired) => precondition(ErrorReason::OrderExpired),
        (OrderVerb::Cancel, OrderRefusal::Expired) => {
            precondition(ErrorReason::OrderNotCancelable).with("state", "EXPIRED")
        }
        (OrderVerb::Pay | OrderVerb::Cancel, OrderRefusal::PaymentInProgress(payment)) => {
            let refusal = precondition(ErrorReason::PaymentInProgress);
            match payment {
                Some(name) => refusal.with("payment", name),
                None => refusal,
            }
        }
    }
}

/// The reason a refused code comes with (R6.6).
#[must_use]
pub(crate) fn voucher_reason(refusal: VoucherRefusal) -> ErrorReason {
    match refusal {
        VoucherRefusal::Unknown => ErrorReason::VoucherUnknown,
        VoucherRefusal::Disabled => ErrorReason::VoucherDisabled,
        VoucherRefusal::NotYetValid(_) => ErrorReason::VoucherNotYetValid,
        VoucherRefusal::Expired => ErrorReason::VoucherExpired,
        VoucherRefusal::AlreadyUsed => ErrorReason::VoucherAlreadyUsed,
        VoucherRefusal::UseLimitReached => ErrorReason::VoucherUseLimitReached,
        VoucherRefusal::AccountLimitReached => ErrorReason::VoucherAccountLimitReached,
        VoucherRefusal::Country => ErrorReason::VoucherCountry,
        VoucherRefusal::Reserved => ErrorReason::VoucherReserved,
        VoucherRefusal::NewCustomersOnly => ErrorReason::VoucherNewCustomersOnly,
        VoucherRefusal::FirstProjectOnly => ErrorReason::VoucherFirstProjectOnly,
        VoucherRefusal::Incompatible => ErrorReason::VoucherIncompatible,
        VoucherRefusal::NeedsPaymentMethod => ErrorReason::VoucherNeedsPaymentMethod,
        VoucherRefusal::WrongCurrency(_) => ErrorReason::VoucherWrongCurrency,
    }
}

fn voucher_refusal(refusal: VoucherRefusal) -> Refusal {
    let status = Refusal::failed_precondition(voucher_reason(refusal), refusal);
    match refusal {
        VoucherRefusal::NotYetValid(from) => status.with("redeem_start_time", from),
        VoucherRefusal::Unknown
        | VoucherRefusal::Disabled
        | VoucherRefusal::Expired
        | VoucherRefusal::AlreadyUsed
        | VoucherRefusal::UseLimitReached
        | VoucherRefusal::AccountLimitReached
        | VoucherRefusal::Country
        | VoucherRefusal::Reserved
        | VoucherRefusal::NewCustomersOnly
        | VoucherRefusal::FirstProjectOnly
        | VoucherRefusal::Incompatible
        | VoucherRefusal::NeedsPaymentMethod
        | VoucherRefusal::WrongCurrency(_) => status,
    }
}
