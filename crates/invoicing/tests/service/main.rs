//! The slice on the real store, on both backends.

mod billing_runs;
mod issuing;
mod world;
