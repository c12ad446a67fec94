//! Between the wire and the domain: the only place that names both.

pub(crate) mod billing_run;
pub(crate) mod collection;
pub(crate) mod credit_note;
pub(crate) mod document;
pub(crate) mod explanation;
pub(crate) mod invoice;
pub(crate) mod journal;
