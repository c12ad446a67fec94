//! Types and rules of credit: no database, no wire, no clock.

pub mod campaign;
pub mod code;
pub mod entry;
pub mod grant;
pub mod lot;
pub mod movement;
pub mod order;
pub mod project_ref;
pub mod redemption;
