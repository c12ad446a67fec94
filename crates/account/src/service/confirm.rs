//! Giving the mailed code back, and asking for another (R2.2).

use florin_platform::{
    Platform, audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire::account_name,
};
use florin_settlement::Instant;

use super::query::owned;
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
    lock::take(tx, &[id]).await?;
    let pending = owned(tx, id).await?;
    if pending.confirmed.is_some() {
        return Err(Error::AlreadyConfirmed);
    }
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
    lock::take(tx, &[id]).await?;
    let pending = owned(tx, id).await?;
    if pending.confirmed.is_some() {
        return Err(Error::AlreadyConfirmed);
    }
    if !pending.confirmation.may_resend(at) {
        return Err(Error::ResentTooSoon);
    }
    let confirmation = pending.confirmation.next(&platform.key, id, at);
    let resent = Account { confirmation, ..pending };
    account::save(tx, &resent).await?;
    audit::record(tx, at, call, id, &account_name(id)).await?;
    notice::raise(tx, at, id, &notices::confirmation(&resent)).await?;
    Ok(resent)
}
