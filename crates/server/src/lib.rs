//! The florin binary: configuration, wiring, telemetry, schedule and command line.
//!
//! Owns: how the slices are put together ([`wiring`]), who may call what ([`access`]), how the server
//! starts and stops ([`serve`]), the command line ([`cli`]), and the adapters to the outside
//! ([`provider`]), and the pages people see.
//! Always holds: every RPC that is served is in the access table.
//! Refuses to know: anything about billing. It decides nothing.

pub mod access;
pub mod audit;
pub mod campaign;
pub mod catalogue;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod journal;
pub mod migrate;
mod pages;
pub mod provider;
pub mod refused;
pub mod registry;
pub mod seed;
pub mod serve;
pub mod telemetry;
mod webhook;
pub mod wiring;
