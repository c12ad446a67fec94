//! The two databases Florin supports.

use std::fmt;

/// A database Florin runs on (R14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// Embedded, one file, one writer.
    Sqlite,
    /// PostgreSQL, 15 or later.
    Postgres,
}

impl Backend {
    /// Every backend, in the order reports list them.
    pub const ALL: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

    /// The name used in reports and in the log of exercised backends.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
