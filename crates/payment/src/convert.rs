//! Between the wire and the domain: the only place that names both.

pub(crate) mod method;
pub(crate) mod outcome;
pub(crate) mod payment;
