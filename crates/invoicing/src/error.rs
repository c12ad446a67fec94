//! What can go wrong with invoices and billing runs, in the domain's words, and what the caller is told.

use florin_api::error::v1::ErrorReason;
use florin_platform::{
    db::{is_contention, is_unreachable},
    idempotency::RequestIdRefused,
    refusal::Refusal,
    violation::Violations,
};
use florin_settlement::{Instant, MoneyError, Month, RoundingError};
use sea_orm::{DbErr, RuntimeErr, SqlxError};
use tonic::{Code, Status};

use crate::domain::{credit_note::CorrectionError, draft::DraftError, record::ProofError};

/// A refusal by, or a failure of, the invoicing slice.
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
    /// Another account pays with what is not the owner's default method (R4.5).
    #[error("a project of another account is paid for with that account's default method")]
    OnlyDefaultMethod,
    /// The month cannot be billed yet (R7.3).
    #[error("the month can be billed from {settlement} on")]
    PeriodNotOver {
        /// Its settlement instant.
        settlement: Instant,
    },
    /// The period of a journal has not ended (R8.8).
    #[error("the period ends at {end}")]
    JournalNotOver {
        /// Its end.
        end: Instant,
    },
    /// The issuer's run of another month is not finished.
    #[error("{run} is not finished")]
    RunInProgress {
        /// Its resource name.
        run: String,
    },
    /// An earlier month of the issuer has not been billed.
    #[error("{month} has not been billed; months are billed in order")]
    EarlierMonthUnbilled {
        /// That month.
        month: Month,
    },
    /// The run has completed.
    #[error("{run} has completed")]
    RunCompleted {
        /// Its resource name.
        run: String,
    },
    /// A project that was set aside still cannot be billed.
    #[error("{item} still cannot be billed: {reason}")]
    Unfit {
        /// Its resource name.
        item: String,
        /// Why.
        reason: String,
    },
    /// As many watch as may.
    #[error("too many watchers")]
    TooManyWatchers,
    /// What is watched cannot be read just now.
    #[error("it cannot be watched just now")]
    Unwatchable,
    /// The same request id with another body.
    #[error(transparent)]
    RequestIdRefused(#[from] RequestIdRefused),
    /// The charges make no invoice.
    #[error("the charges make no invoice")]
    Draft(#[from] DraftError),
    /// A stored settlement is not what the law gives (R7.8).
    #[error("a stored settlement is not what the law gives")]
    Proof(#[from] ProofError),
    /// An amount out of range.
    #[error("an amount is out of range")]
    Rounding(#[from] RoundingError),
    /// Another runner moved the run on; this transaction is undone.
    #[error("another runner has moved the billing run on")]
    Overtaken,
    /// The invoice's payment is on its way: what it will come to is not known yet.
    #[error("a payment of {0} is on its way")]
    Collecting(String),
    /// It cannot be credited (R7.9).
    #[error("it cannot be credited")]
    Correction(#[from] CorrectionError),
    /// Nothing of the invoice is left to pay.
    #[error("{invoice} is {state}")]
    NotPayable {
        /// Its resource name.
        invoice: String,
        /// Its state.
        state: &'static str,
    },
    /// The account has no open debt.
    #[error("the account has no open debt")]
    NothingOwed,
    /// The debt is closed.
    #[error("{0} is closed")]
    DebtClosed(String),
    /// A payment of the account's debts is pending (R9.3).
    #[error("{payment} of the account's debts is pending")]
    SettlementPending {
        /// Its resource name.
        payment: String,
        /// When it lapses, if it waits for the customer.
        lapses: Option<Instant>,
    },
    /// Amounts that cannot be summed.
    #[error("amounts that cannot be summed")]
    Money(#[from] MoneyError),
    /// A payment for something this slice does not know.
    #[error("a payment for {0}, which is no invoice and no order")]
    UnknownReference(String),
    /// Rating failed.
    #[error("usage could not be rated")]
    Project(#[from] florin_project::Error),
    /// Credit failed.
    #[error("credit could not be debited or issued")]
    Credit(#[from] florin_credit::Error),
    /// Payment failed.
    #[error("a payment could not be begun")]
    Payment(#[from] florin_payment::Error),
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

impl Error {
    /// Whether the cause passes by itself or ails the whole database: such a failure stops a run, which
    /// is resumed; any other sets the project aside (R8.7).
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Overtaken | Self::Unwatchable | Self::TooManyWatchers => true,
            Self::Database(error)
            | Self::Payment(florin_payment::Error::Database(error))
            | Self::Credit(florin_credit::Error::Database(error))
            | Self::Project(florin_project::Error::Database(error)) => {
                is_contention(error) || is_unreachable(error) || is_failing(error)
            }
            Self::Invalid(_)
            | Self::NotFound(_)
            | Self::Right(_)
            | Self::OnlyDefaultMethod
            | Self::PeriodNotOver { .. }
            | Self::JournalNotOver { .. }
            | Self::RunInProgress { .. }
            | Self::EarlierMonthUnbilled { .. }
            | Self::RunCompleted { .. }
            | Self::Unfit { .. }
            | Self::RequestIdRefused(_)
            | Self::Draft(_)
            | Self::Proof(_)
            | Self::Rounding(_)
            | Self::UnknownReference(_)
            | Self::Collecting(_)
            | Self::NotPayable { .. }
            | Self::NothingOwed
            | Self::DebtClosed(_)
            | Self::SettlementPending { .. }
            | Self::Correction(_)
            | Self::Money(_)
            | Self::Project(_)
            | Self::Credit(_)
            | Self::Payment(_) => false,
        }
    }

    /// The whole chain of causes in one line, for operators.
    pub(crate) fn chain(&self) -> String {
        chain(self)
    }
}

/// Whether the database itself fails, whatever it is asked: it was cut off, is full, or takes no writes. A
/// statement that takes too long (57014) is not that: fewer projects may be fast enough.
fn is_failing(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    let cause: &SqlxError = cause;
    matches!(
        cause,
        SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed
    ) || cause
        .as_database_error()
        .and_then(|cause| cause.code())
        .is_some_and(|code| is_code_of_failure(&code))
}

/// PostgreSQL's classes of connections, resources and the system, and a standby's refusal of writes;
/// SQLite's NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
fn is_code_of_failure(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "53", "58", "57P"].iter().any(|class| code.starts_with(class)) || code == "25006";
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 7 | 8 | 10 | 11 | 13 | 14 | 15 | 26))
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let refusal = match error {
            Error::Invalid(violations) => Refusal::invalid(violations),
            Error::NotFound(name) => Refusal::not_found(&name),
            Error::Right(refused) => refused.into(),
            Error::OnlyDefaultMethod => {
                Refusal::new(Code::PermissionDenied, ErrorReason::OnlyDefaultMethod, &text)
            }
            Error::PeriodNotOver { settlement } => {
                Refusal::failed_precondition(ErrorReason::PeriodNotOver, text)
                    .with("settlement_time", settlement)
            }
            Error::JournalNotOver { end } => {
                Refusal::failed_precondition(ErrorReason::PeriodNotOver, text).with("end_time", end)
            }
            Error::RunInProgress { run } => {
                Refusal::failed_precondition(ErrorReason::RunInProgress, text).with("billing_run", run)
            }
            Error::EarlierMonthUnbilled { month } => {
                Refusal::failed_precondition(ErrorReason::EarlierMonthUnbilled, text)
                    .with("billing_month", month)
            }
            Error::RunCompleted { .. } => Refusal::failed_precondition(ErrorReason::RunCompleted, text),
            Error::Unfit { reason, .. } => {
                Refusal::failed_precondition(ErrorReason::BillingItemUnfit, text).with("reason", reason)
            }
            Error::Unwatchable => Refusal::new(Code::Unavailable, ErrorReason::Unavailable, text),
            Error::RequestIdRefused(refused) => Refusal::request_id_refused(refused),
            Error::Project(error) => return error.into(),
            Error::Credit(error) => return error.into(),
            Error::Payment(error) => return error.into(),
            Error::Database(error) => Refusal::database(&error),
            Error::Overtaken | Error::TooManyWatchers => Refusal::overloaded(),
            Error::Collecting(_) => Refusal::failed_precondition(ErrorReason::InvoiceBeingCollected, text),
            Error::NotPayable { state, .. } => {
                Refusal::failed_precondition(ErrorReason::InvoiceNotPayable, text).with("state", state)
            }
            Error::NothingOwed => Refusal::failed_precondition(ErrorReason::NothingOwed, text),
            Error::DebtClosed(_) => Refusal::failed_precondition(ErrorReason::DebtNotOpen, text),
            Error::SettlementPending { payment, lapses } => {
                let refusal = Refusal::failed_precondition(ErrorReason::DebtSettlementPending, text)
                    .with("payment", payment);
                match lapses {
                    Some(lapses) => refusal.with("lapse_time", lapses),
                    None => refusal,
                }
            }
            Error::Correction(error) => match error {
                CorrectionError::MoreThanInvoiced { line, left } => {
                    Refusal::failed_precondition(ErrorReason::CreditNoteExceedsInvoice, error.to_string())
                        .with("line_number", line)
                        .with("left", left)
                }
                CorrectionError::NothingLeft => {
                    Refusal::failed_precondition(ErrorReason::CreditNoteExceedsInvoice, error.to_string())
                }
                CorrectionError::BoughtCredit => {
                    Refusal::failed_precondition(ErrorReason::BoughtCreditNotRefundable, error.to_string())
                }
                CorrectionError::Nothing
                | CorrectionError::UnknownLine(_)
                | CorrectionError::NotAnAmount(_)
                | CorrectionError::BelowZero => Refusal::invalid(Violations::one("lines", error.to_string())),
                CorrectionError::Quantity(_)
                | CorrectionError::Proof(_)
                | CorrectionError::Due(_)
                | CorrectionError::Plan(_)
                | CorrectionError::GiveBack(_)
                | CorrectionError::Rounding(_)
                | CorrectionError::Money(_) => Refusal::internal(&error),
            },
            error @ (Error::Money(_)
            | Error::Draft(_)
            | Error::Proof(_)
            | Error::Rounding(_)
            | Error::UnknownReference(_)) => Refusal::internal(&error),
        };
        refusal.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_database(cause: SqlxError) -> Error {
        Error::Database(DbErr::Query(RuntimeErr::SqlxError(cause.into())))
    }

    /// R8.7: a database that fails over in the middle of a batch sets nobody aside.
    #[test]
    fn a_failing_database_stops_a_run_and_a_bad_row_does_not() {
        let cut_off = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(of_database(SqlxError::Io(cut_off)).is_passing());
        assert!(of_database(SqlxError::WorkerCrashed).is_passing());
        assert!(of_database(SqlxError::PoolTimedOut).is_passing());
        assert!(!of_database(SqlxError::RowNotFound).is_passing());
        assert!(!Error::Database(DbErr::RecordNotFound("no VAT rate".to_owned())).is_passing());
        for code in ["57P01", "57P03", "53100", "53300", "58030", "08006", "25006", "13", "10", "778", "8"] {
            assert!(is_code_of_failure(code), "{code}");
        }
        for code in ["23505", "22003", "57014", "2067", "1811", "787", "1"] {
            assert!(!is_code_of_failure(code), "{code}");
        }
    }
}
