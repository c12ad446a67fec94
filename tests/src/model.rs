//! A second opinion on credit: a small model in memory, and random histories that both live through.
//!
//! | module | is |
//! |---|---|
//! | [`books`] | the model: lots, orders and resources as plain numbers, and what time does to them |
//! | [`act`] | what may happen next, and a seeded chooser of it |
//! | [`play`] | the same act done to the server, over the wire, and to the model |
//! | [`check`] | every balance, order, invoice and movement of the server against the model |
//!
//! The model shares no code with Florin: integers of cents, microseconds, `chrono` for the calendar. It knows
//! the rules of R6 and R7 in their shortest form and nothing of databases, requests or retries.

pub mod act;
pub mod books;
pub mod check;
pub mod play;
