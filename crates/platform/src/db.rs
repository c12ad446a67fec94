//! The database as two values: [`Db`] (read, begin) and [`Tx`] (write).
//!
//! | question | answer |
//! |---|---|
//! | who may write? | whoever holds a [`Tx`]; there is no other way in |
//! | SQLite | one writer connection, `BEGIN IMMEDIATE`; readers have a pool of their own (WAL) |
//! | PostgreSQL | READ COMMITTED and ordered row locks |
//! | contention (40001, 40P01, SQLITE_BUSY…) | the whole closure runs again, at most [`ATTEMPTS_MAX`] times |
//! | an error somebody swallowed | the transaction refuses to commit |
//! | the caller went away | the future is dropped, the transaction rolls back |
//! | rows computed from other rows | [`Derived`] makes them true again before the commit |

mod kept;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, QueryResult, RuntimeErr, SqliteTransactionMode, SqlxError, Statement, TransactionOptions,
    TransactionTrait, Value,
};

pub use self::kept::{Kept, Question};
use crate::id::AccountId;

/// How often one write is tried before contention is reported as overload.
pub const ATTEMPTS_MAX: usize = 8;
/// Rows × columns one statement may bind; SQLite stops at 32 766.
pub const BINDS_MAX: usize = 30_000;

const SLOW_STATEMENT: Duration = Duration::from_millis(500);
/// Connections that are kept ([`Kept`]) are among them.
const READERS_MAX: u32 = 6;
const POOL_MAX: u32 = 18;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A database, chosen by URL alone (R14.1): `sqlite://path` or `postgres://…`.
#[derive(Clone)]
pub struct Db {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    derived: Option<Arc<dyn Derived>>,
    observer: Option<Observer>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("backend", &self.backend_name()).finish_non_exhaustive()
    }
}

/// Rows that are computed from other rows of an account, and have to be true whenever anybody looks.
///
/// Whoever changes what they are computed from says so with [`Tx::touch`], where the row is written; the
/// transaction then has them made true before it commits, once for all that was touched. Nobody can forget to,
/// and nobody has to be handed the one who does it.
#[async_trait::async_trait]
pub trait Derived: Send + Sync {
    /// Makes what is derived from the facts of these accounts true, as this transaction leaves them.
    async fn derive(&self, tx: &Tx, touched: &BTreeMap<AccountId, Touched>) -> Result<(), DbErr>;
}

/// How much of an account a transaction has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touched {
    /// What is in its favour, and nothing else: many transactions do only that, and less follows from it.
    Balance,
    /// Anything.
    Anything,
}

/// Something the database did.
#[derive(Clone, Copy, Debug)]
pub enum Observed<'a> {
    /// A write transaction began.
    Began,
    /// A statement ended: its text, with what was bound to it.
    Ran(&'a Statement),
    /// A write transaction is about to be committed.
    Commits,
}

