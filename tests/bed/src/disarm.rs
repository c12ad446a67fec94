//! What a test that plants a corruption needs: a database that lets it.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// Takes guards and foreign keys off for the rest of the transaction that `connection` is in, which has to be rolled
/// back.
///
/// # Errors
/// The database's.
pub async fn disarm(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    if backend == DbBackend::Postgres {
        connection.execute_unprepared("SET LOCAL session_replication_role = replica").await?;
        return Ok(());
    }
    connection.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
    let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger'";
    for row in connection.query_all_raw(Statement::from_string(backend, triggers)).await? {
        let name: String = row.try_get_by_index(0)?;
        connection.execute_unprepared(&format!("DROP TRIGGER {name}")).await?;
    }
    Ok(())
}
