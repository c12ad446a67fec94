//! `validate_only`: decide and answer as if for real, and keep nothing.

use std::future::Future;

use florin_platform::{Platform, db::Tx};
use florin_settlement::Instant;

use crate::error::Error;

/// Runs `work` as it would run for real, and undoes it. Never waits out contention: a rehearsal that meets
/// it answers so.
pub(crate) async fn rehearse<Answer, Fut>(
    platform: &Platform,
    work: impl FnOnce(Tx, Instant) -> Fut,
) -> Result<Answer, Error>
where
    Fut: Future<Output = Result<Answer, Error>>,
{
    let tx = platform.db.begin_write().await?;
    let answer = match platform.clock.now(&tx).await {
        Ok(now) => work(tx.clone(), now).await,
        Err(error) => Err(error.into()),
    };
    tx.rollback().await;
    answer
}
