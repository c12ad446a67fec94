//! Signing in and out (R2.3): throttled, and silent about which accounts exist.
//!
//! Sessions live in the machine's time, also in a sandbox: moving its clock signs nobody out.

use florin_platform::{
    Platform, audit,
    call::{Call, Session},
    clock::Clock,
    db::Tx,
    id::{AccountId, Id},
    secret::digest,
    wire::child_name,
};
use florin_settlement::Instant;

use crate::{
    domain::{
        account::{Account, AccountState},
        password,
    },
    error::Error,
    store::{
        account::{self, Lookup},
        session, throttle,
    },
};

/// A session lives for so long.
const SESSION_DAYS: u32 = 1;
/// Verified when no account is found, so that a miss takes as long as a hit. Nobody knows its password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                      Yk6Zr7V9ZJ2s1m3o5q7u9wBDFHJLNPRTVXZbdfhjlnp";

/// What the customer typed, and what became of checking it.
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
pub(crate) async fn check(platform: &Platform, login: &str, password: &str) -> Result<Checked, Error> {
    let reader = platform.db.reader();
    let subject = login.trim().to_lowercase();
    let lookup = if subject.contains('@') { Lookup::Email } else { Lookup::Handle };
    let found = match account::look_up(reader, lookup, &subject).await? {
        Some(id) => account::find(reader, id).await?,
        None => None,
    };
    let hash = found.as_ref().map_or_else(|| NOBODY.to_owned(), |account| account.password_hash.clone());
    let password = password.to_owned();
    let right = tokio::task::spawn_blocking(move || password::verify(&password, &hash))
        .await
        .map_err(|error| sea_orm::DbErr::Custom(error.to_string()))?;
    Ok(Checked { subject, account: found.filter(|account| right && account.state != AccountState::Closed) })
}

/// Opens the session, or leaves the trace of a failure.
pub(crate) async fn login(
    platform: &Platform,
    tx: &Tx,
    at: Instant,
    call: &Call,
    checked: Checked,
) -> Result<Result<Opened, Error>, Error> {
    if let Some(until) = throttle::locked_until(tx, &checked.subject, at).await? {
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
