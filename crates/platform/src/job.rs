//! Work that becomes due with time (R1.7), each piece run once even with several replicas (R12.5).

use std::{future::Future, time::Duration};

use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{Platform, clock::Clock, db::sql};

/// What a run of a job may report.
pub type JobError = Box<dyn std::error::Error + Send + Sync>;

/// A job: idempotent, without input, bounded by `limit`.
#[async_trait::async_trait]
pub trait Job: Send + Sync {
    /// Its name, as operators see it.
    fn name(&self) -> &'static str;

    /// The earliest instant at which something is or becomes due, if anything is.
    async fn next_due(&self) -> Result<Option<Instant>, JobError>;

    /// Does at most `limit` pieces of what is due now and says how many it did.
    async fn run(&self, limit: u32) -> Result<u32, JobError>;

    /// Whether replicas share what is due among them: then each runs it whenever it is due, beside all other jobs,
    /// and the job sees to it that nothing is done twice. Otherwise it runs on one replica at a time.
    fn is_shared(&self) -> bool {
        false
    }
}

const LEASE_SECONDS: i64 = 30;
const RENEW_AFTER: Duration = Duration::from_secs(10);
const LOOK_AFTER: Duration = Duration::from_millis(100);
const LOOKS_MAX: u32 = 600;

/// Runs `work` while holding the lease of job `name` for `holder`, renewing it as long as it takes.
///
/// `None` if another replica holds it, or took it over because it could not be renewed: `work` is dropped
/// then. A lease left behind by a dead replica ends by itself.
pub async fn under_lease<T>(
    platform: &Platform,
    name: &str,
    holder: &str,
    work: impl Future<Output = T>,
) -> Result<Option<T>, DbErr> {
    if !lease(platform, name, holder, LEASE_SECONDS).await? {
        return Ok(None);
    }
    let lost = async {
        loop {
            tokio::time::sleep(RENEW_AFTER).await;
            if !lease(platform, name, holder, LEASE_SECONDS).await.unwrap_or(false) {
                return;
            }
        }
    };
    let done = tokio::select! {
        done = work => Some(done),
        () = lost => None,
    };
    lease(platform, name, holder, 0).await?;
    Ok(done)
}

/// As [`under_lease`], but waits for whoever holds the lease, for a minute at most.
pub async fn alone<T, Fut: Future<Output = T>>(
    platform: &Platform,
    name: &str,
    holder: &str,
    work: impl Fn() -> Fut,
) -> Result<Option<T>, DbErr> {
    for _ in 0..LOOKS_MAX {
        if let Some(done) = under_lease(platform, name, holder, work()).await? {
            return Ok(Some(done));
        }
        tokio::time::sleep(LOOK_AFTER).await;
    }
    Ok(None)
}

/// Takes or renews the lease of job `name` for `holder` until `seconds` from now, machine time; false if
/// another replica has it. Zero seconds give it back.
pub async fn lease(platform: &Platform, name: &str, holder: &str, seconds: i64) -> Result<bool, DbErr> {
    let now = Clock::System.now(platform.db.reader()).await?.micros();
    let until = now + seconds * 1_000_000;
    platform
        .db
        .write(|tx| async move {
            let text = "INSERT INTO job_lease (name, holder, until_micros) VALUES ($1, $2, $3) \
                        ON CONFLICT (name) DO UPDATE \
                        SET holder = excluded.holder, until_micros = excluded.until_micros \
                        WHERE job_lease.until_micros <= $4 OR job_lease.holder = excluded.holder";
            let values = [name.into(), holder.into(), until.into(), now.into()];
            Ok(tx.execute_raw(sql(&tx, text, values)).await?.rows_affected() == 1)
        })
        .await
}
