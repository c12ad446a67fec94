//! The intake of measured usage: many senders, few transactions (R5.4).
//!
//! ```text
//! calls and streams ──► bounded queue ──► writers: take all that waits, one transaction, answer all
//! ```
//!
//! No timer: a writer that is free takes what is there, at once; while all are busy, what comes waits and goes
//! together. So a single event is as fast as a commit, and many single events share one.
//!
//! | bound | how |
//! |---|---|
//! | memory | at most [`IntakeLimits::waiting_max`] events wait or are written; a stream waits for room, which stops it being read; a call waits a moment and is then refused as overload |
//! | streams | at most [`IntakeLimits::streams_max`], each of which must send something in time |
//! | a transaction | at most [`GROUP_MAX`] events, or one batch |
//! | what was sent before | a group of which something was, against what was expected, is written a second time: see [`super::novelty`] |
//! | one bad batch | a group that fails is written batch by batch: each gets its own answer |

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use florin_platform::{Platform, db::Tx};
use sea_orm::DbBackend;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{
    ingest::{self, Batch, Foreseen, Group, Judge},
    lives::Lives,
    novelty::{Expected, Novelty},
};
use crate::{
    domain::metering::{Acceptance, BATCH_EVENTS_MAX, Verdict},
    error::Error,
};

/// How many events a transaction has, if more than one batch is in it.
const GROUP_MAX: usize = BATCH_EVENTS_MAX;
/// How long a call waits for room.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many writers there are at least: while one writes, another judges what comes next. More would only take
/// smaller groups, and commit more often.
const WRITERS_MIN: usize = 2;
/// And at most, on PostgreSQL and a machine with as many cores: writers of different accounts write side by side.
const WRITERS_MAX: usize = 4;

/// What senders may ask of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeLimits {
    /// How many events may wait and be written at once, over all senders; at least a batch, of 5000.
    pub waiting_max: usize,
    /// How many streams there may be at once.
    pub streams_max: usize,
    /// How long a stream waits for its next batch.
    pub stream_idle_max: Duration,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self { waiting_max: 50_000, streams_max: 64, stream_idle_max: Duration::from_secs(300) }
    }
}

/// Takes measured usage and records it.
#[derive(Clone, Debug)]
pub struct UsageIntake {
    queue: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    idle_max: Duration,
}

#[derive(Debug)]
struct Waiting {
    batch: Batch,
    answer: oneshot::Sender<Result<Vec<Verdict>, Error>>,
    _room: OwnedSemaphorePermit,
}

/// What a batch will be answered with.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Receiver<Result<Vec<Verdict>, Error>>);

impl Receipt {
    /// The verdicts, once they are durable.
    pub(crate) async fn verdicts(self) -> Result<Vec<Verdict>, Error> {
        self.0.await.unwrap_or(Err(Error::IntakeStopped))
    }
}

impl UsageIntake {
    /// An intake of what `platform` keeps; its writers live as long as it does.
    #[must_use]
    pub fn new(platform: &Platform, acceptance: Acceptance, limits: IntakeLimits) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let (lives, novelty) = (Lives::default(), Novelty::default());
        let judge = Judge { clock: platform.clock, acceptance, lives, novelty };
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let is_postgres = platform.db.backend() == DbBackend::Postgres;
        let writers = if is_postgres { cores.clamp(WRITERS_MIN, WRITERS_MAX) } else { WRITERS_MIN };
        for _ in 0..writers {
            let writer =
                Writer { platform: platform.clone(), judge: judge.clone(), waiting: Arc::clone(&waiting) };
            tokio::spawn(writer.keep_writing());
        }
        let room = Arc::new(Semaphore::new(limits.waiting_max.max(BATCH_EVENTS_MAX)));
        let streams = Arc::new(Semaphore::new(limits.streams_max));
        Self { queue, room, streams, idle_max: limits.stream_idle_max }
    }

    /// A place for one more stream, given back when it is dropped; none if there are as many as may be.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Error::IntakeFull)
    }

    /// How long a stream waits for its next batch.
    pub(crate) const fn idle_max(&self) -> Duration {
        self.idle_max
    }

    /// Puts a batch in the queue, as soon as there is room; for streams, which are slowed down by it.
    pub(crate) async fn put(&self, batch: Batch) -> Result<Receipt, Error> {
        let events = u32::try_from(batch.events.len()).map_err(|_| Error::IntakeFull)?;
        let room = Arc::clone(&self.room).acquire_many_owned(events).await;
        let room = room.map_err(|_| Error::IntakeStopped)?;
        let (answer, receipt) = oneshot::channel();
        let waiting = Waiting { batch, answer, _room: room };
        self.queue.send(waiting).map_err(|_| Error::IntakeStopped)?;
        Ok(Receipt(receipt))
    }

    /// Records a batch; refused when there is no room for a while.
    pub(crate) async fn record(&self, batch: Batch) -> Result<Vec<Verdict>, Error> {
        let put = tokio::time::timeout(PATIENCE, self.put(batch)).await;
        put.map_err(|_| Error::IntakeFull)??.verdicts().await
    }
}

