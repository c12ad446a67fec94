//! Between the wire and the domain: the only place that names both.

pub(crate) mod budget;
pub(crate) mod catalogue;
pub(crate) mod funding;
pub(crate) mod life;
pub(crate) mod metering;
pub(crate) mod plan;
pub(crate) mod project;
pub(crate) mod resource;
pub(crate) mod right;
pub(crate) mod usage;
