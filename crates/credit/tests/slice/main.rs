//! Credit on both backends, with a provider, a project gate and a horizon made for the purpose.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod books;
mod history;
mod jobs;
mod orders;
mod outside;
mod settlement;
mod top_ups;
mod vouchers;
mod world;
