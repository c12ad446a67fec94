//! Accounts on the wire.

use florin_api::account::v1 as wire;
use florin_platform::{
    etag,
    id::AccountId,
    mask::Mask,
    violation::Violations,
    wire::{account_name, parse_account, timestamp},
};

use crate::{
    domain::{
        account::{Account, AccountState, Profile, TEXT_CHARACTERS_MAX},
        confirmation::EXPIRE_AFTER_DAYS,
        legal_form::LegalForm,
    },
    service::{
        create::NewAccount,
        update::{Change, UPDATABLE},
    },
};

/// Reads a CreateAccount request. What cannot even be read is noted; the rest is judged with the
/// issuer's rules, so that every violation comes back at once.
pub(crate) fn new_account(request: &wire::CreateAccountRequest) -> NewAccount {
    let mut violations = Violations::new();
    let account = request.account.clone().unwrap_or_default();
    if request.account.is_none() {
        violations.add("account", "is required");
    }
    let legal_form = legal_form(account.legal_form());
    violations.check("account.legal_form", legal_form.is_some(), "is required");
    violations.check("account.country", !account.country.trim().is_empty(), "is required");
    NewAccount {
        profile: profile(account, legal_form.unwrap_or(LegalForm::Other)).tidied(),
        password: request.password.clone(),
        violations,
    }
}

/// Reads an UpdateAccount request.
pub(crate) fn change(request: &wire::UpdateAccountRequest) -> Result<Change, Violations> {
    let mut violations = Violations::new();
    let account = request.account.clone().unwrap_or_default();
    let id = violations.take("account.name", parse_account(&account.name));
    let mask = match Mask::parse(request.update_mask.as_ref(), UPDATABLE) {
        Ok(mask) => Some(mask),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let etag = account.etag.clone();
    let profile = profile(account, LegalForm::Other);
    violations.finish_with(id.zip(mask).map(|(account, mask)| Change { account, etag, mask, profile }))
}

/// Reads a resource name of an account in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<AccountId, Violations> {
    parse_account(name).map_err(|error| Violations::one(field, error))
}

fn profile(account: wire::Account, legal_form: LegalForm) -> Profile {
    let address = account.address.unwrap_or_default();
    Profile {
        email: account.email,
        rescue_email: Some(account.rescue_email).filter(|email| !email.is_empty()),
        country: account.country,
        legal_form,
        given_name: account.given_name,
        family_name: account.family_name,
        organisation: account.organisation,
        street: address.street,
        postal_code: address.postal_code,
        city: address.city,
        region: address.region,
        language: account.language,
        vat_number: Some(account.vat_number).filter(|number| !number.is_empty()),
    }
}

/// Renders an account.
pub(crate) fn account(account: &Account) -> wire::Account {
    let name = account_name(account.id);
    let profile = account.profile.clone();
    wire::Account {
        etag: etag::of(&name, account.version),
        name,
        handle: account.handle.clone(),
        email: profile.email,
        rescue_email: profile.rescue_email.unwrap_or_default(),
        country: profile.country,
        legal_form: wire_legal_form(profile.legal_form).into(),
        given_name: profile.given_name,
        family_name: profile.family_name,
        organisation: profile.organisation,
        address: Some(wire::Address {
            street: profile.street,
            postal_code: profile.postal_code,
            city: profile.city,
            region: profile.region,
        }),
        language: profile.language,
        vat_number: profile.vat_number.unwrap_or_default(),
        issuer: format!("issuers/{}", account.issuer),
        currency_code: account.currency.code().to_owned(),
        state: wire_state(account.state).into(),
        create_time: Some(timestamp(account.created)),
        update_time: Some(timestamp(account.updated)),
        confirm_time: account.confirmed.map(timestamp),
    }
}

/// The states a list is filtered by; none means all.
pub(crate) fn states(request: &wire::ListAccountsRequest) -> Vec<AccountState> {
    request.states().filter_map(state).collect()
}

/// Renders until when a code that was just sent is good.
pub(crate) fn resent(account: &Account) -> wire::ResendConfirmationResponse {
    let expires = account.confirmation.sent.map(|sent| sent.plus_days(EXPIRE_AFTER_DAYS));
    wire::ResendConfirmationResponse { expire_time: expires.map(timestamp) }
}

/// Renders the fields an account must fill.
pub(crate) fn required_fields(issuer: &str, fields: Vec<String>) -> wire::ListRequiredFieldsResponse {
    let length_max = i32::try_from(TEXT_CHARACTERS_MAX).unwrap_or(i32::MAX);
    let required_fields = fields
        .into_iter()
        .map(|field| wire::RequiredField { field_path: format!("account.{field}"), length_max })
        .collect();
    wire::ListRequiredFieldsResponse { issuer: format!("issuers/{issuer}"), required_fields }
}

fn state(state: wire::account::State) -> Option<AccountState> {
    match state {
        wire::account::State::Unspecified => None,
        wire::account::State::Pending => Some(AccountState::Pending),
        wire::account::State::Active => Some(AccountState::Active),
        wire::account::State::Suspended => Some(AccountState::Suspended),
        wire::account::State::Closed => Some(AccountState::Closed),
    }
}

fn wire_state(state: AccountState) -> wire::account::State {
    match state {
        AccountState::Pending => wire::account::State::Pending,
        AccountState::Active => wire::account::State::Active,
        AccountState::Suspended => wire::account::State::Suspended,
        AccountState::Closed => wire::account::State::Closed,
    }
}

/// Reads a legal form.
pub(crate) fn legal_form(form: wire::LegalForm) -> Option<LegalForm> {
    match form {
        wire::LegalForm::Unspecified => None,
        wire::LegalForm::Individual => Some(LegalForm::Individual),
        wire::LegalForm::Corporation => Some(LegalForm::Corporation),
        wire::LegalForm::Association => Some(LegalForm::Association),
        wire::LegalForm::Administration => Some(LegalForm::Administration),
        wire::LegalForm::Other => Some(LegalForm::Other),
    }
}

fn wire_legal_form(form: LegalForm) -> wire::LegalForm {
    match form {
        LegalForm::Individual => wire::LegalForm::Individual,
        LegalForm::Corporation => wire::LegalForm::Corporation,
        LegalForm::Association => wire::LegalForm::Association,
        LegalForm::Administration => wire::LegalForm::Administration,
        LegalForm::Other => wire::LegalForm::Other,
    }
}
