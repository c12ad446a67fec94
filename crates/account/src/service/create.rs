//! Creating an account (R2.1): everything that is wrong at once, or one account, once.
//!
//! | step | where |
//! |---|---|
//! | what is wrong with the request by itself | before the password is hashed, which is dear |
//! | hash | off the async threads, before any transaction begins |
//! | what is wrong with it for its issuer | in the transaction, so that a repeated request is replayed first |

use florin_platform::{
    Platform, audit, call::Call, db::Tx, id::AccountId, notice, outbox, violation::Violations,
    wire::account_name,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use super::{evidence::record_country_evidence, hashing, vat_number};
use crate::{
    domain::{
        account::{Account, AccountState, Profile},
        confirmation::Confirmation,
        evidence::EvidenceKind,
        issuer::Issuer,
        password,
        secret::Secret,
        text::is_country,
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
/// Handles of one length that are tried before a longer one is.
const HANDLE_TRIES_MAX: u32 = 8;
/// The digits of a handle: five, more where a pair of initials is crowded.
const HANDLE_DIGITS: [usize; 3] = [5, 6, 7];

/// What is asked for: a tidied profile, and what is wrong with it by itself.
#[derive(Clone, Debug)]
pub(crate) struct NewAccount {
    /// Who the customer says they are.
    pub(crate) profile: Profile,
    /// In clear; hashed by [`hash_password`].
    pub(crate) password: Secret,
    /// All that can be said against it without the issuer's rules.
    pub(crate) violations: Violations,
}

/// Hashes the password, unless the request is wrong by itself: then all that is wrong with it is told.
pub(crate) async fn hash_password(platform: &Platform, new: &NewAccount) -> Result<Secret, Error> {
    if !new.violations.as_slice().is_empty() {
        seller(platform.db.reader(), new).await?;
    }
    let password = new.password.clone();
    Ok(hashing::run(move || password::hash(password.expose())).await??)
}

/// Creates the account, its lock row, audit row, event and notice in `tx`.
pub(crate) async fn create_account(
    platform: &Platform,
    tx: &Tx,
    at: Instant,
    call: &Call,
    new: NewAccount,
    password_hash: Secret,
) -> Result<Account, Error> {
    let issuer = seller(tx, &new).await?;
    let profile = new.profile;
    let id = AccountId::generate(at);
    if !account::claim(tx, Lookup::Email, &profile.email, id).await? {
        return Err(Error::EmailTaken);
    }
    let created = Account {
        id,
        handle: claim_handle(platform, tx, id, &profile).await?,
        state: AccountState::Pending,
        password_hash,
        series: issuer.series_of(id),
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
    vat_number::claim(tx, at, &created, None).await?;
    let (kind, country) = (EvidenceKind::BillingAddress, &created.profile.country);
    record_country_evidence(tx, at, id, kind, country, &account_name(id)).await?;
    audit::record(tx, at, call, id, &account_name(id)).await?;
    let fact = AccountCreated { account: account_name(id), issuer: format!("issuers/{}", created.issuer) };
    outbox::append(tx, at, id, &fact).await?;
    notice::raise(tx, at, id, &notices::confirmation(&created)).await?;
    Ok(created)
}

/// The issuer that sells to such an account, or everything that is wrong with it (R12.1).
async fn seller(connection: &impl ConnectionTrait, new: &NewAccount) -> Result<Issuer, Error> {
    let NewAccount { profile, violations, .. } = new;
    let mut violations = violations.clone();
    let issuer = issuer_of(connection, &profile.country, &mut violations).await?;
    if let Some(issuer) = &issuer {
        let mandatory =
            issuer::required_fields(connection, &issuer.id, &profile.country, profile.legal_form).await?;
        profile.require("account.", &mandatory, &mut violations);
    }
    Ok(violations.finish_with(issuer)?)
}

async fn issuer_of(
    connection: &impl ConnectionTrait,
    country: &str,
    violations: &mut Violations,
) -> Result<Option<Issuer>, DbErr> {
    // What is no country was noted with the profile, and is nothing to ask the database about.
    if !is_country(country) {
        return Ok(None);
    }
    let issuer = issuer::of_country(connection, country).await?;
    violations.check("account.country", issuer.is_some(), format!("no issuer sells to {country}"));
    Ok(issuer)
}

/// A free public handle: two initials, five digits or more, as in `ab12345-fl`.
async fn claim_handle(
    platform: &Platform,
    tx: &Tx,
    id: AccountId,
    profile: &Profile,
) -> Result<String, Error> {
    let initials = initials(profile);
    for digits in HANDLE_DIGITS {
        for attempt in 0..HANDLE_TRIES_MAX {
            let random = platform.key.derive(&format!("handle/{id}/{digits}/{attempt}"));
            let handle = handle(&initials, digits, &random);
            if account::claim(tx, Lookup::Handle, &handle, id).await? {
                return Ok(handle);
            }
        }
    }
    Err(DbErr::Custom(format!("no free handle for the initials {initials}")).into())
}

fn handle(initials: &str, digits: usize, random: &[u8; 32]) -> String {
    let number: String = random.iter().take(digits).map(|byte| char::from(b'0' + byte % 10)).collect();
    format!("{initials}{number}-fl")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_grows_where_its_initials_are_crowded() {
        let random = std::array::from_fn(|n| u8::try_from(n + 1).expect("few"));
        let handles = HANDLE_DIGITS.map(|digits| handle("ab", digits, &random));
        assert_eq!(handles, ["ab12345-fl", "ab123456-fl", "ab1234567-fl"]);
    }
}
