//! One test's database.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use tempfile::TempDir;

use crate::{Backend, exercised, postgres, sqlite};

/// A database of one test's own, gone when the value is dropped.
///
/// ```
/// # use florin_testbed::{Backend, TestDatabase};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let database = TestDatabase::create(Backend::Sqlite).await;
/// assert!(database.url().starts_with("sqlite://"));
/// # });
/// ```
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    backend: Backend,
    place: Place,
}

/// What has to be taken away at the end.
#[derive(Debug)]
enum Place {
    Folder { _folder: TempDir },
    Server { name: String },
}

impl TestDatabase {
    /// Makes a database with every migration applied, copied from a template.
    ///
    /// # Panics
    /// When it cannot be made; on PostgreSQL also when no server is named.
    pub async fn create(backend: Backend) -> TestDatabase {
        match backend {
            Backend::Sqlite => TestDatabase::in_folder(sqlite::migrated().await),
            Backend::Postgres => TestDatabase::on_server(postgres::migrated().await),
        }
    }

    /// Makes a database without any table: for tests of the migrations themselves.
    ///
    /// # Panics
    /// As [`TestDatabase::create`].
    pub async fn create_empty(backend: Backend) -> TestDatabase {
        match backend {
            Backend::Sqlite => TestDatabase::in_folder(sqlite::empty()),
            Backend::Postgres => TestDatabase::on_server(postgres::empty().await),
        }
    }

    /// Makes another database with everything that is committed in this one. Nobody may be writing; connections that
    /// are open are closed by the server.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn copy(&self) -> TestDatabase {
        match &self.place {
            Place::Folder { .. } => TestDatabase::in_folder(sqlite::copy(&self.url).await),
            Place::Server { name } => TestDatabase::on_server(postgres::copy(name).await),
        }
    }

    /// The URL that alone chooses the backend, as Florin's configuration takes it (R14.1).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The backend this database is of.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Opens a pool of four plain connections: for looking at rows beside the code under test, and for
    /// tests of migrations. The code under test opens its own, the way production does.
    ///
    /// # Panics
    /// When the database cannot be reached.
    pub async fn connect(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.url);
        options
            .max_connections(4)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| sqlite.busy_timeout(Duration::from_secs(5)));
        Database::connect(options)
            .await
            .unwrap_or_else(|error| panic!("cannot connect to {}: {error}", self.url))
    }

    fn in_folder((url, folder): (String, TempDir)) -> TestDatabase {
        exercised::note(Backend::Sqlite);
        TestDatabase { url, backend: Backend::Sqlite, place: Place::Folder { _folder: folder } }
    }

    fn on_server(name: String) -> TestDatabase {
        exercised::note(Backend::Postgres);
        TestDatabase { url: postgres::url(&name), backend: Backend::Postgres, place: Place::Server { name } }
    }
}

impl Drop for TestDatabase {
    /// Best effort: what stays goes with the cluster. A thread and a runtime of its own, because a drop
    /// cannot await and the test's runtime may be shutting down.
    fn drop(&mut self) {
        let Place::Server { name } = &self.place else { return };
        let name = name.clone();
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(postgres::remove(&name)).map_err(std::io::Error::other)
        });
        drop(removal.join());
    }
}
