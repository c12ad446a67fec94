//! Which backends a run really used.
//!
//! Each test database made appends one line to the file named by [`LOG_VARIABLE`]; after the run the test
//! bed counts the lines. A run that was meant to meet both backends and met one has failed, however green
//! its tests are.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::Backend;

/// Names the file each test database is noted in.
pub const LOG_VARIABLE: &str = "FLORIN_TEST_BACKENDS_LOG";

/// Notes that one test database of `backend` was made. Does nothing outside a run of the test bed.
pub(crate) fn note(backend: Backend) {
    let Some(path) = std::env::var_os(LOG_VARIABLE) else { return };
    // One short append is atomic, so parallel test processes need no lock.
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut log| log.write_all(format!("{backend}\n").as_bytes()))
        .unwrap_or_else(|error| panic!("cannot note the backend in {}: {error}", Path::new(&path).display()));
}

/// How many test databases a run made on each backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exercised {
    counts: [(Backend, usize); Backend::ALL.len()],
}

impl Exercised {
    /// Counts a finished run's log. A missing file counts as a run without databases.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn read(log: &Path) -> io::Result<Exercised> {
        match std::fs::read_to_string(log) {
            Ok(text) => Ok(Exercised::count(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Exercised::count("")),
            Err(error) => Err(error),
        }
    }

    /// Counts the lines of a log's text.
    #[must_use]
    pub fn count(text: &str) -> Exercised {
        let of = |backend: Backend| text.lines().filter(|line| *line == backend.name()).count();
        Exercised { counts: Backend::ALL.map(|backend| (backend, of(backend))) }
    }

    /// The backends no test database was made on.
    #[must_use]
    pub fn left_out(&self) -> Vec<Backend> {
        self.counts.iter().filter(|(_, count)| *count == 0).map(|(backend, _)| *backend).collect()
    }
}

impl fmt::Display for Exercised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("backends exercised:")?;
        for (index, (backend, count)) in self.counts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {backend} {count} test databases")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_without_a_single_database_is_left_out() {
        assert_eq!(Exercised::count("sqlite\nsqlite\n").left_out(), [Backend::Postgres]);
        assert_eq!(Exercised::count("postgres\n").left_out(), [Backend::Sqlite]);
        assert_eq!(Exercised::count("postgres\nsqlite\n").left_out(), []);
    }

    #[test]
    fn the_report_names_every_backend_with_its_count() {
        let report = Exercised::count("sqlite\npostgres\nsqlite\n").to_string();
        assert_eq!(report, "backends exercised: sqlite 2 test databases, postgres 1 test databases");
    }
}
