//! One test run: the cluster around a command.
//!
//! | when | then |
//! |---|---|
//! | the command ends | stop the cluster, report the backends, pass on the exit code |
//! | SIGINT or SIGTERM | pass it to the command's whole process group, give it ten seconds, then kill it; stop the cluster |
//! | a required backend was left out | exit code 1, whatever the command said |

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{fmt, fs, io};

use rustix::process::{Pid, Signal};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::Backend;
use crate::cluster::{Cluster, ClusterError, Disk};
use crate::exercised::{self, Exercised};
use crate::leftovers;
use crate::postgres::URL_VARIABLE;
use crate::programs::{Programs, ProgramsError, Source};

/// How long an interrupted command may tidy up before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// What to run, and what is demanded of it.
#[derive(Debug)]
pub struct Run {
    /// Where PostgreSQL's programs may come from.
    pub source: Source,
    /// Which backends the command must have used.
    pub demand: Demand,
    /// What PostgreSQL's commits wait for.
    pub disk: Disk,
    /// The command and its arguments.
    pub command: Vec<OsString>,
}

/// Which backends a run must have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Any: the command is a part of the tests.
    None,
    /// Every one: the command is the whole of the tests.
    Both,
}

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    command_code: u8,
    exercised: Exercised,
    missed: Vec<Backend>,
}

/// Why a run could not take place.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no PostgreSQL.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// There is no cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// SQLite does not answer.
    #[error("sqlite does not answer")]
    Sqlite(#[source] sea_orm::DbErr),
    /// The command, its log or its signals failed.
    #[error("cannot run {what}")]
    Command {
        /// What was attempted.
        what: String,
        /// Why it failed.
        #[source]
        cause: io::Error,
    },
}

impl Run {
    /// Starts the cluster, calls `announce` with one line about the backends, runs the command, stops the
    /// cluster.
    ///
    /// # Errors
    /// When the cluster or the command cannot be started. A command that fails is a [`Report`].
    pub async fn perform(self, announce: impl FnOnce(&str)) -> Result<Report, RunError> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |cause| RunError::Command { what, cause }
        };
        let programs = Programs::find(self.source)?;
        let mut interrupted = Interrupted::watch().map_err(failed("the signal handlers"))?;
        leftovers::remove(&std::env::temp_dir());
        let scratch = scratch_folder().map_err(failed("the scratch folder"))?;
        let log = scratch.path().join("backends.log");
        let cluster = tokio::select! {
            cluster = Cluster::start(&programs, &self.disk) => cluster?,
            caught = interrupted.next() => return Ok(Report::interrupted(caught)),
        };
        announce(&format!(
            "backends: SQLite {} (bundled), PostgreSQL {} on 127.0.0.1:{}",
            sqlite_version().await.map_err(RunError::Sqlite)?,
            programs.version(),
            cluster.port(),
        ));
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| failed("nothing")(io::ErrorKind::InvalidInput.into()))?;
        let status = async {
            let mut command = Command::new(program)
                .args(arguments)
                .env(URL_VARIABLE, cluster.url())
                .env(exercised::LOG_VARIABLE, &log)
                .env("TMPDIR", scratch.path())
                .stdin(Stdio::null())
                .process_group(0)
                .spawn()?;
            interrupted.or_finished(&mut command).await
        };
        let status = status.await.map_err(failed(&program.to_string_lossy()));
        cluster.stop().await;
        let exercised = Exercised::read(&log).map_err(failed("the log"))?;
        let missed = match self.demand {
            Demand::None => Vec::new(),
            Demand::Both => exercised.left_out(),
        };
        Ok(Report { command_code: code(status?), exercised, missed })
    }
}

impl Report {
    /// The exit code of the whole run.
    #[must_use]
    pub fn code(&self) -> u8 {
        if self.command_code == 0 && !self.missed.is_empty() { 1 } else { self.command_code }
    }

    fn interrupted(caught: Signal) -> Report {
        let command_code = signal_code(caught.as_raw());
        Report { command_code, exercised: Exercised::count(""), missed: Vec::new() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exercised.fmt(f)?;
        for backend in &self.missed {
            write!(f, "\nerror: no test ran on {backend}: a run that leaves a backend out has failed")?;
        }
        Ok(())
    }
}

/// Where the command keeps its temporary files, so that they go with the run even if it is killed. A server
/// started by a test as another user must be able to pass through.
fn scratch_folder() -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(leftovers::SCRATCH_PREFIX).tempdir()?;
    leftovers::sign(folder.path())?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
    Ok(folder)
}

/// SIGINT and SIGTERM, watched for.
struct Interrupted {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupted {
    fn watch() -> io::Result<Interrupted> {
        Ok(Interrupted {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
        }
    }

    /// Waits for the command; on a signal, ends its whole group: cargo's test binaries are grandchildren.
    async fn or_finished(&mut self, command: &mut Child) -> io::Result<ExitStatus> {
        let group = command.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let caught = tokio::select! {
            status = command.wait() => return status,
            caught = self.next() => caught,
        };
        let end = |signal| {
            if let Some(group) = group {
                // A group that is already gone is what was asked for.
                let _ = rustix::process::kill_process_group(group, signal);
            }
        };
        end(caught);
        let ended = tokio::time::timeout(GRACE, command.wait()).await;
        end(Signal::KILL);
        match ended {
            Ok(status) => status,
            Err(_) => command.wait().await,
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1),
        (None, Some(signal)) => signal_code(signal),
        (None, None) => 1,
    }
}

/// A shell's code for a process ended by a signal.
fn signal_code(signal: i32) -> u8 {
    u8::try_from(signal.saturating_add(128)).unwrap_or(1)
}

async fn sqlite_version() -> Result<String, sea_orm::DbErr> {
    let connection = Database::connect("sqlite::memory:").await?;
    let query = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version()");
    let row = connection.query_one_raw(query).await?;
    row.ok_or(sea_orm::DbErr::RecordNotFound("sqlite_version()".to_owned()))?.try_get_by_index(0)
}
