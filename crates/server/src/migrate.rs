//! Bringing the schema up to date, one process at a time.

use std::fs::File;

use florin_migrations::{Migrator, MigratorTrait};
use florin_platform::db::Db;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};

use crate::cli::CliError;

/// Any number will do, as long as every Florin uses the same.
const LOCK: i64 = 4_601_201_904;

/// Runs every step that has not run yet. Several processes may try at once; they wait for each other: by an
/// advisory lock on PostgreSQL, by a lock on a file beside the database on SQLite.
pub async fn migrate(url: &str) -> Result<(), CliError> {
    let Some(path) = url.strip_prefix("sqlite://") else { return migrate_postgres(url).await };
    let path = path.split('?').next().unwrap_or(path);
    let beside = format!("{path}.migrate");
    let lock = tokio::task::spawn_blocking(move || {
        let file = File::create(beside)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    });
    let _held = lock.await??;
    let db = Db::connect(url).await?;
    Migrator::up(db.migrator(), None).await?;
    Ok(())
}

async fn migrate_postgres(url: &str) -> Result<(), CliError> {
    // One connection: the advisory lock belongs to the session the steps run in.
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).min_connections(1);
    let connection = Database::connect(options).await?;
    connection.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})")).await?;
    let migrated = Migrator::up(&connection, None).await;
    connection.execute_unprepared(&format!("SELECT pg_advisory_unlock({LOCK})")).await?;
    Ok(migrated?)
}
