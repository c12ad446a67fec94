//! The slice on the real store, on both backends.

mod advance;
mod billing_runs;
mod collection;
mod credit_notes;
mod disputes;
mod issuing;
mod world;
