//! Estimates, invoices, numbering, settlement of what is due, and collection.
//!
//! Owns: what an account is asked to pay and what covered it, the numbers of documents, what becomes of
//! an invoice's payment, debts, and the monthly run.
//! Always holds: an invoice's content never changes once it is issued (R8.2); Σ debits + remainder = due
//! (R7.6); numbers are gapless per series and year (R8.3); a project and month has one invoice, whatever
//! is repeated or cut off (R8.7); an estimate is made by the code that issues (R8.5).
//! Refuses to know: how usage is rated, how a lot is kept, how money moves.

mod acts;
mod convert;
mod documents;
mod domain;
mod error;
mod events;
mod grpc;
pub mod notices;
mod service;
mod store;

pub mod jobs;

pub use acts::acts;
pub use domain::{
    billing_run::{BillingRun, BillingRunId, RunState, Tally},
    credit_note::{
        CorrectionError, CreditNote, CreditNoteId, CreditNoteReason, CreditTotals, Reduction, Refunded,
        Returned, credit_note_name,
    },
    debt::{Debt, DebtCause, DebtEnding, DebtId, debt_name},
    dunning::{Dunning, DunningRules, Hold, NextStep, Stage, Step},
    extent::{Extent, Measure, Portion},
    invoice::{CauseId, Invoice, InvoiceId, invoice_name},
    standing::InvoiceState,
};
pub use error::Error;
pub use grpc::{
    accounting::AccountingRpc, billing_runs::BillingRunRpc, collection::CollectionRpc, invoices::InvoiceRpc,
};
/// What an audit looks at (R14.5).
pub mod audit {
    pub use crate::service::audit::{check, numbers::check as check_numbers};
}

pub use service::{
    credit_note::{CreditedMoney, NewCreditNote, issue_credit_note},
    dispute::Reversals,
    dunning::Dunnings,
    final_invoice::FinalInvoices,
    forecast::Forecasts,
    outcomes::MoneyOutcomes,
    ports::{Debts, Horizon, Needs},
    query::prove_settlement,
    work::{BATCH_DEFAULT, BillingRuns},
};
