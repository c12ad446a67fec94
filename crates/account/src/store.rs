//! Private rows and queries. A row becomes a domain value by `TryFrom`; a corrupt one is a loud error.

pub(crate) mod account;
pub(crate) mod chain;
pub(crate) mod issuer;
pub(crate) mod lock;
pub(crate) mod movements;
pub(crate) mod right;
pub(crate) mod session;
pub(crate) mod tax_status;
pub(crate) mod terms;
pub(crate) mod throttle;
pub(crate) mod token;
