//! Movements of the ledger as they are stored, page by page: each slice that writes some names its table.

use florin_platform::{column::At, db::sql, finding::AccountRange, id::AccountId};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::domain::journal::Recorded;

/// A table of movements.
#[derive(Clone, Copy, Debug)]
pub struct MovementTable {
    /// What it is called.
    pub name: &'static str,
    /// The columns a row is read of.
    pub columns: &'static str,
    /// Reads a row, whatever stands in it.
    pub read: fn(&QueryResult) -> Result<Recorded, DbErr>,
}

impl MovementTable {
    /// Movements of `accounts` in the order of their chains, after a place in one of them; at most `fetch`.
    ///
    /// # Errors
    /// [`DbErr`] when they cannot be read.
    pub async fn of_chains(
        &self,
        connection: &impl ConnectionTrait,
        accounts: AccountRange,
        after: (AccountId, i64),
        fetch: u64,
    ) -> Result<Vec<Recorded>, DbErr> {
        let Self { name, columns, .. } = self;
        let text = format!(
            "SELECT {columns} FROM {name} WHERE account_id BETWEEN $1 AND $2 \
             AND (account_id, sequence) > ($3, $4) ORDER BY account_id, sequence LIMIT {fetch}"
        );
        let values = [accounts.first.into(), accounts.last.into(), after.0.into(), after.1.into()];
        self.page(connection, &text, values).await
    }

    /// Movements recorded before `to`, by instant, account and sequence, after a place in that order; at most `fetch`.
    ///
    /// # Errors
    /// [`DbErr`] when they cannot be read.
    pub async fn recorded_before(
        &self,
        connection: &impl ConnectionTrait,
        to: Instant,
        (at, account, sequence): (Instant, AccountId, i64),
        fetch: u64,
    ) -> Result<Vec<Recorded>, DbErr> {
        let Self { name, columns, .. } = self;
        let text = format!(
            "SELECT {columns} FROM {name} WHERE recorded_at < $1 \
             AND (recorded_at, account_id, sequence) > ($2, $3, $4) \
             ORDER BY recorded_at, account_id, sequence LIMIT {fetch}"
        );
        let values = [At::from(to).into(), At::from(at).into(), account.into(), sequence.into()];
        self.page(connection, &text, values).await
    }

    async fn page(
        &self,
        connection: &impl ConnectionTrait,
        text: &str,
        values: [Value; 4],
    ) -> Result<Vec<Recorded>, DbErr> {
        let rows = connection.query_all_raw(sql(connection, text, values)).await?;
        rows.iter().map(self.read).collect()
    }
}
