//! What every test relies on: a migrated database of its own, on both backends.

use florin_testbed::{Backend, TestDatabase, on_both_backends};
use sea_orm::{ConnectionTrait, DbErr};

on_both_backends! {
    async fn a_test_database_is_migrated(db: TestDatabase) -> Result<(), DbErr> {
        let connection = db.connect().await;
        let applied = connection.query_all_raw(statement(db.backend(), "SELECT version FROM seaql_migrations")).await?;
        let expected = <florin_migrations::Migrator as sea_orm_migration::MigratorTrait>::migrations().len();
        assert_eq!(applied.len(), expected);
        Ok(())
    }

    async fn two_test_databases_share_no_row(db: TestDatabase) -> Result<(), DbErr> {
        let other = TestDatabase::create(db.backend()).await;
        let (here, there) = (db.connect().await, other.connect().await);
        here.execute_unprepared("CREATE TABLE only_here (id bigint)").await?;
        let seen = there.execute_unprepared("SELECT id FROM only_here").await;
        assert!(seen.is_err(), "a table of {} is seen in {}", db.url(), other.url());
        Ok(())
    }

    async fn a_copy_has_every_row_and_shares_none(db: TestDatabase) -> Result<(), DbErr> {
        let connection = db.connect().await;
        connection.execute_unprepared("CREATE TABLE copied (id bigint)").await?;
        connection.execute_unprepared("INSERT INTO copied VALUES (1)").await?;
        connection.close().await?;
        let copied = db.copy().await;
        let copy = copied.connect().await;
        let count = async |connection: &sea_orm::DatabaseConnection| {
            let rows = connection.query_all_raw(statement(db.backend(), "SELECT id FROM copied")).await;
            rows.map(|rows| rows.len())
        };
        assert_eq!(count(&copy).await?, 1);
        copy.execute_unprepared("INSERT INTO copied VALUES (2)").await?;
        assert_eq!((count(&copy).await?, count(&db.connect().await).await?), (2, 1));
        Ok(())
    }

    async fn an_empty_database_has_no_table(db: TestDatabase) -> Result<(), DbErr> {
        let empty = TestDatabase::create_empty(db.backend()).await;
        let query = match db.backend() {
            Backend::Sqlite => "SELECT name FROM sqlite_master",
            Backend::Postgres => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        };
        let tables = empty.connect().await.query_all_raw(statement(db.backend(), query)).await?;
        assert!(tables.is_empty());
        Ok(())
    }
}

fn statement(backend: Backend, query: &str) -> sea_orm::Statement {
    let backend = match backend {
        Backend::Sqlite => sea_orm::DbBackend::Sqlite,
        Backend::Postgres => sea_orm::DbBackend::Postgres,
    };
    sea_orm::Statement::from_string(backend, query)
}

#[tokio::test]
async fn a_dropped_postgres_database_is_gone() -> Result<(), DbErr> {
    let kept = TestDatabase::create_empty(Backend::Postgres).await;
    let dropped = TestDatabase::create_empty(Backend::Postgres).await;
    let name = dropped.url().rsplit('/').next().expect("a URL names its database").to_owned();
    let open_elsewhere = dropped.connect().await;
    drop(dropped);
    let query = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    let found = kept.connect().await.query_all_raw(statement(Backend::Postgres, &query)).await?;
    assert!(found.is_empty(), "{name} is still there");
    drop(open_elsewhere);
    Ok(())
}
