//! Changing the profile: language, names, address; never the country, issuer or currency.

use florin_platform::{
    audit, call::Call, db::Tx, etag, id::AccountId, mask::Mask, outbox, violation::Violations,
    wire::account_name,
};
use florin_settlement::Instant;

use super::query::owned;
use crate::{
    domain::account::{Account, Profile},
    error::Error,
    events::AccountUpdated,
    store::{account, issuer, lock},
};

/// The fields an Update may name.
pub(crate) const UPDATABLE: &[&str] =
    &["given_name", "family_name", "organisation", "address", "language", "rescue_email"];

/// What to change, and against which version.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) account: AccountId,
    pub(crate) etag: String,
    pub(crate) mask: Mask,
    pub(crate) profile: Profile,
}

/// Applies the change; every violation of the result at once.
pub(crate) async fn update_account(
    tx: &Tx,
    at: Instant,
    call: &Call,
    change: Change,
) -> Result<Account, Error> {
    lock::take(tx, &[change.account]).await?;
    let before = owned(tx, change.account).await?;
    let name = account_name(before.id);
    if !etag::allows(&change.etag, &name, before.version) {
        return Err(Error::EtagMismatch(name));
    }
    let profile = merged(before.profile.clone(), &change).tidied();
    let mut violations: Violations = profile.violations("account.");
    let mandatory = issuer::required_fields(tx, &before.issuer, &profile.country, profile.legal_form).await?;
    profile.require("account.", &mandatory, &mut violations);
    violations.finish()?;

    let after = Account { profile, version: before.version + 1, updated: at, ..before };
    account::save(tx, &after).await?;
    audit::record(tx, at, call, after.id, &name).await?;
    outbox::append(tx, at, after.id, &AccountUpdated { account: name }).await?;
    Ok(after)
}

fn merged(mut profile: Profile, change: &Change) -> Profile {
    let given = &change.profile;
    if change.mask.has("given_name") {
        profile.given_name.clone_from(&given.given_name);
    }
    if change.mask.has("family_name") {
        profile.family_name.clone_from(&given.family_name);
    }
    if change.mask.has("organisation") {
        profile.organisation.clone_from(&given.organisation);
    }
    if change.mask.has("address") {
        profile.street.clone_from(&given.street);
        profile.postal_code.clone_from(&given.postal_code);
        profile.city.clone_from(&given.city);
        profile.region.clone_from(&given.region);
    }
    if change.mask.has("language") {
        profile.language.clone_from(&given.language);
    }
    if change.mask.has("rescue_email") {
        profile.rescue_email.clone_from(&given.rescue_email);
    }
    profile
}
