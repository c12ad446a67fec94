//! The project slice on both backends: the real store, the real slices below; only debts are pretended.

mod catalogue;
mod dunning;
mod funding;
mod history;
mod projects;
mod setting;
mod usage;
