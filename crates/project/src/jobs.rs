//! What becomes due with time (R1.7). Each job is idempotent and takes no input.
//!
//! | job | due | does |
//! |---|---|---|
//! | [`ForgetEvents`] | on each 1st, once there is measured usage | deletes the events whose ids need not be remembered any more (R5.4); the sums stay |

use std::sync::Arc;

use florin_platform::{
    Platform,
    job::{Job, JobError},
};
use florin_settlement::{Instant, Month};

use crate::{error::Error, service::retention};

/// Every job of this slice; ids of events are remembered for `memory_months`.
#[must_use]
pub fn all(platform: &Platform, memory_months: u32) -> Vec<Arc<dyn Job>> {
    vec![Arc::new(ForgetEvents { platform: platform.clone(), memory_months })]
}

/// Deletes old events, a bounded number at a time.
#[derive(Clone, Debug)]
pub struct ForgetEvents {
    platform: Platform,
    memory_months: u32,
}

#[async_trait::async_trait]
impl Job for ForgetEvents {
    fn name(&self) -> &'static str {
        "project.forget-usage-events"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(retention::next_due(self.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let (clock, months) = (self.platform.clock, self.memory_months);
        let mut done = 0;
        while done < limit {
            let step = self.platform.db.write(|tx| async move {
                let now = clock.now(&tx).await?;
                retention::forget_some(&tx, Month::of(now), months).await
            });
            match step.await.map_err(|error: Error| error)? {
                retention::Step::MoreToLookAt => done += 1,
                retention::Step::Done => return Ok(done + 1),
                retention::Step::NothingDue => return Ok(done),
            }
        }
        Ok(done)
    }
}
