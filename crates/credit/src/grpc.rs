//! Handlers: parse, one call, render.

pub(crate) mod campaigns;
pub(crate) mod credits;
pub(crate) mod grants;
pub(crate) mod orders;
pub(crate) mod vouchers;

use florin_platform::{call::Call, id::AccountId};

use crate::error::Error;

/// The account, if the caller may see it; else what they `named` does not exist for them (R12.1).
fn visible(call: &Call, account: AccountId, named: &str) -> Result<AccountId, Error> {
    if call.may_see(account) { Ok(account) } else { Err(Error::NotFound(named.to_owned())) }
}
