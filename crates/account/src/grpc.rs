//! Handlers: parse, one call, render.

pub(crate) mod account;
pub(crate) mod auth;
pub(crate) mod issuer;

use florin_platform::{call::Call, id::AccountId};

use crate::error::Error;

/// The account, if the caller may see it; else it does not exist for them (R12.1).
fn visible(call: &Call, account: AccountId) -> Result<AccountId, Error> {
    if call.may_see(account) {
        Ok(account)
    } else {
        Err(Error::NotFound(florin_platform::wire::account_name(account)))
    }
}
