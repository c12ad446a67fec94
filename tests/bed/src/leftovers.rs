//! What runs leave that were killed before they could tidy up: clusters and scratch folders.
//!
//! Each folder names the process that made it. When that process is gone, the next run stops the
//! server and removes the folder. A process id may have been given to someone else meanwhile: a server is
//! stopped only if its command line names the folder.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

/// Before the random part of a cluster's folder.
pub(crate) const CLUSTER_PREFIX: &str = "florin-postgres-";

/// Before the random part of a run's scratch folder.
pub(crate) const SCRATCH_PREFIX: &str = "florin-run-";

const MAKER: &str = "made-by";

/// Writes down that this process made `folder`.
pub(crate) fn sign(folder: &Path) -> std::io::Result<()> {
    fs::write(folder.join(MAKER), std::process::id().to_string())
}

/// Removes what dead runs left in `place`. What cannot be read or removed is someone else's.
pub(crate) fn remove(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let folder = entry.path();
        let name = entry.file_name();
        let is_ours =
            [CLUSTER_PREFIX, SCRATCH_PREFIX].iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
        if !is_ours || !first_line_pid(&folder.join(MAKER)).is_some_and(is_gone) {
            continue;
        }
        if let Some(server) = first_line_pid(&folder.join("data/postmaster.pid"))
            && serves(server, &folder)
        {
            let _ = rustix::process::kill_process(server, Signal::QUIT);
        }
        let _ = fs::remove_dir_all(&folder);
    }
}

fn first_line_pid(file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(file).ok()?;
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

fn is_gone(maker: Pid) -> bool {
    rustix::process::test_kill_process(maker) == Err(Errno::SRCH)
}

fn serves(server: Pid, folder: &Path) -> bool {
    let line = fs::read(format!("/proc/{}/cmdline", server.as_raw_nonzero())).unwrap_or_default();
    String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy())
}