/// Is told what the database does, in the task that asked for it. For programs that embed Florin and measure it.
pub type Observer = Arc<dyn Fn(Observed<'_>) + Send + Sync>;

impl Db {
    /// Opens the database. A missing SQLite file is created; no schema is.
    pub async fn connect(url: &str) -> Result<Self, DbErr> {
        if url.starts_with("sqlite:") {
            let writer = Database::connect(options(url, 1)).await?;
            let reader = Database::connect(options(url, READERS_MAX)).await?;
            Ok(Self { writer, reader, derived: None, observer: None })
        } else {
            let pool = Database::connect(options(url, POOL_MAX)).await?;
            Ok(Self { writer: pool.clone(), reader: pool, derived: None, observer: None })
        }
    }

    /// The same database, of whose doings `observer` is told.
    #[must_use]
    pub fn observed(mut self, observer: Observer) -> Self {
        for connection in [&mut self.writer, &mut self.reader] {
            let observer = Arc::clone(&observer);
            connection.set_metric_callback(move |info| observer(Observed::Ran(info.statement)));
        }
        Self { observer: Some(observer), ..self }
    }

    /// The same database, whose transactions keep `derived` true.
    #[must_use]
    pub fn keeping(self, derived: Arc<dyn Derived>) -> Self {
        Self { derived: Some(derived), ..self }
    }

    /// Which backend this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// The backend's name, for logs.
    #[must_use]
    pub fn backend_name(&self) -> &'static str {
        match self.backend() {
            DbBackend::Sqlite => "SQLite",
            DbBackend::Postgres => "PostgreSQL",
            DbBackend::MySql => "MySQL",
            _ => "unknown",
        }
    }

    /// The connection for reads outside a transaction.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// The connection migrations run on: the writer.
    #[must_use]
    pub fn migrator(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Begins a write transaction: IMMEDIATE on SQLite. Prefer [`Db::write`], which also retries.
    #[expect(clippy::disallowed_methods, reason = "the one place where transactions begin")]
    pub async fn begin_write(&self) -> Result<Tx, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.writer.begin_with_options(options).await?;
        let (failure, touched, statements) = Default::default();
        let (derived, observer) = (self.derived.clone(), self.observer.clone());
        if let Some(observer) = &observer {
            observer(Observed::Began);
        }
        Ok(Tx(Arc::new(Open { transaction, failure, touched, statements, derived, observer })))
    }

    /// Runs `work` in one transaction and commits it; on `Err` nothing is kept.
    ///
    /// On contention the *whole* closure runs again, so it must have no effect outside the
    /// transaction. A refusal that has to leave a trace (a wrong code, R12) is returned inside the
    /// `Ok`: what is `Ok` is committed.
    pub async fn write<T, E, Fut>(&self, work: impl Fn(Tx) -> Fut) -> Result<T, E>
    where
        Fut: Future<Output = Result<T, E>>,
        E: From<DbErr>,
    {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(2))
            .with_max_delay(Duration::from_millis(200))
            .with_max_times(ATTEMPTS_MAX - 1)
            .with_jitter()
            .build();
        loop {
            let outcome = match self.begin_write().await {
                Ok(tx) => attempt(tx, &work).await,
                Err(error) if is_contention(&error) => Attempt::Contended(E::from(error)),
                Err(error) => Attempt::Done(Err(E::from(error))),
            };
            match outcome {
                Attempt::Done(result) => return result,
                Attempt::Contended(error) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
            }
        }
    }
}

enum Attempt<T, E> {
    Done(Result<T, E>),
    Contended(E),
}

async fn attempt<T, E, Fut>(tx: Tx, work: &impl Fn(Tx) -> Fut) -> Attempt<T, E>
where
    Fut: Future<Output = Result<T, E>>,
    E: From<DbErr>,
{
    // Boxed: the futures of whole commands are large, and this one lives in every caller's.
    match Box::pin(work(tx.clone())).await {
        Ok(value) => match tx.commit().await {
            Ok(()) => Attempt::Done(Ok(value)),
            Err(error) if is_contention(&error) => Attempt::Contended(error.into()),
            Err(error) => Attempt::Done(Err(error.into())),
        },
        Err(error) => {
            let contended = matches!(tx.failure(), Some(Failure::Contention));
            tx.rollback().await;
            if contended { Attempt::Contended(error) } else { Attempt::Done(Err(error)) }
        }
    }
}

fn options(url: &str, connections_max: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections_max)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .idle_timeout(Duration::from_secs(600))
        .max_lifetime(Duration::from_secs(1800))
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        .sqlx_logging_level(log::LevelFilter::Trace)
        .sqlx_slow_statements_logging_settings(log::LevelFilter::Warn, SLOW_STATEMENT)
        .set_application_name("florin")
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(sea_orm::sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                .pragma("wal_autocheckpoint", "16384")
        });
    if !url.starts_with("sqlite:") {
        options.statement_timeout(STATEMENT_TIMEOUT);
    }
    options
}

/// An open write transaction. Holding one proves being inside.
///
/// Cheap to clone, because one transaction is handed to many functions; all clones must be gone when
/// it commits. It remembers every failed statement: PostgreSQL answers `Ok` to a COMMIT that in
/// truth rolled back after an error somebody swallowed.
#[derive(Clone, Debug)]
pub struct Tx(Arc<Open>);

struct Open {
    transaction: DatabaseTransaction,
    failure: Mutex<Option<Failure>>,
    touched: Mutex<BTreeMap<AccountId, Touched>>,
    statements: AtomicU32,
    derived: Option<Arc<dyn Derived>>,
    observer: Option<Observer>,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("failure", &self.failure).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Contention,
    Statement,
}

