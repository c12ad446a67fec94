//! Giving the mailed code back, and asking for another (R2.2).
//!
//! Both are open to anybody, and both tell whether an account exists and waits. That gives nothing away:
//! an account is named here by its id, which is random and told only to who created it, and never by an
//! e-mail address or handle. Only a PENDING account is changed: a code never revives a SUSPENDED one.

use florin_platform::{
    Platform, audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire::account_name,
};
use florin_settlement::Instant;

use super::{query::owned, vat_number};
use crate::{
    domain::{
        account::{Account, AccountState},
        confirmation::Tried,
    },
    error::Error,
    events::AccountConfirmed,
    notices,
    store::{account, lock},
};

/// Confirms the account. A wrong code is a refusal that leaves its trace: the inner error is committed.
pub(crate) async fn confirm_account(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: AccountId,
    code: &str,
) -> Result<Result<Account, Error>, Error> {
    let pending = pending(tx, id).await?;
    match pending.confirmation.attempt(code, at) {
        Tried::Right(used) => {
            let active = Account {
                state: AccountState::Active,
                confirmation: used,
                confirmed: Some(at),
                version: pending.version + 1,
                updated: at,
                ..pending
            };
            account::save(tx, &active).await?;
            if active.profile.vat_number.is_some() {
                vat_number::ask(tx, at, &active).await?;
            }
            audit::record(tx, at, call, id, &account_name(id)).await?;
            outbox::append(tx, at, id, &AccountConfirmed { account: account_name(id) }).await?;
            Ok(Ok(active))
        }
        Tried::Wrong(trace) => {
            account::save(tx, &Account { confirmation: trace, ..pending }).await?;
            Ok(Err(Error::CodeWrong))
        }
        Tried::Dead => Err(Error::CodeDead),
    }
}

/// Sends another code; the one before is dead.
pub(crate) async fn resend_confirmation(
    platform: &Platform,
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: AccountId,
) -> Result<Account, Error> {
    let pending = pending(tx, id).await?;
    let wait = pending.confirmation.resend_wait(at);
    if !wait.is_zero() {
        return Err(Error::ResentTooSoon { wait });
    }
    let confirmation = pending.confirmation.next(&platform.key, id, at);
    let resent = Account { confirmation, ..pending };
    account::save(tx, &resent).await?;
    audit::record(tx, at, call, id, &account_name(id)).await?;
    notice::raise(tx, at, id, &notices::confirmation(&resent)).await?;
    Ok(resent)
}

/// The account, locked, if it still waits for its code.
async fn pending(tx: &Tx, id: AccountId) -> Result<Account, Error> {
    lock::take(tx, &[id]).await?;
    let account = owned(tx, id).await?;
    match account.state {
        AccountState::Pending => Ok(account),
        AccountState::Active | AccountState::Suspended | AccountState::Closed => Err(Error::AlreadyConfirmed),
    }
}
