//! Handlers: parse, one call, render.

pub(crate) mod methods;
pub(crate) mod outcomes;
pub(crate) mod payments;

use florin_platform::{call::Call, id::AccountId};

use crate::error::Error;

/// What is named `name` and owned by `account`, if the caller may see it; else it does not exist for them
/// (R12.1).
fn visible(call: &Call, account: AccountId, name: &str) -> Result<(), Error> {
    if call.may_see(account) { Ok(()) } else { Err(Error::NotFound(name.to_owned())) }
}
