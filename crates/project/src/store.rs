//! Private rows and queries. A row becomes a domain value by `TryFrom`; a corrupt one is a loud error.

pub(crate) mod acknowledgement;
pub(crate) mod advance;
pub(crate) mod audit;
pub(crate) mod budget;
pub(crate) mod control;
pub(crate) mod deletion;
pub(crate) mod hold;
pub(crate) mod metered_life;
pub(crate) mod own_price;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod project;
pub(crate) mod quota;
pub(crate) mod resource;
mod rollup;
pub(crate) mod standing;
mod standing_row;
pub(crate) mod usage;
pub(crate) mod usage_event;
pub(crate) mod usage_hour;
pub(crate) mod usage_month;
