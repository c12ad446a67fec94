//! Commands: lock, read, decide, write; and the reads others need.

pub(crate) mod advance;
pub(crate) mod budgets;
pub(crate) mod burn;
pub(crate) mod cancel;
pub(crate) mod catalogue;
pub(crate) mod consumption;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod eligibility;
pub(crate) mod fund;
pub(crate) mod funding;
pub(crate) mod gate;
pub(crate) mod holds;
pub(crate) mod ingest;
pub(crate) mod intake;
pub(crate) mod plans;
pub(crate) mod price_list;
pub(crate) mod query;
pub(crate) mod rehearse;
pub(crate) mod resize;
pub(crate) mod resources;
pub(crate) mod retention;
pub(crate) mod standings;
pub(crate) mod suspend;
pub(crate) mod update;
pub(crate) mod usage;
