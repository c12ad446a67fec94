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
//! | memory | at most [`WAITING_MAX`] events wait or are written; a stream waits for room, which stops it being read; a call waits a moment and is then refused as overload |
//! | a transaction | at most [`GROUP_MAX`] events, or one batch |
//! | one bad batch | a group that fails is written batch by batch: each gets its own answer |

use std::{sync::Arc, time::Duration};

use florin_platform::{Platform, db::Tx};
use sea_orm::DbBackend;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::ingest::{self, Batch};
use crate::{
    domain::metering::{Acceptance, BATCH_EVENTS_MAX, Verdict},
    error::Error,
};

/// How many events may wait and be written at once, over all senders.
const WAITING_MAX: usize = 50_000;
/// How many events a transaction has, if more than one batch is in it.
const GROUP_MAX: usize = BATCH_EVENTS_MAX;
/// How long a call waits for room.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many writers there are on PostgreSQL; SQLite has one writer.
const WRITERS: usize = 4;

/// Takes measured usage and records it.
#[derive(Clone, Debug)]
pub struct UsageIntake {
    queue: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
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
    pub fn new(platform: &Platform, acceptance: Acceptance) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let writers = if platform.db.backend() == DbBackend::Postgres { WRITERS } else { 1 };
        for _ in 0..writers {
            let writer = Writer { platform: platform.clone(), acceptance, waiting: Arc::clone(&waiting) };
            tokio::spawn(writer.keep_writing());
        }
        Self { queue, room: Arc::new(Semaphore::new(WAITING_MAX)) }
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
    acceptance: Acceptance,
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
        let (clock, acceptance) = (self.platform.clock, self.acceptance);
        let work = |tx: Tx| async move {
            let now = clock.now(&tx).await?;
            ingest::record(&tx, now, acceptance, batches).await
        };
        self.platform.db.write(work).await
    }
}

/// A sender that went away is not waited for; what it sent is recorded all the same.
fn answer(waiting: Waiting, verdicts: Result<Vec<Verdict>, Error>) {
    let _ = waiting.answer.send(verdicts);
}
