//! Reading everything as of one moment, beside whoever writes, without locks.

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, Statement, TransactionOptions, TransactionTrait,
};

use crate::db::Db;

/// What was committed when it was first read from; nothing that is committed later shows. Keep it short: as long as
/// it lives, the database keeps what was changed since.
#[derive(Debug)]
pub struct Snapshot(DatabaseTransaction);

impl Snapshot {
    /// Looks at the database: REPEATABLE READ on PostgreSQL; on SQLite a read transaction sees one moment anyway.
    ///
    /// # Errors
    /// [`DbErr`] when there is no connection.
    #[expect(
        clippy::disallowed_methods,
        reason = "it only reads: transactions that write begin in Db::write"
    )]
    pub async fn of(db: &Db) -> Result<Self, DbErr> {
        let mut options = TransactionOptions::default();
        if db.backend() == DbBackend::Postgres {
            options.isolation_level = Some(IsolationLevel::RepeatableRead);
            options.access_mode = Some(AccessMode::ReadOnly);
        }
        Ok(Self(db.reader().begin_with_options(options).await?))
    }

    /// Looks no longer.
    ///
    /// # Errors
    /// [`DbErr`] when the connection is gone.
    pub async fn close(self) -> Result<(), DbErr> {
        self.0.rollback().await
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Snapshot {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(statement).await
    }
}
