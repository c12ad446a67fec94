//! What every slice stands on: transactions, clock, ids, idempotency, outbox and the tower layers.
//!
//! Owns: how a write becomes durable ([`db`]), how a repeated request gets the same answer
//! ([`idempotency`]), and the rows written beside every change ([`outbox`], [`audit`], [`notice`]).
//! Always holds: nothing is written outside a [`db::Tx`], and a transaction in which any statement
//! failed is never committed.
//! Refuses to know: what is billed. If a sentence about this crate needs the word "invoice", the
//! code does not belong here.

pub mod access;
pub mod approval;
pub mod audit;
pub mod call;
pub mod clock;
pub mod coalesce;
pub mod column;
pub mod db;
pub mod etag;
pub mod finding;
pub mod html;
pub mod id;
pub mod idempotency;
pub mod job;
pub mod layer;
pub mod mask;
pub mod notice;
pub mod outbox;
pub mod page;
pub mod refusal;
pub mod secret;
pub mod set;
pub mod snapshot;
pub mod violation;
pub mod wire;

mod ground;
pub use ground::Platform;
