//! Handlers: parse, one call, render.

pub(crate) mod budgets;
pub(crate) mod catalog;
pub(crate) mod funding;
pub(crate) mod projects;
pub(crate) mod resources;
pub(crate) mod usage;
