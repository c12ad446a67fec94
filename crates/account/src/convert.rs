//! Between the wire and the domain: the only place that names both.

pub(crate) mod account;
pub(crate) mod issuer;
pub(crate) mod sign_in;
pub(crate) mod tax_status;
pub(crate) mod terms;
