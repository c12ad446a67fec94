//! A connection that is kept, for whoever asks query after query and never two at once.
//!
//! A pool asks the database whether a connection that comes back is still there: a round trip for every query, as long
//! as a small query itself. One who asks thousands of times a second keeps the connection instead, for a while.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    DbBackend, DbErr, QueryResult, RuntimeErr,
    sqlx::{self, Database, Postgres, Sqlite, pool::PoolConnection, query::Query},
};

use super::Db;

/// After how long a connection goes back to the pool, which knows how old it may become.
const KEPT_MAX: Duration = Duration::from_secs(60);
/// How long it is kept unused: afterwards the pool finds out whether it is still there.
const UNUSED_MAX: Duration = Duration::from_secs(1);

/// Reads on a connection of its own. Clones share it; one that is asked while another is being answered takes a
/// connection of the pool.
#[derive(Clone)]
pub struct Kept {
    db: Db,
    place: Arc<Mutex<Option<Held>>>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("db", &self.db).finish_non_exhaustive()
    }
}

/// A query of one of the two databases, with what is bound to it.
pub enum Question<'q> {
    /// For PostgreSQL.
    Postgres(Query<'q, Postgres, <Postgres as Database>::Arguments>),
    /// For SQLite.
    Sqlite(Query<'q, Sqlite, <Sqlite as Database>::Arguments>),
}

enum Connection {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

struct Held {
    connection: Connection,
    since: Instant,
    used: Instant,
}

impl Kept {
    /// Reads `db`.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db, place: Arc::default() }
    }

    /// Which backend is asked.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.db.backend()
    }

    /// What `question`, which is for this backend, is answered with. A connection that fails is not kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn rows(&self, question: Question<'_>) -> Result<Vec<QueryResult>, DbErr> {
        let mut held = self.take().await?;
        let rows = match (&mut held.connection, question) {
            (Connection::Postgres(connection), Question::Postgres(query)) => {
                let rows = query.fetch_all(&mut **connection).await.map_err(failed)?;
                rows.into_iter().map(QueryResult::from).collect()
            }
            (Connection::Sqlite(connection), Question::Sqlite(query)) => {
                let rows = query.fetch_all(&mut **connection).await.map_err(failed)?;
                rows.into_iter().map(QueryResult::from).collect()
            }
            (Connection::Postgres(_), Question::Sqlite(_))
            | (Connection::Sqlite(_), Question::Postgres(_)) => {
                return Err(DbErr::Type("a question for another database".to_owned()));
            }
        };
        held.used = Instant::now();
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(rows)
    }

    /// The connection that was kept, or one of the pool's. Whoever takes it and is dropped gives it to the pool.
    async fn take(&self) -> Result<Held, DbErr> {
        let kept = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_fresh = |held: &Held| held.since.elapsed() < KEPT_MAX && held.used.elapsed() < UNUSED_MAX;
        if let Some(held) = kept.filter(is_fresh) {
            return Ok(held);
        }
        let reader = self.db.reader();
        let connection = if self.backend() == DbBackend::Postgres {
            Connection::Postgres(reader.get_postgres_connection_pool().acquire().await.map_err(failed)?)
        } else {
            Connection::Sqlite(reader.get_sqlite_connection_pool().acquire().await.map_err(failed)?)
        };
        let now = Instant::now();
        Ok(Held { connection, since: now, used: now })
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
