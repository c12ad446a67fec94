//! The `florin` program with real money, as far as our peer is real: outside a sandbox, with Stripe.
//!
//! | part | says |
//! |---|---|
//! | [`told`] | what notices do, and what there is not outside a sandbox |
//! | [`killed`] | the server is killed at each step around a charge: money, order, lot and invoice exactly once |
//! | [`killed_later`] | the same for 3-D Secure, for a notice, and for money that goes back |
//! | [`killed_anywhere`] | the same at random instants, with customers who ask again until they are answered |
//! | [`server`], [`shop`], [`books`], [`standstill`], [`wire`] | the process, its customers, what is read afterwards, how time is held still and how an answer gets lost |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod books;
mod killed;
mod killed_anywhere;
mod killed_later;
mod server;
mod shop;
mod standstill;
mod told;
mod wire;
