//! Commands and queries. A command: begin, lock, read, decide, write; what talks to the provider does so
//! between two transactions.

pub(crate) mod audit;
pub(crate) mod begin;
pub(crate) mod disputes;
pub(crate) mod expire;
pub(crate) mod limits;
pub(crate) mod methods;
pub(crate) mod names;
pub(crate) mod noticed;
pub(crate) mod payments;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod refunds;
pub(crate) mod remove;
pub(crate) mod sandbox;
pub(crate) mod update;
