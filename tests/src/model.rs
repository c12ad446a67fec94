//! A second opinion on credit: a small model in memory, and random histories that both live through.
//!
//! | module | is |
//! |---|---|
//! | [`books`] | the model: lots, orders, projects and resources as plain numbers |
//! | [`time`] | what time does to them: credit that waits is supplied, months are settled, projects end |
//! | [`disputes`] | what the payer's bank does to them |
//! | [`launches`] | holds, and what is available |
//! | [`act`] | what may happen next, and a seeded chooser of it |
//! | [`play`] | the same act done to the server, over the wire, and to the model |
//! | [`check`] | every balance, order, invoice, debt, hold and movement of the server against the model |
//! | [`story`] | a history in figures, to be compared with the same history lived elsewhere |
//!
//! The model shares no code with Florin: integers of cents, microseconds, `chrono` for the calendar. It knows
//! the rules of R6 and R7 in their shortest form and nothing of databases, requests or retries.

pub mod act;
pub mod books;
pub mod check;
pub mod disputes;
pub mod launches;
pub mod play;
pub mod story;
pub mod time;
