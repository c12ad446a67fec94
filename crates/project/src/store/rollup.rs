//! Tables of sums: what is added to a row that is there becomes part of it, and a row of its own where there is none
//! (R5.4).

use florin_platform::{db::Tx, set::Set};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// A table whose rows are sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rollup {
    /// The table.
    pub(super) table: &'static str,
    /// What a row is found by.
    pub(super) key: &'static [&'static str],
    /// What of a row grows otherwise than the sums do: assignments, in which `{of}` is what is added.
    pub(super) also: &'static [&'static str],
}

impl Rollup {
    /// Adds `rows`, no two of one key and of all `columns` of the table. On PostgreSQL in one statement; on SQLite in
    /// two, because the guard of the table refuses an INSERT of what is there even when it would become an UPDATE.
    pub(super) async fn add<const N: usize>(
        &self,
        tx: &Tx,
        columns: &str,
        rows: Set<N>,
    ) -> Result<(), DbErr> {
        let Self { table, key, .. } = self;
        if tx.get_database_backend() == DbBackend::Postgres {
            let (key, added) = (key.join(", "), self.added("excluded"));
            let text = |rows: &str| {
                format!(
                    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} \
                     ON CONFLICT ({key}) DO UPDATE SET {added}"
                )
            };
            return rows.execute(tx, text).await.map(|_| ());
        }
        let (same, added) = (self.same_as("v"), self.added("v"));
        let grown = |rows: &str| format!("UPDATE {table} SET {added} FROM {rows} WHERE {same}");
        rows.clone().execute(tx, grown).await?;
        let begun = |rows: &str| {
            format!(
                "INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} \
                 WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same})"
            )
        };
        rows.execute(tx, begun).await.map(|_| ())
    }

    /// The assignments that add what `of` holds; parts that make a unit are carried over.
    fn added(&self, of: &str) -> String {
        let Self { table, also, .. } = self;
        let sums = format!(
            "units = {table}.units + {of}.units + ({table}.fraction + {of}.fraction) / 10000000000, \
             fraction = ({table}.fraction + {of}.fraction) % 10000000000, \
             event_count = {table}.event_count + {of}.event_count"
        );
        let also = also.iter().map(|assignment| assignment.replace("{of}", of));
        std::iter::once(sums).chain(also).collect::<Vec<_>>().join(", ")
    }

    fn same_as(&self, of: &str) -> String {
        let Self { table, key, .. } = self;
        let equal = key.iter().map(|column| format!("{table}.{column} = {of}.{column}"));
        equal.collect::<Vec<_>>().join(" AND ")
    }
}
