//! Failed logins, counted per login name whether or not an account exists behind it (R2.3).

use florin_platform::{
    column::At,
    db::{Tx, sql},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

/// After so many failures in a row a login name is locked.
pub(crate) const FAILURES_MAX: i64 = 10;
/// For so long.
const LOCK_SECONDS: u64 = 900;

/// Until when `subject` is locked, if it is at `at`.
pub(crate) async fn locked_until(
    connection: &impl ConnectionTrait,
    subject: &str,
    at: Instant,
) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT locked_until FROM login_throttle WHERE subject = $1 AND locked_until > $2";
    let row = connection.query_one_raw(sql(connection, text, [subject.into(), At::from(at).into()])).await?;
    row.map(|row| row.try_get_by_index::<At>(0).map(Into::into)).transpose()
}

/// Counts a failure; the one that reaches the maximum locks and starts counting anew.
pub(crate) async fn failed(tx: &Tx, subject: &str, at: Instant) -> Result<(), DbErr> {
    let text = "INSERT INTO login_throttle (subject, failures) VALUES ($1, 1) \
                ON CONFLICT (subject) DO UPDATE SET failures = login_throttle.failures + 1";
    tx.execute_raw(sql(tx, text, [subject.into()])).await?;
    let text =
        "UPDATE login_throttle SET failures = 0, locked_until = $2 WHERE subject = $1 AND failures >= $3";
    let until = At::from(at.plus_seconds(LOCK_SECONDS));
    tx.execute_raw(sql(tx, text, [subject.into(), until.into(), FAILURES_MAX.into()])).await?;
    Ok(())
}

/// Forgets the failures of `subject`.
pub(crate) async fn succeeded(tx: &Tx, subject: &str) -> Result<(), DbErr> {
    let text = "DELETE FROM login_throttle WHERE subject = $1";
    tx.execute_raw(sql(tx, text, [subject.into()])).await.map(|_| ())
}
