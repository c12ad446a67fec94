//! The databases Florin's tests run on.
//!
//! Every test meets the real store: SQLite compiled in, and PostgreSQL from a cluster that lives as long as
//! one test run. Four parts, from the outside in:
//!
//! | part | owns |
//! |---|---|
//! | [`run`] | one test run: start the cluster, run the command, stop the cluster, say which backends were used |
//! | [`cluster`], [`programs`] | a PostgreSQL server in a temporary folder, and where its programs come from |
//! | [`Books`] | what is looked at when a test is over; what that is, the test says |
//! | [`TestDatabase`], [`on_both_backends!`](crate::on_both_backends) | one migrated database per test, copied from a template |
//!
//! What always holds: a test that needs PostgreSQL and has none **fails**, it is never skipped; no test sees
//! another test's rows; nothing is left behind after a run, also when it is interrupted. What a killed run
//! leaves, the next one removes.
//!
//! This crate knows the migrations and nothing else of Florin, so that every slice can name it in its
//! `[dev-dependencies]` without a cycle.

pub mod cluster;
pub mod exercised;
pub mod programs;
pub mod run;

mod backend;
mod books;
mod database;
mod disarm;
mod law;
mod leftovers;
mod postgres;
mod schema;
mod sqlite;

pub use backend::Backend;
pub use books::{Audit, Books};
pub use database::TestDatabase;
pub use disarm::disarm;

#[doc(hidden)]
pub use law::uphold;
