//! Invoices and what follows from them: pure rules, no database, no wire.

pub(crate) mod billing_run;
pub(crate) mod charge;
pub(crate) mod credit_note;
pub(crate) mod debt;
pub(crate) mod draft;
pub(crate) mod dunning;
pub(crate) mod extent;
pub(crate) mod invoice;
pub(crate) mod money;
pub(crate) mod number;
pub(crate) mod record;
pub(crate) mod standing;

#[cfg(test)]
mod tests;
