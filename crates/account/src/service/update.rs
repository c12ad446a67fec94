//! Changing the profile: language, names, address, VAT number; never the country, issuer or currency, and never an
//! e-mail address: the one signs in, the other recovers (R2.4).

use florin_platform::{
    audit, call::Call, db::Tx, etag, id::AccountId, mask::Mask, outbox, violation::Violations,
    wire::account_name,
};
use florin_settlement::Instant;

use super::{query::owned, vat_number};
use crate::{
    domain::account::{Account, AccountState, Profile},
    error::Error,
    events::AccountUpdated,
    store::{account, issuer, lock},
};

/// The fields an Update may name.
pub(crate) const UPDATABLE: &[&str] = &[
    "language",
    "given_name",
    "family_name",
    "organisation",
    "address",
    "address.street",
    "address.postal_code",
    "address.city",
    "address.region",
    "vat_number",
];

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
    may_change(before.state)?;
    let name = account_name(before.id);
    if !etag::allows(&change.etag, &name, before.version) {
        return Err(Error::EtagMismatch(name));
    }
    let profile = merged(before.profile.clone(), &change).tidied();
    let mut violations: Violations = profile.violations("account.");
    let mandatory = issuer::required_fields(tx, &before.issuer, &profile.country, profile.legal_form).await?;
    profile.require("account.", &mandatory, &mut violations);
    violations.finish()?;

    let number_before = before.profile.vat_number.clone();
    let after = Account { profile, version: before.version + 1, updated: at, ..before };
    account::save(tx, &after).await?;
    if change.mask.has("vat_number") {
        vat_number::claim(tx, at, &after, number_before.as_deref()).await?;
    }
    audit::record(tx, at, call, after.id, &name).await?;
    outbox::append(tx, at, after.id, &AccountUpdated { account: name }).await?;
    Ok(after)
}

fn may_change(state: AccountState) -> Result<(), Error> {
    match state {
        AccountState::Pending | AccountState::Active => Ok(()),
        AccountState::Suspended | AccountState::Closed => Err(Error::NotActive(state)),
    }
}

fn merged(before: Profile, change: &Change) -> Profile {
    let given = &change.profile;
    let pick = |named: bool, given: &String, before: String| if named { given.clone() } else { before };
    let in_mask = |field: &str| change.mask.has(field);
    let in_address = |field: &str| change.mask.has("address") || change.mask.has(field);
    Profile {
        language: pick(in_mask("language"), &given.language, before.language),
        given_name: pick(in_mask("given_name"), &given.given_name, before.given_name),
        family_name: pick(in_mask("family_name"), &given.family_name, before.family_name),
        organisation: pick(in_mask("organisation"), &given.organisation, before.organisation),
        street: pick(in_address("address.street"), &given.street, before.street),
        postal_code: pick(in_address("address.postal_code"), &given.postal_code, before.postal_code),
        city: pick(in_address("address.city"), &given.city, before.city),
        region: pick(in_address("address.region"), &given.region, before.region),
        email: before.email,
        rescue_email: before.rescue_email,
        country: before.country,
        legal_form: before.legal_form,
        vat_number: if in_mask("vat_number") { given.vat_number.clone() } else { before.vat_number },
    }
}
