//! Creating an account (R2.1): everything that is wrong at once, or one account, once.

use florin_platform::{
    Platform, audit, call::Call, db::Tx, id::AccountId, notice, outbox, violation::Violations,
    wire::account_name,
};
use florin_settlement::Instant;

use crate::{
    domain::{
        account::{Account, AccountState, Profile},
        confirmation::Confirmation,
        password,
    },
    error::Error,
    events::AccountCreated,
    notices,
    store::{
        account::{self, Lookup},
        issuer, lock,
    },
};

/// Live projects an account may have until an operator says otherwise (R4.1).
const PROJECT_LIMIT: u32 = 3;
const HANDLE_TRIES_MAX: u32 = 32;

/// What is asked for. The profile is tidied; nothing else is known to be right.
#[derive(Clone, Debug)]
pub(crate) struct NewAccount {
    /// Who the customer says they are; country and legal form may be missing in `violations`.
    pub(crate) profile: Profile,
    /// In clear; hashed by [`hash_password`].
    pub(crate) password: String,
    /// What was wrong with the request's form already.
    pub(crate) violations: Violations,
}

/// Hashes the password on a thread of its own, before any transaction begins.
pub(crate) async fn hash_password(password: &str) -> Result<String, Error> {
    let password = password.to_owned();
    tokio::task::spawn_blocking(move || password::hash(&password))
        .await
        .map_err(|error| sea_orm::DbErr::Custom(error.to_string()))?
        .map_err(Error::from)
}

/// Creates the account, its lock row, audit row, event and notice in `tx`.
pub(crate) async fn create_account(
    platform: &Platform,
    tx: &Tx,
    at: Instant,
    call: &Call,
    new: NewAccount,
    password_hash: String,
) -> Result<Account, Error> {
    let NewAccount { profile, password, mut violations } = new;
    let issuer = issuer::of_country(tx, &profile.country).await?;
    if !profile.country.is_empty() && issuer.is_none() {
        violations.add("account.country", format!("no issuer sells to {}", profile.country));
    }
    violations.extend(profile.violations("account."));
    violations.take("password", password::check(&password));
    if let Some(issuer) = &issuer {
        let mandatory = issuer::required_fields(tx, &issuer.id, &profile.country, profile.legal_form).await?;
        profile.require("account.", &mandatory, &mut violations);
    }
    let issuer = violations.finish_with(issuer)?;

    let id = AccountId::generate(at);
    if !account::claim(tx, Lookup::Email, &profile.email, id).await? {
        return Err(Error::EmailTaken);
    }
    let created = Account {
        id,
        handle: claim_handle(platform, tx, id, &profile).await?,
        state: AccountState::Pending,
        password_hash,
        issuer: issuer.id,
        currency: issuer.currency,
        project_limit: PROJECT_LIMIT,
        initial_credit_minimum: None,
        confirmation: Confirmation::first(&platform.key, id, at),
        confirmed: None,
        version: 1,
        created: at,
        updated: at,
        profile,
    };
    account::insert(tx, &created).await?;
    lock::create(tx, id).await?;
    audit::record(tx, at, call, id, &account_name(id)).await?;
    let fact = AccountCreated { account: account_name(id), issuer: format!("issuers/{}", created.issuer) };
    outbox::append(tx, at, id, &fact).await?;
    notice::raise(tx, at, id, &notices::confirmation(&created)).await?;
    Ok(created)
}

/// A free public handle: two initials, five digits, as in `ab12345-fl`.
async fn claim_handle(
    platform: &Platform,
    tx: &Tx,
    id: AccountId,
    profile: &Profile,
) -> Result<String, Error> {
    let initials = initials(profile);
    for attempt in 0..HANDLE_TRIES_MAX {
        let bytes = platform.key.derive(&format!("handle/{id}/{attempt}"));
        let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) % 100_000;
        let handle = format!("{initials}{number:05}-fl");
        if account::claim(tx, Lookup::Handle, &handle, id).await? {
            return Ok(handle);
        }
    }
    Err(sea_orm::DbErr::Custom(format!("no free handle for the initials {initials}")).into())
}

fn initials(profile: &Profile) -> String {
    let words = [&profile.given_name, &profile.family_name, &profile.organisation];
    let mut letters: String =
        words.iter().filter_map(|word| word.chars().find(char::is_ascii_alphabetic)).take(2).collect();
    while letters.len() < 2 {
        letters.push('x');
    }
    letters.to_lowercase()
}
