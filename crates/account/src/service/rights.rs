//! Who may do what on a named resource (R4.5): asked by every slice, answered here.
//!
//! | caller | may make the call |
//! |---|---|
//! | the owning account | where the access table lets customers in |
//! | a service | where the access table names one of its roles |
//! | another account | where the access table names one of the rights it holds on the resource, and both accounts are ACTIVE enough: the guest's own is |
//! | anybody else | never; to them the resource does not exist |
//!
//! Asked within a transaction that holds the owning account's lock, the answer stays true until its end,
//! because granting and revoking take the same lock.

use florin_platform::{
    audit,
    call::{Call, Principal, Right},
    db::Tx,
    id::AccountId,
    page::Page,
    violation::Violations,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        account::{Account, AccountState},
        right::{Grant, Reach, RightId},
    },
    error::{Error, RightRefused},
    store::{
        self,
        account::{Lookup, look_up},
    },
};

/// The most rights that can be held on one resource at a time.
const RIGHTS_MAX: u64 = 100;

/// Lets `call` reach `resource`, the full name of something that `account` owns, or refuses. `name` is what
/// the caller asked for: the resource itself, or something that belongs to it.
///
/// # Errors
/// [`RightRefused`]: to whom holds no right on it, nothing of that name exists.
pub async fn reach(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    resource: &str,
    name: impl FnOnce() -> String,
) -> Result<Reach, RightRefused> {
    if let Some(reach) = own(call, account) {
        return Ok(reach);
    }
    let Some(guest) = call.guest() else { return Err(RightRefused::NotFound(name())) };
    let held = store::right::held(connection, account, guest, resource).await?;
    admit(connection, call, guest, held, name).await
}

/// Lets `call` reach what belongs to `account` as a whole and is shown to whoever holds a right on anything
/// of it, or refuses.
///
/// # Errors
/// [`RightRefused`].
pub async fn reach_account(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    name: impl FnOnce() -> String,
) -> Result<Reach, RightRefused> {
    if let Some(reach) = own(call, account) {
        return Ok(reach);
    }
    let Some(guest) = call.guest() else { return Err(RightRefused::NotFound(name())) };
    let held = store::right::held_anywhere(connection, account, guest).await?;
    admit(connection, call, guest, held, name).await
}

fn own(call: &Call, account: AccountId) -> Option<Reach> {
    match call.principal {
        Principal::Service { .. } if call.may_see(account) => Some(Reach::Service),
        Principal::Customer { .. } if call.may_see(account) => Some(Reach::Itself),
        Principal::Service { .. } | Principal::Customer { .. } | Principal::Anonymous => None,
    }
}

async fn admit(
    connection: &impl ConnectionTrait,
    call: &Call,
    guest: AccountId,
    held: Vec<Right>,
    name: impl FnOnce() -> String,
) -> Result<Reach, RightRefused> {
    if held.is_empty() {
        return Err(RightRefused::NotFound(name()));
    }
    let found = store::account::find(connection, guest).await?;
    if !found.is_some_and(|guest| guest.state == AccountState::Active) {
        return Err(RightRefused::NotFound(name()));
    }
    if held.iter().any(|right| call.shared.contains(right)) {
        Ok(Reach::Guest(guest, held))
    } else {
        Err(RightRefused::Insufficient { name: name(), held, needed: call.shared })
    }
}

/// A right to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Whose resource.
    pub account: AccountId,
    /// The resource's name.
    pub resource: String,
    /// Who is to hold the right, as `accounts/{account}` or as a handle.
    pub grantee: String,
    /// What it is.
    pub right: Right,
}

/// Gives a right on a resource of a locked account, and says to whom.
///
/// # Errors
/// [`Error::GranteeUnknown`], [`Error::RightHeld`], [`Error::RightsMax`]; [`Error::Invalid`] for the
/// owner itself.
pub async fn grant(tx: &Tx, at: Instant, call: &Call, new: NewGrant) -> Result<(Grant, Account), Error> {
    let grantee = grantee(tx, &new.grantee).await?.ok_or(Error::GranteeUnknown)?;
    if grantee.id == new.account {
        return Err(Violations::one("right.grantee", "must be another account").into());
    }
    let held = store::right::held(tx, new.account, grantee.id, &new.resource).await?;
    if held.contains(&new.right) {
        return Err(Error::RightHeld(new.right));
    }
    let others = store::right::list(tx, new.account, &new.resource, None, RIGHTS_MAX).await?;
    if u64::try_from(others.len()).is_ok_and(|others| others >= RIGHTS_MAX) {
        return Err(Error::RightsMax(RIGHTS_MAX));
    }
    let grant = Grant {
        account: new.account,
        id: RightId::generate(at),
        resource: new.resource,
        grantee: grantee.id,
        right: new.right,
        granted: at,
        revoked: None,
    };
    store::right::insert(tx, &grant, &call.principal.to_string()).await?;
    audit::record(tx, at, call, grant.account, &right_name(&grant)).await?;
    Ok((grant, grantee))
}

/// Takes a right on a resource of a locked account back. `None` if it was taken back before.
///
/// # Errors
/// [`DbErr`].
pub async fn revoke(tx: &Tx, at: Instant, call: &Call, grant: Grant) -> Result<Option<Grant>, DbErr> {
    if grant.revoked.is_some() {
        return Ok(None);
    }
    store::right::revoke(tx, &grant, &call.principal.to_string(), at).await?;
    audit::record(tx, at, call, grant.account, &right_name(&grant)).await?;
    Ok(Some(Grant { revoked: Some(at), ..grant }))
}

/// The right, if it exists, revoked or not.
///
/// # Errors
/// [`DbErr`].
pub async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: RightId,
) -> Result<Option<Grant>, DbErr> {
    store::right::find(connection, account, id).await
}

/// A page of the rights held on `resource`, oldest first.
///
/// # Errors
/// [`Error::Invalid`] for a place that is none.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    resource: &str,
    page: &Page,
) -> Result<Vec<Grant>, Error> {
    let after = page.after.as_deref().map(RightId::parse).transpose();
    let after = after.map_err(|error| Violations::one("page_token", error))?;
    Ok(store::right::list(connection, account, resource, after, page.fetch()).await?)
}

/// A page of the rights `grantee` holds on others' resources, by owner.
///
/// # Errors
/// [`Error::Invalid`] for a place that is none.
pub async fn shared_with(
    connection: &impl ConnectionTrait,
    grantee: AccountId,
    page: &Page,
) -> Result<Vec<Grant>, Error> {
    let after = page.after.as_deref().map(|place| {
        let (account, right) = place.split_once('/')?;
        Some((AccountId::parse(account).ok()?, RightId::parse(right).ok()?))
    });
    let after = match after {
        Some(None) => return Err(Violations::one("page_token", "is no place in this list").into()),
        Some(after) => after,
        None => None,
    };
    Ok(store::right::shared_with(connection, grantee, after, page.fetch()).await?)
}

/// `{resource}/rights/{right}`.
#[must_use]
pub fn right_name(grant: &Grant) -> String {
    format!("{}/rights/{}", grant.resource, grant.id)
}

/// The ACTIVE account somebody means by its name or handle.
async fn grantee(connection: &impl ConnectionTrait, text: &str) -> Result<Option<Account>, DbErr> {
    let id = match text.strip_prefix("accounts/") {
        Some(id) => AccountId::parse(id).ok(),
        None => look_up(connection, Lookup::Handle, &text.trim().to_lowercase()).await?,
    };
    let Some(id) = id else { return Ok(None) };
    let found = store::account::find(connection, id).await?;
    Ok(found.filter(|account| account.state == AccountState::Active))
}
