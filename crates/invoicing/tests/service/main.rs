//! The slice on the real store, on both backends.

mod advance;
mod audit;
mod billing_runs;
mod billing_work;
mod books;
mod collection;
mod concurrency;
mod corrections;
mod credit_notes;
mod dice;
mod disputes;
mod documents;
mod estimates;
mod issuing;
mod till;
mod world;
