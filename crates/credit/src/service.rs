//! Commands and queries. A command: lock, read, decide, write; the caller commits.
//!
//! Every function that takes a `Tx` and an account expects the account to be locked by
//! [`florin_account::lock`], the first statement of the transaction; lots and orders follow, shared rows
//! (a code, a campaign) come last.

pub(crate) mod audit;
pub(crate) mod campaigns;
pub(crate) mod disputes;
pub(crate) mod grants;
pub(crate) mod lapse;
pub(crate) mod ledger;
pub(crate) mod lots;
pub(crate) mod loyalty;
pub(crate) mod orders;
pub(crate) mod pay;
pub(crate) mod place;
pub(crate) mod query;
pub(crate) mod redeem;
pub(crate) mod rehearse;
pub(crate) mod top_up;
pub(crate) mod vouchers;
