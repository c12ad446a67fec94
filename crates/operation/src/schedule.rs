//! Running what is due, in order (R1.7), each job on one replica at a time (R12.5).
//!
//! | who | when |
//! |---|---|
//! | [`Schedule::keep_running`] | every second, what is due by now |
//! | [`Schedule::advance`] | the sandbox: from due instant to due instant up to the target |
//!
//! A job that says it is due and then does nothing is left alone until its due instant changes: one
//! stuck job stops neither the clock nor the others.

use std::{collections::HashMap, sync::Arc, time::Duration};

use florin_platform::{
    Platform,
    clock::Moved,
    job::{Job, JobError, lease},
};
use florin_settlement::Instant;
use sea_orm::DbErr;

const PAUSE: Duration = Duration::from_secs(1);
const LEASE_SECONDS: i64 = 30;
/// At most so many pieces of work in one run of a job.
const LIMIT: u32 = 500;

/// A run of a job on the way of the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRun {
    /// The job.
    pub job: &'static str,
    /// The instant it ran at.
    pub at: Instant,
    /// How much it did.
    pub done: u32,
}

/// The schedule could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// A job failed.
    #[error("job {job} failed")]
    Job {
        /// Which.
        job: &'static str,
        /// Why.
        source: JobError,
    },
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
    /// The clock is not ours to move, or would have to go back.
    #[error("the clock cannot be moved there")]
    Clock(Moved),
}

/// The jobs of this server, in the order in which they run when due at the same instant.
#[derive(Clone)]
pub struct Schedule {
    platform: Platform,
    jobs: Vec<Arc<dyn Job>>,
    holder: String,
}

impl Schedule {
    /// A schedule of `jobs`, run in the name of replica `holder`.
    #[must_use]
    pub fn new(platform: Platform, jobs: Vec<Arc<dyn Job>>, holder: String) -> Self {
        Self { platform, jobs, holder }
    }

    /// Runs what is due every second until the future is dropped. A failed job is logged and tried again.
    pub async fn keep_running(&self) {
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            for job in &self.jobs {
                if let Err(error) = self.run_if_due(job.as_ref()).await {
                    tracing::error!(job = job.name(), error = %chain(&error), "job failed");
                }
            }
        }
    }

    async fn run_if_due(&self, job: &dyn Job) -> Result<(), ScheduleError> {
        let now = self.platform.clock.now(self.platform.db.reader()).await?;
        if due(job).await?.is_none_or(|at| at > now) {
            return Ok(());
        }
        if lease(&self.platform, job.name(), &self.holder, LEASE_SECONDS).await? {
            let done = run(job).await?;
            tracing::debug!(job = job.name(), done, "job ran");
        }
        Ok(())
    }

    /// Moves the sandbox clock to `target` and runs everything that becomes due on the way, in order.
    pub async fn advance(&self, target: Instant) -> Result<Vec<JobRun>, ScheduleError> {
        let mut runs = Vec::new();
        let mut stuck: HashMap<&'static str, Instant> = HashMap::new();
        loop {
            let mut next: Option<(Instant, &Arc<dyn Job>)> = None;
            for job in &self.jobs {
                let Some(at) = due(job.as_ref()).await?.filter(|at| *at <= target) else { continue };
                let is_stuck = stuck.get(job.name()) == Some(&at);
                if !is_stuck && next.is_none_or(|(earliest, _)| at < earliest) {
                    next = Some((at, job));
                }
            }
            let Some((at, job)) = next else { break };
            let now = self.move_to(at).await?;
            let done = run(job.as_ref()).await?;
            if done == 0 {
                stuck.insert(job.name(), at);
            } else {
                runs.push(JobRun { job: job.name(), at: now, done });
            }
        }
        self.move_to(target).await?;
        Ok(runs)
    }

    /// Moves the clock to `at`, unless it is past it already; the present instant then.
    async fn move_to(&self, at: Instant) -> Result<Instant, ScheduleError> {
        let clock = self.platform.clock;
        let moved = self
            .platform
            .db
            .write::<_, DbErr, _>(|tx| async move {
                if clock.now(&tx).await? >= at { Ok(Moved::Done) } else { clock.move_to(&tx, at).await }
            })
            .await?;
        match moved {
            Moved::Done => Ok(clock.now(self.platform.db.reader()).await?),
            Moved::Backwards | Moved::NotASandbox => Err(ScheduleError::Clock(moved)),
        }
    }
}

async fn due(job: &dyn Job) -> Result<Option<Instant>, ScheduleError> {
    job.next_due().await.map_err(|source| ScheduleError::Job { job: job.name(), source })
}

async fn run(job: &dyn Job) -> Result<u32, ScheduleError> {
    job.run(LIMIT).await.map_err(|source| ScheduleError::Job { job: job.name(), source })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}
