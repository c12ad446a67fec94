//! Failed logins, counted per account, or per login name where no account is behind it (R2.3).
//!
//! | step | statement |
//! |---|---|
//! | take | an upsert that changes nothing: the row is there, and locked until the transaction ends |
//! | decide | locked: refused, whatever the password; else the failure is counted or the row deleted |
//!
//! Attempts for one subject therefore stand in line, and none is decided on a count that is out of date.

use florin_platform::{
    column::At,
    db::{Tx, sql},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

/// After so many failures in a row a subject is locked.
pub(crate) const FAILURES_MAX: i64 = 10;
/// For so long.
const LOCK_SECONDS: u64 = 900;

/// Takes the row of `subject` until `tx` ends; until when it is locked, if it is at `at`.
pub(crate) async fn take(tx: &Tx, subject: &str, at: Instant) -> Result<Option<Instant>, DbErr> {
    let text = "INSERT INTO login_throttle (subject, failures) VALUES ($1, 0) \
                ON CONFLICT (subject) DO UPDATE SET failures = login_throttle.failures \
                RETURNING locked_until";
    let row = tx
        .query_one_raw(sql(tx, text, [subject.into()]))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("login throttle vanished".to_owned()))?;
    let until: Option<At> = row.try_get_by_index(0)?;
    Ok(until.map(Instant::from).filter(|until| *until > at))
}

/// Counts a failure in a row that was taken; the one that reaches the maximum locks and starts anew.
pub(crate) async fn failed(tx: &Tx, subject: &str, at: Instant) -> Result<(), DbErr> {
    let text = "UPDATE login_throttle SET failures = failures + 1, failed_at = $2 WHERE subject = $1";
    tx.execute_raw(sql(tx, text, [subject.into(), At::from(at).into()])).await?;
    forget_old(tx, at).await?;
    let text =
        "UPDATE login_throttle SET failures = 0, locked_until = $2 WHERE subject = $1 AND failures >= $3";
    let until = At::from(at.plus_seconds(LOCK_SECONDS));
    tx.execute_raw(sql(tx, text, [subject.into(), until.into(), FAILURES_MAX.into()])).await?;
    Ok(())
}

/// Forgets a few subjects nobody has tried for a day: names nobody has do not pile up. Who tries adds one
/// row and takes away two, so the table stays as small as the tries of a day.
async fn forget_old(tx: &Tx, at: Instant) -> Result<(), DbErr> {
    let text = "DELETE FROM login_throttle WHERE subject IN \
                (SELECT subject FROM login_throttle WHERE failed_at < $1 ORDER BY failed_at LIMIT 2)";
    tx.execute_raw(sql(tx, text, [At::from(at.minus_days(1)).into()])).await.map(|_| ())
}

/// Forgets the failures of `subject`.
pub(crate) async fn succeeded(tx: &Tx, subject: &str) -> Result<(), DbErr> {
    let text = "DELETE FROM login_throttle WHERE subject = $1";
    tx.execute_raw(sql(tx, text, [subject.into()])).await.map(|_| ())
}
