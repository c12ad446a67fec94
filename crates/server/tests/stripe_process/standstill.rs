//! Time, held still and let pass.
//!
//! Between two of the server's transactions nothing of the server's has to be prepared to be stopped: whoever holds
//! what every transaction of an account takes first stops it before the next one.

use std::time::Duration;

use florin_platform::db::sql;
use florin_testbed::{Backend, TestDatabase};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

const LOOK: Duration = Duration::from_millis(10);
/// What a server needs to come to its next transaction, many times over.
const LONG: Duration = Duration::from_millis(400);

/// While this is held, nobody else's transaction about an account gets anywhere. Dropped, it changed nothing.
pub(crate) struct Standstill {
    connection: DatabaseConnection,
    backend: Backend,
}

impl Standstill {
    pub(crate) async fn begin(db: &TestDatabase) -> Self {
        let mut options = ConnectOptions::new(db.url());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        let begin = match db.backend() {
            Backend::Sqlite => "BEGIN IMMEDIATE",
            Backend::Postgres => "BEGIN; SELECT account_id FROM account_lock FOR UPDATE",
        };
        connection.execute_unprepared(begin).await.unwrap();
        Self { connection, backend: db.backend() }
    }

    /// Waits until somebody waits for it. SQLite does not tell who waits: there it is a while.
    pub(crate) async fn awaited(&self) {
        match self.backend {
            Backend::Sqlite => tokio::time::sleep(LONG).await,
            Backend::Postgres => {
                while !self.is_awaited().await {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    async fn is_awaited(&self) -> bool {
        let text =
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        self.connection.query_one_raw(sql(&self.connection, text, [])).await.unwrap().is_some()
    }

    pub(crate) async fn end(self) {
        self.connection.execute_unprepared("ROLLBACK").await.unwrap();
        self.connection.close().await.unwrap();
    }
}

/// The time a dead server's leases last, and until what is unfinished is looked at again, is over. Outside a sandbox
/// the clock is the machine's, and nobody moves it: what waits is brought forward instead.
pub(crate) async fn time_passes(db: &TestDatabase) {
    let connection = db.connect().await;
    for text in [
        "UPDATE job_lease SET until_micros = 0",
        "UPDATE payment SET look_at = created_at WHERE look_at IS NOT NULL",
        "UPDATE payment_refund SET look_at = created_at WHERE look_at IS NOT NULL",
    ] {
        connection.execute_unprepared(text).await.unwrap();
    }
    connection.close().await.unwrap();
}
