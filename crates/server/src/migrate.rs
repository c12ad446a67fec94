//! Bringing the schema up to date, one process at a time.

use florin_migrations::{Migrator, MigratorTrait};
use florin_platform::db::Db;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbErr};

/// Any number will do, as long as every Florin uses the same.
const LOCK: i64 = 4_601_201_904;

/// Runs every step that has not run yet. Several processes may try at once: on PostgreSQL they wait for
/// each other, SQLite has one writer.
pub async fn migrate(url: &str) -> Result<(), DbErr> {
    if url.starts_with("sqlite:") {
        let db = Db::connect(url).await?;
        return Migrator::up(db.migrator(), None).await;
    }
    // One connection: the advisory lock belongs to the session the steps run in.
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).min_connections(1);
    let connection = Database::connect(options).await?;
    connection.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})")).await?;
    let migrated = Migrator::up(&connection, None).await;
    connection.execute_unprepared(&format!("SELECT pg_advisory_unlock({LOCK})")).await?;
    migrated
}
