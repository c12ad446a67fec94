//! Types and rules of credit: no database, no wire, no clock.

pub(crate) mod campaign;
pub(crate) mod code;
pub(crate) mod entry;
pub(crate) mod grant;
pub(crate) mod lot;
pub(crate) mod movement;
pub(crate) mod order;
pub(crate) mod project_ref;
pub(crate) mod redemption;
pub(crate) mod top_up;
