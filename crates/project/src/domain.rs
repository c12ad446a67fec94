//! Types and rules, one file per aggregate. No database, wire or runtime.

pub(crate) mod budget;
pub(crate) mod catalogue_file;
pub(crate) mod deletion_request;
pub(crate) mod eligibility;
pub(crate) mod forecast;
pub(crate) mod funding;
pub(crate) mod hold;
pub(crate) mod life;
pub(crate) mod metered;
pub(crate) mod metering;
pub(crate) mod plan;
pub(crate) mod project;
pub(crate) mod quota;
pub(crate) mod rating;
pub(crate) mod reckoning;
pub(crate) mod resource;
pub(crate) mod tariff;
pub(crate) mod usage;
