//! SQLite databases: one file per test, copied from a template migrated once per process.

use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::schema;

/// The migrated database file, byte by byte. Held in memory: a static is never dropped, so a template on
/// disk would outlive the run.
static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();

/// Makes a database in a folder of its own and returns its URL with the folder that holds it.
pub(crate) async fn migrated() -> (String, TempDir) {
    let template = TEMPLATE.get_or_init(build_template).await;
    let folder = scratch_folder();
    let file = folder.path().join("florin.db");
    tokio::fs::write(&file, template).await.expect("a temporary folder can be written");
    (url(&file), folder)
}

/// The same, without any table.
pub(crate) fn empty() -> (String, TempDir) {
    let folder = scratch_folder();
    (url(&folder.path().join("florin.db")), folder)
}

/// A copy of the database at `original`, in a folder of its own; also of what is still in its log.
pub(crate) async fn copy(original: &str) -> (String, TempDir) {
    let folder = scratch_folder();
    let file = folder.path().join("florin.db");
    let mut options = ConnectOptions::new(original);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.expect("SQLite opens the original");
    let copied = connection.execute_unprepared(&format!("VACUUM INTO '{}'", file.display())).await;
    copied.unwrap_or_else(|error| panic!("SQLite makes no copy: {error}"));
    connection.close().await.expect("SQLite closes the original");
    (url(&file), folder)
}

async fn build_template() -> Vec<u8> {
    let (url, folder) = empty();
    // One connection, closed before the file is read: everything is then in that one file.
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.expect("SQLite opens a new file");
    schema::apply(&connection).await.unwrap_or_else(|error| panic!("migrations fail on SQLite: {error}"));
    connection.close().await.expect("SQLite closes its file");
    std::fs::read(folder.path().join("florin.db")).expect("the migrated file can be read")
}

fn scratch_folder() -> TempDir {
    tempfile::Builder::new().prefix("florin-sqlite-").tempdir().expect("a temporary folder can be made")
}

fn url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}
