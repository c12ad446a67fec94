//! Watching billing runs: one look at the database for all watchers of a run, however many.
//!
//! | question | answer |
//! |---|---|
//! | who looks | a task per run that somebody watches, every [`LOOK_EVERY`], as long as anybody does |
//! | what a watcher that comes, or comes again, gets | how far the run is now, then every change |
//! | how many watchers | [`WATCHERS_MAX`] of this server |

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use florin_platform::Platform;
use futures::{Stream, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use super::run::found;
use crate::{
    domain::billing_run::{BillingRun, BillingRunId, RunState},
    error::Error,
};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Over how long the rate is taken.
const RATE_OVER: Duration = Duration::from_secs(10);
const WATCHERS_MAX: usize = 256;

/// How far a run is, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) run: BillingRun,
    /// How many projects a second it does; none until it was seen long enough.
    pub(crate) projects_per_second: Option<i64>,
}

impl Seen {
    /// Whether nothing more will be seen of it.
    fn is_last(&self) -> bool {
        match self.run.state {
            RunState::Running => false,
            RunState::Canceled { .. } | RunState::Completed { .. } => true,
        }
    }

    /// How long the rest will take at this rate, in seconds.
    pub(crate) fn remaining_seconds(&self) -> Option<i64> {
        let rate = self.projects_per_second.filter(|rate| *rate > 0)?;
        let left = self.run.project_count?.saturating_sub(self.run.done.total()).max(0);
        Some(left / rate)
    }
}

type Channel = watch::Sender<Seen>;

/// The watchers of this server.
#[derive(Clone, Debug)]
pub(crate) struct Watches {
    platform: Platform,
    places: Arc<Semaphore>,
    watched: Arc<Mutex<HashMap<BillingRunId, Weak<Channel>>>>,
}

impl Watches {
    pub(crate) fn new(platform: Platform) -> Self {
        Self { platform, places: Arc::new(Semaphore::new(WATCHERS_MAX)), watched: Arc::default() }
    }

    /// How far the run is, now and at every change; an error if it cannot be read any more.
    pub(crate) async fn watch(
        &self,
        id: BillingRunId,
    ) -> Result<impl Stream<Item = Result<Seen, Error>> + Send + 'static, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::TooManyWatchers)?;
        let watched = match self.known(id) {
            Some(watched) => watched,
            None => self.begin(id).await?,
        };
        Ok(stream::unfold(Some(Watcher { watched, is_new: true, _place: place }), Watcher::next))
    }

    fn known(&self, id: BillingRunId) -> Option<watch::Receiver<Seen>> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(&id).and_then(Weak::upgrade).map(|channel| channel.subscribe())
    }

    async fn begin(&self, id: BillingRunId) -> Result<watch::Receiver<Seen>, Error> {
        let run = found(self.platform.db.reader(), id).await?;
        let mut rate = Rate::default();
        rate.note(Instant::now(), run.done.total());
        let (channel, watcher) = watch::channel(Seen { run, projects_per_second: None });
        let channel = Arc::new(channel);
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, channel| channel.strong_count() > 0);
        watched.insert(id, Arc::downgrade(&channel));
        tokio::spawn(look(self.clone(), id, channel, rate));
        Ok(watcher)
    }

    /// Whether nobody watches any more; then nobody comes to this channel any more either.
    fn is_left(&self, id: BillingRunId, channel: &Channel) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let is_left = channel.receiver_count() == 0;
        if is_left {
            watched.remove(&id);
        }
        is_left
    }
}

/// Looks at a run until it is over, nobody watches, or it cannot be read.
async fn look(watches: Watches, id: BillingRunId, channel: Arc<Channel>, mut rate: Rate) {
    while !channel.borrow().is_last() {
        tokio::time::sleep(LOOK_EVERY).await;
        if watches.is_left(id, &channel) {
            return;
        }
        let run = match found(watches.platform.db.reader(), id).await {
            Ok(run) => run,
            Err(error) => {
                tracing::warn!(run = %id, error = &error as &dyn std::error::Error, "a run cannot be watched");
                return;
            }
        };
        let projects_per_second = rate.note(Instant::now(), run.done.total());
        let seen = Seen { run, projects_per_second };
        channel.send_if_modified(|last| std::mem::replace(last, seen.clone()) != seen);
    }
}

struct Watcher {
    watched: watch::Receiver<Seen>,
    is_new: bool,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// What is to be told next; nothing after the last.
    async fn next(watcher: Option<Self>) -> Option<(Result<Seen, Error>, Option<Self>)> {
        let mut watcher = watcher?;
        if !watcher.is_new && watcher.watched.changed().await.is_err() {
            return Some((Err(Error::Unwatchable), None));
        }
        watcher.is_new = false;
        let seen = watcher.watched.borrow_and_update().clone();
        let rest = if seen.is_last() { None } else { Some(watcher) };
        Some((Ok(seen), rest))
    }
}

/// How fast a count rises, by what was seen of it lately.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, i64)>);

impl Rate {
    /// Notes what the count is `now`; how much it rises in a second.
    fn note(&mut self, now: Instant, count: i64) -> Option<i64> {
        self.0.push_back((now, count));
        // Two are kept however old the first is: one alone says nothing.
        while self.0.len() > 2 && self.0.front().is_some_and(|(at, _)| now.duration_since(*at) > RATE_OVER) {
            self.0.pop_front();
        }
        let (first, before) = self.0.front()?;
        let millis = i64::try_from(now.duration_since(*first).as_millis()).ok()?;
        (millis >= 1000).then(|| count.saturating_sub(*before).max(0).saturating_mul(1000) / millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut rate = Rate::default();
        assert_eq!(rate.note(begun, 0), None);
        assert_eq!(rate.note(after(2), 1000), Some(500));
        rate.note(after(22), 1000);
        assert_eq!(rate.note(after(27), 6000), Some(1000));
    }
}
