//! Payment methods and payments on both backends, with a provider and a listener made for the purpose.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod books;
mod contract;
mod disputes;
mod ledger;
mod life;
mod limits;
mod methods;
mod payments;
mod refunds;
mod scheduled;
mod scripted;
mod world;
