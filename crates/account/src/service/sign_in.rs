//! Signing in and out (R2.3): throttled, and silent about which accounts exist.
//!
//! The password is verified before the transaction, because that is slow; what came of it counts only once
//! the transaction holds the throttle's row and the row is not locked. E-mail address and handle of one
//! account share one row.
//!
//! Sessions live in the machine's time, also in a sandbox: moving its clock signs nobody out.

use florin_platform::{
    Platform, audit,
    call::{Call, Session},
    clock::Clock,
    db::Tx,
    id::{AccountId, Id},
    secret::digest,
    wire::{account_name, child_name},
};
use florin_settlement::Instant;

use super::hashing;
use crate::{
    domain::{
        account::{Account, AccountState},
        password,
        secret::Secret,
    },
    error::Error,
    store::{
        account::{self, Lookup},
        session, throttle,
    },
};

/// A session lives for so long.
const SESSION_DAYS: u32 = 1;

/// What the customer typed: the login trimmed and in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) login: String,
    pub(crate) password: Secret,
}

/// Whose failures are counted, and the account that may be opened if they are few enough.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    subject: String,
    account: Option<Account>,
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) account: AccountId,
    pub(crate) session: Id<Session>,
    pub(crate) created: Instant,
    pub(crate) expires: Instant,
}

/// The bearer token of a session: derived, never stored.
pub(crate) fn token(platform: &Platform, session: Id<Session>) -> String {
    format!("flss_{}", platform.key.token(&format!("session/{session}")))
}

/// Verifies the password, off the async threads and outside any transaction.
pub(crate) async fn check(platform: &Platform, credentials: Credentials) -> Result<Checked, Error> {
    let Credentials { login, password } = credentials;
    let found = look_up(platform, &login).await?;
    let hash = found.as_ref().map(|account| account.password_hash.clone());
    let right = hashing::run(move || password::verify(password.expose(), hash.as_ref())).await?;
    let subject = found.as_ref().map_or_else(|| format!("login:{login}"), |account| account_name(account.id));
    Ok(Checked { subject, account: found.filter(|account| right && account.state != AccountState::Closed) })
}

async fn look_up(platform: &Platform, login: &str) -> Result<Option<Account>, Error> {
    let reader = platform.db.reader();
    let lookup = if login.contains('@') { Lookup::Email } else { Lookup::Handle };
    match account::look_up(reader, lookup, login).await? {
        Some(id) => Ok(account::find(reader, id).await?),
        None => Ok(None),
    }
}

/// Opens the session, or leaves the trace of a failure. While the subject is locked the right password
/// is answered like a wrong one.
pub(crate) async fn login(
    platform: &Platform,
    tx: &Tx,
    at: Instant,
    call: &Call,
    checked: Checked,
) -> Result<Result<Opened, Error>, Error> {
    if let Some(until) = throttle::take(tx, &checked.subject, at).await? {
        return Err(Error::throttled(at, until));
    }
    let Some(account) = checked.account else {
        throttle::failed(tx, &checked.subject, at).await?;
        return Ok(Err(Error::LoginRefused));
    };
    throttle::succeeded(tx, &checked.subject).await?;
    let session = Id::generate(at);
    let created = Clock::System.now(tx).await?;
    let expires = created.plus_days(SESSION_DAYS);
    let token_digest = digest(&token(platform, session));
    session::insert(tx, account.id, session, token_digest, created, expires).await?;
    audit::record(tx, at, call, account.id, &child_name(account.id, "sessions", session)).await?;
    Ok(Ok(Opened { account: account.id, session, created, expires }))
}

/// Ends the caller's session.
pub(crate) async fn logout(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    session: Id<Session>,
) -> Result<(), Error> {
    session::revoke(tx, account, session, Clock::System.now(tx).await?).await?;
    audit::record(tx, at, call, account, &child_name(account, "sessions", session)).await?;
    Ok(())
}
