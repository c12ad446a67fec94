//! Argon2 off the async threads, and never more of it at once than there are processors: each run takes
//! 19 MiB.

use std::{
    num::NonZero,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::domain::password::HashError;

static PERMITS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(available_parallelism().map_or(1, NonZero::get))));

/// Runs `work` on a thread of its own as soon as there is room. The permit goes with it: a caller who
/// gives up makes no room before the work has ended.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HashError> {
    let permit = Arc::clone(&PERMITS).acquire_owned().await.map_err(HashError::of)?;
    let working = spawn_blocking(move || {
        let _held = permit;
        work()
    });
    working.await.map_err(HashError::of)
}
