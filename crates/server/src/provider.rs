//! Adapters to whoever moves the money: implementations of `florin_payment::Provider`.
//!
//! A new one passes the same contract as the sandbox: `florin_payment::provider::contract::check`.

pub mod sandbox;
pub mod stripe;
