//! Handlers: parse, one call, render.

pub(crate) mod account;
pub(crate) mod auth;
pub(crate) mod issuer;

use florin_platform::{call::Call, id::AccountId, violation::Violations};

use crate::error::Error;

/// The account, if the caller may see it; else it does not exist for them (R12.1).
fn visible(call: &Call, account: AccountId) -> Result<AccountId, Error> {
    if call.may_see(account) {
        Ok(account)
    } else {
        Err(Error::NotFound(florin_platform::wire::account_name(account)))
    }
}

/// Both parts of a request, or what is wrong with either (R12.1).
fn both<A, B>(one: Result<A, Violations>, other: Result<B, Violations>) -> Result<(A, B), Error> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut violations), Err(more)) => {
            violations.extend(more);
            Err(violations.into())
        }
        (Err(violations), Ok(_)) | (Ok(_), Err(violations)) => Err(violations.into()),
    }
}
