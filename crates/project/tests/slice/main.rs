//! The project slice on both backends: the real store, the real slices below; only debts are pretended.

mod books;
mod catalogue;
mod changes;
mod dunning;
mod funding;
mod history;
mod metering;
mod price_lists;
mod projects;
mod setting;
mod spending;
mod usage;
