//! PostgreSQL databases: `CREATE DATABASE … TEMPLATE`, from a template migrated once per server.
//!
//! | step | lock | why |
//! |---|---|---|
//! | make the template | session advisory lock in database `postgres` | test processes run in parallel, and migrations take no lock |
//! | migrate it under another name, then rename | the same | a name that exists is a template that is complete |
//! | copy the template | none | copies only share a lock, and nobody ever connects to the template |

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::schema;

/// Names the server tests may make databases on: `postgres://user@host:port/postgres`.
pub(crate) const URL_VARIABLE: &str = "FLORIN_TEST_POSTGRES_URL";

/// "florin" as a number: the advisory lock that guards the template.
const TEMPLATE_LOCK: i64 = 0x0066_6c6f_7269_6e00;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();

/// Makes a migrated database and returns its name.
pub(crate) async fn migrated() -> String {
    let template = TEMPLATE
        .get_or_init(|| async {
            prepare_template().await.unwrap_or_else(|error| panic!("no PostgreSQL template: {error}"))
        })
        .await;
    create(&format!("TEMPLATE {template}")).await
}

/// Makes a database without any table and returns its name.
pub(crate) async fn empty() -> String {
    create("TEMPLATE template0").await
}

/// Makes a copy of the database called `name`, whose connections are closed, and returns its name.
pub(crate) async fn copy(name: &str) -> String {
    let alone = async {
        let server = connect("postgres").await?;
        let close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        run(&server, format!("{close} = '{name}'")).await?;
        server.close().await
    };
    alone.await.unwrap_or_else(|error: DbErr| panic!("PostgreSQL closes no connections: {error}"));
    create(&format!("TEMPLATE {name}")).await
}

/// The URL of the database called `name` on the tests' server.
///
/// # Panics
/// When no server is named: leaving PostgreSQL out silently is a failure, not a shortcut.
pub(crate) fn url(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test bed hands its server to tests by environment")]
    let server = std::env::var(URL_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "PostgreSQL is part of every test run, and {URL_VARIABLE} names none. Run `make test`, or \
             `cargo run -p florin-testbed -- run -- cargo test …`, or set {URL_VARIABLE} to a server whose \
             user may create databases (postgres://user@127.0.0.1:5432/postgres)"
        )
    });
    replace_database(&server, name)
}

/// Drops a database, whoever is still connected to it.
pub(crate) async fn remove(name: &str) -> Result<(), DbErr> {
    let server = connect("postgres").await?;
    run(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    server.close().await
}

async fn create(clause: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "a scratch database's name is no Florin id")]
    let name = format!("test_{}", Uuid::now_v7().simple());
    let made = async {
        let server = connect("postgres").await?;
        run(&server, format!("CREATE DATABASE {name} {clause}")).await?;
        server.close().await
    };
    made.await.unwrap_or_else(|error: DbErr| panic!("PostgreSQL makes no test database: {error}"));
    name
}

async fn prepare_template() -> Result<String, DbErr> {
    let print = schema::fingerprint().map_err(|error| DbErr::Custom(error.to_string()))?;
    let template = format!("florin_template_{print:016x}");
    let server = connect("postgres").await?;
    run(&server, format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await?;
    if !exists(&server, &template).await? {
        let unfinished = format!("{template}_unfinished");
        run(&server, format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await?;
        run(&server, format!("CREATE DATABASE {unfinished} TEMPLATE template0")).await?;
        let inside = connect(&unfinished).await?;
        schema::apply(&inside).await?;
        inside.close().await?;
        run(&server, format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await?;
    }
    // Closing the session gives the lock back.
    server.close().await?;
    Ok(template)
}

async fn exists(server: &DatabaseConnection, name: &str) -> Result<bool, DbErr> {
    let query = "SELECT 1 FROM pg_database WHERE datname = $1";
    let found =
        server.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, query, [name.into()]));
    Ok(found.await?.is_some())
}

/// One connection, so that a session lock stays with the session that took it.
async fn connect(name: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url(name));
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await
}

async fn run(server: &DatabaseConnection, statement: String) -> Result<(), DbErr> {
    server.execute_unprepared(&statement).await.map(|_| ())
}

/// Replaces the path of a server's URL, keeping its query.
fn replace_database(server: &str, name: &str) -> String {
    let (address, query) = match server.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (server, String::new()),
    };
    let authority_starts = address.find("://").map_or(0, |at| at + 3);
    let authority_ends =
        address[authority_starts..].find('/').map_or(address.len(), |at| authority_starts + at);
    format!("{}/{name}{query}", &address[..authority_ends])
}

#[cfg(test)]
mod tests {
    use super::replace_database;

    #[test]
    fn only_the_database_of_a_url_is_replaced() {
        for (server, expected) in [
            ("postgres://f@127.0.0.1:5432/postgres", "postgres://f@127.0.0.1:5432/test_1"),
            ("postgres://f@127.0.0.1:5432", "postgres://f@127.0.0.1:5432/test_1"),
            ("postgres://f@h/postgres?sslmode=disable", "postgres://f@h/test_1?sslmode=disable"),
        ] {
            assert_eq!(replace_database(server, "test_1"), expected);
        }
    }
}
