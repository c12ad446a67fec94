//! The facts others may consume: ids and amounts only (R10.2).

pub(crate) use florin_api::event::v1::{
    BillingRunCanceled, BillingRunCompleted, BillingRunResumed, BillingRunStarted, CreditNoteIssued,
    DebtClosed, DebtOpened, InvoiceIssued, InvoicePaid,
};
