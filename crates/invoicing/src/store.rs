//! Private rows and queries. A row becomes a domain value by `TryFrom`; a corrupt one is a loud error.

pub(crate) mod audit;
pub(crate) mod billing_range;
pub(crate) mod billing_run;
pub(crate) mod bounce;
pub(crate) mod credit_note;
pub(crate) mod debit;
pub(crate) mod debt;
pub(crate) mod debt_settlement;
pub(crate) mod dispute;
pub(crate) mod document;
pub(crate) mod dunning;
pub(crate) mod invoice;
pub(crate) mod journal;
pub(crate) mod line;
pub(crate) mod money;
pub(crate) mod number;
pub(crate) mod parties;
pub(crate) mod receivables;
pub(crate) mod refund;
pub(crate) mod set_aside;
pub(crate) mod settlement;
pub(crate) mod standing;
pub(crate) mod tax;