impl Tx {
    /// Facts of `account` were changed from which other rows are computed: see [`Derived`].
    pub fn touch(&self, account: AccountId) {
        self.touched(account, Touched::Anything);
    }

    /// As [`Tx::touch`], where nothing was changed but what is in the account's favour.
    pub fn touch_balance(&self, account: AccountId) {
        self.touched(account, Touched::Balance);
    }

    fn touched(&self, account: AccountId, how: Touched) {
        let mut touched = self.0.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let known = touched.entry(account).or_insert(how);
        *known = how.max(*known);
    }

    /// Makes what is derived from the accounts touched so far true now. The commit does it anyway; this is for
    /// who reads it in the same transaction, or is about to take a row that others wait for.
    pub async fn derive(&self) -> Result<(), DbErr> {
        let Some(derived) = &self.0.derived else { return Ok(()) };
        let touched = std::mem::take(&mut *self.0.touched.lock().unwrap_or_else(PoisonError::into_inner));
        if touched.is_empty() || self.failure().is_some() {
            return Ok(());
        }
        derived.derive(self, &touched).await
    }

    /// Commits. Refuses if any statement failed, or if a clone is still alive somewhere.
    pub async fn commit(self) -> Result<(), DbErr> {
        if let Err(error) = self.derive().await {
            self.rollback().await;
            return Err(error);
        }
        if self.failure().is_some() {
            let reason = "a statement of this transaction failed; it cannot be committed";
            self.rollback().await;
            return Err(DbErr::Custom(reason.to_owned()));
        }
        match Arc::try_unwrap(self.0) {
            Ok(open) => {
                if let Some(observer) = &open.observer {
                    observer(Observed::Commits);
                }
                open.transaction.commit().await
            }
            Err(_) => Err(DbErr::Custom("the transaction is still in use elsewhere".to_owned())),
        }
    }

    /// Rolls back. A failure to do so is only logged: the connection is dropped with it.
    pub async fn rollback(self) {
        if let Ok(open) = Arc::try_unwrap(self.0)
            && let Err(error) = open.transaction.rollback().await
        {
            tracing::warn!(%error, "rollback failed");
        }
    }

    fn failure(&self) -> Option<Failure> {
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many statements it has run so far.
    #[must_use]
    pub fn statements(&self) -> u32 {
        self.0.statements.load(Ordering::Relaxed)
    }

    fn note<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        self.0.statements.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = &result {
            let failure = if is_contention(error) { Failure::Contention } else { Failure::Statement };
            // The first is the cause; what fails after it fails because of it.
            self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
        result
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.0.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.note(self.0.transaction.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.note(self.0.transaction.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.note(self.0.transaction.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.note(self.0.transaction.query_all_raw(statement).await)
    }
}

/// Where to read: inside a transaction, or outside of any. For ports, whose methods cannot be generic.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'a> {
    /// What is committed.
    Committed(&'a Db),
    /// What is committed, and what this transaction has written.
    Within(&'a Tx),
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Committed(db) => db.backend(),
            Self::Within(tx) => tx.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Committed(db) => db.reader().execute_raw(statement).await,
            Self::Within(tx) => tx.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Committed(db) => db.reader().execute_unprepared(sql).await,
            Self::Within(tx) => tx.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Committed(db) => db.reader().query_one_raw(statement).await,
            Self::Within(tx) => tx.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Committed(db) => db.reader().query_all_raw(statement).await,
            Self::Within(tx) => tx.query_all_raw(statement).await,
        }
    }
}

/// A statement of raw SQL with `$1`-style binds, which both backends understand.
pub fn sql(
    connection: &impl ConnectionTrait,
    text: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), text, values)
}

/// Whether trying the whole transaction again may succeed.
#[must_use]
pub fn is_contention(error: &DbErr) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01" | "5" | "6" | "261" | "262" | "517" | "773"))
}

/// Whether the database could not be reached, or is going away; nothing was decided.
#[must_use]
pub fn is_unreachable(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_))
        || matches!(code(error).as_deref(), Some("57P01" | "57P02" | "57P03" | "53300"))
}

fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    let cause: &SqlxError = cause;
    cause.as_database_error()?.code().map(|code| code.into_owned())
}
