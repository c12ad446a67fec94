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
        password,
        secret::Secret,
        text,
    },
    service::{
        create::NewAccount,
        update::{Change, UPDATABLE},
    },
};

/// The longest confirmation code read: one that was mailed, with room for spaces and dashes.
const CODE_CHARACTERS_MAX: usize = 64;

/// Reads a CreateAccount request. What is wrong is only noted: the issuer's rules may add to it, so that
/// every violation comes back at once.
pub(crate) fn new_account(request: &wire::CreateAccountRequest) -> NewAccount {
    let mut violations = Violations::new();
    let account = request.account.clone().unwrap_or_default();
    if request.account.is_none() {
        violations.add("account", "is required");
    }
    let legal_form = legal_form(account.legal_form());
    violations.check("account.legal_form", legal_form.is_some(), "is required");
    violations.take("password", password::check(&request.password));
    let profile = profile(account, legal_form.unwrap_or(LegalForm::Other)).tidied();
    violations.extend(profile.violations("account."));
    NewAccount { profile, password: Secret::new(request.password.as_str()), violations }
}

/// Reads an UpdateAccount request.
pub(crate) fn change(request: &wire::UpdateAccountRequest) -> Result<Change, Violations> {
    let mut violations = Violations::new();
    let account = request.account.clone().unwrap_or_default();
    let id = violations.take("account.name", parse_account(&account.name));
    let mask = match mask(request.update_mask.as_ref()) {
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

/// A mask is required: leaving it out by mistake must not empty what was left out with it.
fn mask(mask: Option<&prost_types::FieldMask>) -> Result<Mask, Violations> {
    if mask.is_none_or(|mask| mask.paths.is_empty()) {
        let rule = format!("is required; these can be updated: {}", UPDATABLE.join(", "));
        return Err(Violations::one("update_mask", rule));
    }
    Mask::parse(mask, UPDATABLE)
}

/// Reads a ConfirmAccount request: which account, with which code.
pub(crate) fn confirmation(request: &wire::ConfirmAccountRequest) -> Result<(AccountId, &str), Violations> {
    let mut violations = Violations::new();
    let account = violations.take("name", parse_account(&request.name));
    let code = request.code.as_str();
    let rule = format!("must have 1 to {CODE_CHARACTERS_MAX} characters, without control characters");
    violations.check("code", !code.is_empty() && text::fits(code, CODE_CHARACTERS_MAX), rule);
    violations.finish_with(account.map(|account| (account, code)))
}

/// Reads a ListRequiredFields request: for which country, in upper case, and which legal form.
pub(crate) fn customer_kind(
    request: &wire::ListRequiredFieldsRequest,
) -> Result<(String, LegalForm), Violations> {
    let mut violations = Violations::new();
    let country = request.country.trim().to_uppercase();
    violations.check("country", text::is_country(&country), "must be two letters (ISO 3166-1 alpha-2)");
    let legal_form = legal_form(request.legal_form());
    violations.check("legal_form", legal_form.is_some(), "is required");
    violations.finish_with(legal_form.map(|legal_form| (country, legal_form)))
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

/// The states a list is filtered by, each once; none means all.
pub(crate) fn states(request: &wire::ListAccountsRequest) -> Result<Vec<AccountState>, Violations> {
    let mut violations = Violations::new();
    let mut states = Vec::new();
    for number in &request.states {
        match wire::account::State::try_from(*number).ok().and_then(state) {
            Some(state) if states.contains(&state) => {}
            Some(state) => states.push(state),
            None => violations.add("states", format!("{number} is not a state")),
        }
    }
    violations.finish().map(|()| states)
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

fn legal_form(form: wire::LegalForm) -> Option<LegalForm> {
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
