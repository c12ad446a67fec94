//! Handlers: parse, one call, render.

pub(crate) mod accounting;
pub(crate) mod billing_runs;
pub(crate) mod collection;
pub(crate) mod invoices;
