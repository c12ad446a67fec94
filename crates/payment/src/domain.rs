//! Types and rules, one file per aggregate. No database, wire or runtime is named here.

pub(crate) mod dispute;
pub(crate) mod limit;
pub(crate) mod method;
pub(crate) mod payment;
pub(crate) mod refund;
pub(crate) mod watch;
