//! A PostgreSQL server that lives in a temporary folder.
//!
//! Made by `initdb`, reachable on 127.0.0.1 at a port the system chose, without a password for the time it
//! lives, without unix sockets. The server refuses to run as root: root starts it as the user `postgres`, on
//! a folder that user owns.
//!
//! | setting | why |
//! |---|---|
//! | `fsync=off`, `full_page_writes=off` | the machine's power is not cut in a test; a killed process still loses nothing. Left on where what a commit costs is measured: [`Disk::Through`] |
//! | `synchronous_commit=on` | kept: a killed server must not lose what it acknowledged (R12.3) |
//! | `max_connections=300` | many tests at once, each with pools |
//! | `--locale=C` | text is ordered by bytes, as SQLite does |

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::{Pid, Signal};
use sea_orm::{ConnectOptions, Database, DbErr};
use tempfile::TempDir;
use tokio::process::Child;

use crate::leftovers;
use crate::programs::Programs;

/// The superuser `initdb` makes.
const SUPERUSER: &str = "florin";

/// Between choosing a free port and listening on it, another process may take it.
const STARTS_MAX: u32 = 5;

/// How long a server may take until it answers, and until it is gone.
const PATIENCE: Duration = Duration::from_secs(60);

const SETTINGS: [&str; 10] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "synchronous_commit=on",
    "max_connections=300",
    "max_locks_per_transaction=256",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "max_parallel_workers_per_gather=0",
    "jit=off",
    "timezone=UTC",
];

/// What a commit waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// Nothing: for tests, which outlive no power cut.
    Careless,
    /// The disk, as the library at this path makes it seem to the server: for benchmarks of what that costs.
    Through(PathBuf),
}

impl Disk {
    const fn settings(&self) -> &'static [&'static str] {
        match self {
            Self::Careless => &["fsync=off", "full_page_writes=off"],
            Self::Through(_) => &[],
        }
    }
}

/// A running server, stopped and removed when the value is dropped.
#[derive(Debug)]
pub struct Cluster {
    server: Child,
    port: u16,
    // Declared last: the folder goes after the server.
    _folder: TempDir,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The folder or a process could not be made.
    #[error("cannot prepare the server at {}", path.display())]
    Prepare {
        /// What could not be made or run.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// As root there is no user to run the server as.
    #[error("root may not run PostgreSQL, and there is neither a user `postgres` nor a user `nobody`")]
    NoUser,
    /// `initdb` failed.
    #[error("initdb failed:\n{output}")]
    InitDb {
        /// All it printed.
        output: String,
    },
    /// The server does not answer.
    #[error("the server did not start:\n{log}")]
    Start {
        /// The server's own log.
        log: String,
    },
}

/// Whom the server runs as; `None` is whoever runs the tests.
type Owner = Option<(u32, u32)>;

impl Cluster {
    /// Makes a cluster and waits until it answers.
    ///
    /// # Errors
    /// When the folder cannot be made, or `initdb` or the server fails: the error carries their output.
    pub async fn start(programs: &Programs, disk: &Disk) -> Result<Cluster, ClusterError> {
        let owner = owner()?;
        let folder = tempfile::Builder::new()
            .prefix(leftovers::CLUSTER_PREFIX)
            .tempdir()
            .map_err(|cause| ClusterError::Prepare { path: std::env::temp_dir(), cause })?;
        leftovers::sign(folder.path()).map_err(|cause| prepare(folder.path(), cause))?;
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).map_err(|cause| prepare(folder.path(), cause))?;
        }
        init(programs, folder.path(), owner)?;
        Cluster::serve(programs, disk, folder, owner).await
    }

    /// The URL of the server's maintenance database.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server at once and removes its folder.
    pub async fn stop(mut self) {
        // Without a checkpoint: nobody will read these files again.
        signal(&self.server, Signal::QUIT);
        if tokio::time::timeout(PATIENCE, self.server.wait()).await.is_err() {
            drop(self.server.kill().await);
        }
    }

    async fn serve(
        programs: &Programs,
        disk: &Disk,
        folder: TempDir,
        owner: Owner,
    ) -> Result<Cluster, ClusterError> {
        let log_file = folder.path().join("server.log");
        for _ in 0..STARTS_MAX {
            let port = free_port().map_err(|cause| prepare(folder.path(), cause))?;
            let log = fs::File::create(&log_file).map_err(|cause| prepare(&log_file, cause))?;
            let mut command = as_owner(&programs.program("postgres"), folder.path(), owner);
            command.arg("-D").arg(folder.path().join("data")).args(["-p", &port.to_string()]);
            for setting in SETTINGS.iter().chain(disk.settings()) {
                command.args(["-c", setting]);
            }
            if let Disk::Through(library) = disk {
                command.env("LD_PRELOAD", library);
            }
            // Its own group: a Ctrl-C in the terminal must reach the tests, not the server under them.
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            let mut server = tokio::process::Command::from(command)
                .kill_on_drop(true)
                .spawn()
                .map_err(|cause| prepare(&programs.program("postgres"), cause))?;
            if answers(&mut server, port).await {
                return Ok(Cluster { server, port, _folder: folder });
            }
            drop(server.kill().await);
            if !fs::read_to_string(&log_file).unwrap_or_default().contains("could not bind") {
                break;
            }
        }
        Err(ClusterError::Start { log: fs::read_to_string(&log_file).unwrap_or_default() })
    }
}

fn init(programs: &Programs, folder: &Path, owner: Owner) -> Result<(), ClusterError> {
    let program = programs.program("initdb");
    let output = as_owner(&program, folder, owner)
        .args(["--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .arg("--pgdata")
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| prepare(&program, cause))?;
    if output.status.success() {
        return Ok(());
    }
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(ClusterError::InitDb { output: printed })
}

/// Waits until the server takes connections; `false` when it ended or never did.
async fn answers(server: &mut Child, port: u16) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if !matches!(server.try_wait(), Ok(None)) {
            return false;
        }
        if ping(port).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

async fn ping(port: u16) -> Result<(), DbErr> {
    let mut options = ConnectOptions::new(url(port));
    options.max_connections(1).connect_timeout(Duration::from_secs(1)).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    connection.ping().await?;
    connection.close().await
}

fn url(port: u16) -> String {
    format!("postgres://{SUPERUSER}@127.0.0.1:{port}/postgres")
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A program run as the cluster's owner, from a folder that owner may enter.
fn as_owner(program: &Path, folder: &Path, owner: Owner) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_remove("PGOPTIONS");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

fn owner() -> Result<Owner, ClusterError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let known = ["postgres", "nobody"].into_iter().find_map(|user| Some((id("-u", user)?, id("-g", user)?)));
    known.map(Some).ok_or(ClusterError::NoUser)
}

fn id(what: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([what, user]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn signal(server: &Child, signal: Signal) {
    let pid = server.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // A server that is already gone is what was asked for.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn prepare(path: &Path, cause: io::Error) -> ClusterError {
    ClusterError::Prepare { path: path.to_path_buf(), cause }
}
