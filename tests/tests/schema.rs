//! The migrations and what they make, on both backends.

use florin_migrations::{Migrator, MigratorTrait};
use florin_testbed::{Backend, TestDatabase, on_both_backends};
use florin_tests::schema::Schema;
use florin_tests::schema_rules::{self, Fault};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

async fn schema_of(database: &TestDatabase) -> Result<Schema, DbErr> {
    Schema::read(&database.connect().await, database.backend()).await
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

on_both_backends! {
    async fn every_table_keeps_the_data_rules(db: TestDatabase) -> Result<(), DbErr> {
        let schema = schema_of(&db).await?;
        assert!(!schema.tables.is_empty(), "the migrations make no table");
        let faults = schema_rules::check(&schema);
        assert!(faults.is_empty(), "{} faults on {}:\n{}", faults.len(), db.backend(), list(&faults));
        Ok(())
    }

    async fn every_exception_to_the_data_rules_is_a_table(db: TestDatabase) -> Result<(), DbErr> {
        let stale = schema_rules::stale_exceptions(&schema_of(&db).await?);
        assert!(stale.is_empty(), "{}", list(&stale));
        Ok(())
    }

    async fn migrations_one_by_one_make_the_fresh_schema(fresh: TestDatabase) -> Result<(), DbErr> {
        let stepwise = TestDatabase::create_empty(fresh.backend()).await;
        let connection = stepwise.connect().await;
        for _ in Migrator::migrations() {
            Migrator::up(&connection, Some(1)).await?;
        }
        assert_eq!(Migrator::get_pending_migrations(&connection).await?.len(), 0);
        assert_eq!(schema_of(&stepwise).await?.dump(), schema_of(&fresh).await?.dump());
        Ok(())
    }

    async fn migrating_twice_changes_nothing(db: TestDatabase) -> Result<(), DbErr> {
        let once = schema_of(&db).await?.dump();
        Migrator::up(&db.connect().await, None).await?;
        assert_eq!(schema_of(&db).await?.dump(), once);
        Ok(())
    }

    async fn each_kind_of_planted_fault_is_reported(db: TestDatabase) -> Result<(), DbErr> {
        let scratch = TestDatabase::create_empty(db.backend()).await;
        let connection = scratch.connect().await;
        plant(&connection, db.backend()).await?;
        let faults = schema_rules::check(&Schema::read(&connection, db.backend()).await?);
        let mut found: Vec<String> = faults.iter().map(Fault::to_string).collect();
        found.sort();
        assert_eq!(found, expected(db.backend()));
        Ok(())
    }
}

#[tokio::test]
async fn both_backends_have_the_same_tables_columns_and_keys() -> Result<(), DbErr> {
    let sqlite = TestDatabase::create(Backend::Sqlite).await;
    let postgres = TestDatabase::create(Backend::Postgres).await;
    assert_eq!(schema_of(&sqlite).await?.outline(), schema_of(&postgres).await?.outline());
    Ok(())
}

/// Tables that break every rule once, in words both backends take.
const PLANTED: [&str; 6] = [
    "CREATE TABLE keyless (account_id text NOT NULL)",
    "CREATE TABLE key_of_others (id text NOT NULL, account_id text NOT NULL, PRIMARY KEY (id, account_id))",
    "CREATE TABLE ownerless (id text NOT NULL PRIMARY KEY)",
    "CREATE TABLE sound (account_id text NOT NULL, id text NOT NULL, ghost text, PRIMARY KEY (account_id, id))",
    "CREATE UNIQUE INDEX ghosts ON sound (ghost, account_id) WHERE ghost IS NOT NULL",
    "CREATE TABLE stranger (account_id text NOT NULL PRIMARY KEY, other text, id text, made_at text DEFAULT 'now', \
     noted text DEFAULT CURRENT_TIMESTAMP, plain text DEFAULT 'EUR', FOREIGN KEY (other, id) REFERENCES sound)",
];

const PLANTED_ON_SQLITE: [&str; 2] = [
    "CREATE TABLE numbered (account_id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT",
    "CREATE TABLE rounding (account_id TEXT NOT NULL PRIMARY KEY, amount REAL NOT NULL) STRICT",
];

const PLANTED_ON_POSTGRES: [&str; 2] = [
    "CREATE TABLE numbered (account_id bigserial PRIMARY KEY, line bigint GENERATED ALWAYS AS IDENTITY)",
    "CREATE TABLE rounding (account_id uuid NOT NULL PRIMARY KEY, amount numeric(38, 9), rate double precision, \
     made timestamptz DEFAULT now())",
];

async fn plant(connection: &DatabaseConnection, backend: Backend) -> Result<(), DbErr> {
    for statement in PLANTED {
        let strict = backend == Backend::Sqlite && statement.starts_with("CREATE TABLE");
        connection.execute_unprepared(&format!("{statement}{}", if strict { " STRICT" } else { "" })).await?;
    }
    let own = match backend {
        Backend::Sqlite => PLANTED_ON_SQLITE,
        Backend::Postgres => PLANTED_ON_POSTGRES,
    };
    for statement in own {
        connection.execute_unprepared(statement).await?;
    }
    if backend == Backend::Sqlite {
        connection.execute_unprepared("CREATE TABLE lax (account_id TEXT NOT NULL PRIMARY KEY)").await?;
    }
    Ok(())
}

fn expected(backend: Backend) -> Vec<&'static str> {
    let mut faults = vec![
        "key_of_others: the key (id, account_id) does not begin with account_id",
        "keyless: has no primary key",
        "ownerless: has no account_id and is in no list of schema_rules",
        "sound: the key (ghost, account_id) does not begin with account_id",
        "stranger: refers to sound without account_id: it may be another account's",
        "stranger.made_at: has a default time; time comes from the injected clock",
        "stranger.noted: has a default time; time comes from the injected clock",
    ];
    faults.extend(match backend {
        Backend::Sqlite => &[
            "lax: is not STRICT; SQLite would store any value in any column",
            "numbered: is numbered by AUTOINCREMENT; ids are made by Florin",
            "rounding.amount: is real; amounts are integers, rates are text",
        ][..],
        Backend::Postgres => &[
            "numbered.account_id: is counted by a sequence; ids are made by Florin",
            "numbered.line: is an identity column; ids are made by Florin",
            "numbered_account_id_seq: is a sequence; ids are made by Florin, numbers in tables",
            "numbered_line_seq: is a sequence; ids are made by Florin, numbers in tables",
            "rounding.amount: is numeric(38,9); amounts are integers, rates are text",
            "rounding.made: has a default time; time comes from the injected clock",
            "rounding.rate: is double precision; amounts are integers, rates are text",
        ],
    });
    faults.sort_unstable();
    faults
}