struct Writer {
    platform: Platform,
    judge: Judge,
    waiting: Arc<Mutex<mpsc::UnboundedReceiver<Waiting>>>,
}

impl Writer {
    async fn keep_writing(self) {
        while let Some(group) = self.next_group().await {
            self.write(group).await;
        }
    }

    /// All that waits, up to a transaction's worth; none when nobody can put anything any more.
    async fn next_group(&self) -> Option<Vec<Waiting>> {
        let mut waiting = self.waiting.lock().await;
        let first = waiting.recv().await?;
        let mut events = first.batch.events.len();
        let mut group = vec![first];
        while events < GROUP_MAX
            && let Ok(next) = waiting.try_recv()
        {
            events += next.batch.events.len();
            group.push(next);
        }
        Some(group)
    }

    async fn write(&self, group: Vec<Waiting>) {
        let batches: Vec<&Batch> = group.iter().map(|waiting| &waiting.batch).collect();
        match self.record(&batches).await {
            Ok(verdicts) => {
                for (waiting, verdicts) in group.into_iter().zip(verdicts) {
                    answer(waiting, Ok(verdicts));
                }
            }
            Err(error) => self.write_alone(group, error).await,
        }
    }

    /// A group that failed, batch by batch; a batch that was alone has failed.
    async fn write_alone(&self, mut group: Vec<Waiting>, error: Error) {
        if group.len() == 1 {
            if let Some(waiting) = group.pop() {
                answer(waiting, Err(error));
            }
            return;
        }
        tracing::warn!(%error, batches = group.len(), "a group of usage batches is written one by one");
        for waiting in group {
            let alone = self.record(&[&waiting.batch]).await;
            answer(waiting, alone.map(|mut verdicts| verdicts.pop().unwrap_or_default()));
        }
    }

    async fn record(&self, batches: &[&Batch]) -> Result<Vec<Vec<Verdict>>, Error> {
        let Self { platform, judge, .. } = self;
        let group = &Group::of(batches);
        let now = platform.clock.now(platform.db.reader()).await?;
        let foreseen = group.foresee(judge, now)?;
        if judge.novelty.next() == Expected::New {
            match self.record_as(Expected::New, group, foreseen.as_ref()).await {
                Err(error) if error.is_known_already() => judge.novelty.disappointed(),
                done => return done,
            }
        }
        self.record_as(Expected::Anything, group, foreseen.as_ref()).await
    }

    async fn record_as(
        &self,
        expected: Expected,
        group: &Group<'_>,
        foreseen: Option<&Foreseen<'_>>,
    ) -> Result<Vec<Vec<Verdict>>, Error> {
        let work = |tx: Tx| async move { ingest::record(&tx, &self.judge, group, foreseen, expected).await };
        self.platform.db.write(work).await
    }
}

/// A sender that went away is not waited for; what it sent is recorded all the same.
fn answer(waiting: Waiting, verdicts: Result<Vec<Verdict>, Error>) {
    let _ = waiting.answer.send(verdicts);
}
