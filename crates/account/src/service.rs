//! Commands and queries. A command: begin, lock, read, decide, write; the caller commits.

pub(crate) mod authenticate;
pub(crate) mod chain;
pub(crate) mod confirm;
pub(crate) mod create;
pub(crate) mod evidence;
pub(crate) mod hashing;
pub(crate) mod limits;
pub(crate) mod query;
pub(crate) mod rights;
pub(crate) mod sign_in;
pub(crate) mod tax_status;
pub(crate) mod terms;
pub(crate) mod tokens;
pub(crate) mod update;
pub(crate) mod vat;
pub(crate) mod vat_number;
