//! Running what is due, in order (R1.7), each job on one replica at a time (R12.5).
//!
//! | who | when |
//! |---|---|
//! | [`Schedule::keep_running`] | every second, what is due by now |
//! | [`Schedule::advance`] | the sandbox: from due instant to due instant up to the target |
//!
//! Within a server the two take turns; between servers a lease decides. Shared jobs divide their work themselves:
//! they run on all servers at once, beside the others. A job that fails, or says it is
//! due and then does nothing, is left alone until its due instant changes: one stuck job stops neither the
//! clock nor the others.

use std::{collections::HashMap, sync::Arc, time::Duration};

use florin_platform::{
    Platform,
    clock::Moved,
    job::{Job, alone, under_lease},
};
use florin_settlement::Instant;
use futures::future::join_all;
use sea_orm::DbErr;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

const PAUSE: Duration = Duration::from_secs(1);
/// At most so many pieces of work in one run of a job.
const LIMIT: u32 = 500;
/// A run of a job on the way of the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRun {
    /// The job.
    pub job: &'static str,
    /// The instant it ran at.
    pub at: Instant,
    /// How much it did, unless it failed; why it failed is in the log.
    pub done: Option<u32>,
}

/// The schedule could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
    /// The clock is not ours to move.
    #[error("only a sandbox's clock can be moved")]
    NotASandbox,
    /// Another replica has been running the job for too long.
    #[error("another server is still running {0}")]
    Busy(&'static str),
}

/// The jobs of this server, in the order in which they run when due at the same instant.
#[derive(Clone)]
pub struct Schedule {
    platform: Platform,
    jobs: Vec<Arc<dyn Job>>,
    holder: String,
    turn: Arc<Mutex<()>>,
}

impl Schedule {
    /// A schedule of `jobs`, run in the name of replica `holder`, which no other replica shares.
    #[must_use]
    pub fn new(platform: Platform, jobs: Vec<Arc<dyn Job>>, holder: String) -> Self {
        Self { platform, jobs, holder, turn: Arc::default() }
    }

    /// Runs what is due every second until `stop`; a job that is running then is finished.
    pub async fn keep_running(&self, stop: &CancellationToken) {
        let shared = self.jobs.iter().filter(|job| job.is_shared());
        let shared = join_all(shared.map(|job| self.keep_sharing(job.as_ref(), stop)));
        tokio::join!(self.take_turns(stop), shared);
    }

    /// A shared job has no turn: it may go on for hours while the others have theirs.
    async fn keep_sharing(&self, job: &dyn Job, stop: &CancellationToken) {
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = pause.tick() => {}
            }
            while !stop.is_cancelled()
                && self.is_due(job).await
                && run(job).await.is_some_and(|done| done > 0)
            {}
        }
    }

    async fn is_due(&self, job: &dyn Job) -> bool {
        match self.platform.clock.now(self.platform.db.reader()).await {
            Ok(now) => due(job).await.is_some_and(|at| at <= now),
            Err(error) => {
                tracing::error!(job = job.name(), %error, "the job could not be run");
                false
            }
        }
    }

    async fn take_turns(&self, stop: &CancellationToken) {
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = pause.tick() => {}
            }
            for job in self.jobs.iter().filter(|job| !job.is_shared()) {
                if stop.is_cancelled() {
                    return;
                }
                if let Err(error) = self.run_if_due(job.as_ref()).await {
                    tracing::error!(job = job.name(), %error, "the job could not be run");
                }
            }
        }
    }

    async fn run_if_due(&self, job: &dyn Job) -> Result<(), ScheduleError> {
        let _turn = self.turn.lock().await;
        let now = self.platform.clock.now(self.platform.db.reader()).await?;
        while due(job).await.is_some_and(|at| at <= now) {
            let done = under_lease(&self.platform, job.name(), &self.holder, run(job)).await?;
            if done.flatten() != Some(LIMIT) {
                break;
            }
        }
        Ok(())
    }

    /// Moves the sandbox clock to `target` and runs everything that becomes due on the way, in order.
    pub async fn advance(&self, target: Instant) -> Result<Vec<JobRun>, ScheduleError> {
        let _turn = self.turn.lock().await;
        let mut runs = Vec::new();
        let mut stuck: HashMap<&'static str, Instant> = HashMap::new();
        while let Some((at, job)) = self.next(target, &stuck).await {
            let now = self.move_to(at).await?;
            let done = self.run_alone(job).await?;
            if done.is_none_or(|done| done == 0) {
                stuck.insert(job.name(), at);
            }
            if done != Some(0) {
                runs.push(JobRun { job: job.name(), at: now, done });
            }
        }
        self.move_to(target).await?;
        Ok(runs)
    }

    /// The job that is due first, up to `target`, and when.
    async fn next(
        &self,
        target: Instant,
        stuck: &HashMap<&'static str, Instant>,
    ) -> Option<(Instant, &dyn Job)> {
        let mut next: Option<(Instant, &dyn Job)> = None;
        for job in &self.jobs {
            let Some(at) = due(job.as_ref()).await.filter(|at| *at <= target) else { continue };
            let is_stuck = stuck.get(job.name()) == Some(&at);
            if !is_stuck && next.is_none_or(|(earliest, _)| at < earliest) {
                next = Some((at, job.as_ref()));
            }
        }
        next
    }

    /// Runs `job` under its lease, waiting for another replica that runs it just now; a shared one has none.
    async fn run_alone(&self, job: &dyn Job) -> Result<Option<u32>, ScheduleError> {
        if job.is_shared() {
            return Ok(run(job).await);
        }
        let ran = alone(&self.platform, job.name(), &self.holder, || run(job)).await?;
        ran.ok_or(ScheduleError::Busy(job.name()))
    }

    /// Moves the clock to `at`, unless it is past it already; the present instant then.
    async fn move_to(&self, at: Instant) -> Result<Instant, ScheduleError> {
        let clock = self.platform.clock;
        let moved =
            self.platform.db.write::<_, DbErr, _>(|tx| async move { clock.move_to(&tx, at).await }).await?;
        match moved {
            Moved::Done | Moved::Passed => Ok(clock.now(self.platform.db.reader()).await?),
            Moved::NotASandbox => Err(ScheduleError::NotASandbox),
        }
    }
}

/// When `job` is due; one that cannot tell is not.
async fn due(job: &dyn Job) -> Option<Instant> {
    match job.next_due().await {
        Ok(at) => at,
        Err(error) => {
            tracing::error!(
                job = job.name(),
                error = chain(error.as_ref()),
                "the job cannot tell when it is due"
            );
            None
        }
    }
}

/// Runs `job` once; how much it did, or nothing if it failed.
async fn run(job: &dyn Job) -> Option<u32> {
    match job.run(LIMIT).await {
        Ok(done) => {
            tracing::debug!(job = job.name(), done, "the job ran");
            Some(done)
        }
        Err(error) => {
            tracing::error!(job = job.name(), error = chain(error.as_ref()), "the job failed");
            None
        }
    }
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
