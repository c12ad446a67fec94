//! Rows of sign-in sessions, and the directory that finds them by their token's digest.

use florin_platform::{
    call::Session,
    column::At,
    db::{Tx, sql},
    id::{AccountId, Id},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

pub(crate) async fn insert(
    tx: &Tx,
    account: AccountId,
    session: Id<Session>,
    token_digest: Vec<u8>,
    created: Instant,
    expires: Instant,
) -> Result<(), DbErr> {
    let text = "INSERT INTO session (account_id, id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    let values = [account.into(), session.into(), At::from(created).into(), At::from(expires).into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    let text = "INSERT INTO session_directory (token_digest, account_id, session_id) VALUES ($1, $2, $3)";
    tx.execute_raw(sql(tx, text, [token_digest.into(), account.into(), session.into()])).await?;
    Ok(())
}

/// The live session behind a token at `at`.
pub(crate) async fn live(
    connection: &impl ConnectionTrait,
    token_digest: Vec<u8>,
    at: Instant,
) -> Result<Option<(AccountId, Id<Session>)>, DbErr> {
    let text = "SELECT s.account_id, s.id FROM session_directory d \
                JOIN session s ON s.account_id = d.account_id AND s.id = d.session_id \
                WHERE d.token_digest = $1 AND s.revoked_at IS NULL AND s.expires_at > $2";
    let row =
        connection.query_one_raw(sql(connection, text, [token_digest.into(), At::from(at).into()])).await?;
    row.map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).transpose()
}

/// Ends a session; ending it again changes nothing.
pub(crate) async fn revoke(
    tx: &Tx,
    account: AccountId,
    session: Id<Session>,
    at: Instant,
) -> Result<(), DbErr> {
    let text = "UPDATE session SET revoked_at = $3 WHERE account_id = $1 AND id = $2 AND revoked_at IS NULL";
    tx.execute_raw(sql(tx, text, [account.into(), session.into(), At::from(at).into()])).await.map(|_| ())
}
