//! What Florin's tests share: readings of the workspace and of the schema, and the rules they must keep.
//!
//! | module | reads | and reports |
//! |---|---|---|
//! | [`crate_graph`] | `cargo metadata` | arrows between crates that point the wrong way |
//! | [`browser`] | pages, as a person does | — |
//! | [`acts`] | what customers do, over the wire | — |
//! | [`florin`] | a server of its own, over the wire | what the server answers |
//! | [`model`] | random histories | the server against a model in memory |
//! | [`tidy`] | the sources | layers that name what they must not, files that are too long |
//! | [`schema`], [`schema_rules`] | a migrated database | keys and columns against the data rules |
//!
//! Each rule is a function from a value to violations, so that it is itself tested with a planted one.

pub mod acts;
pub mod browser;
pub mod crate_graph;
pub mod florin;
pub mod model;
pub mod schema;
pub mod schema_rules;
pub mod source;
pub mod tidy;
