//! Private rows and queries. A row becomes a domain value by `TryFrom`; a corrupt one is a loud error.

pub(crate) mod audit;
pub(crate) mod dispute;
pub(crate) mod forgetting;
pub(crate) mod method;
pub(crate) mod offer;
pub(crate) mod payment;
pub(crate) mod refund;
