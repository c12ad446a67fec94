//! A set of rows as the input of one statement.
//!
//! | backend | form | because |
//! |---|---|---|
//! | PostgreSQL | `unnest($1::uuid[], $2::text[], …)` | one text whatever the number of rows, so that one plan is prepared, once; multi-row VALUES of varying sizes grow a connection without end |
//! | SQLite, writing | `VALUES (?, …), …` of fixed sizes | few texts, so that they stay prepared; there are no arrays |
//! | SQLite, reading | one `VALUES` of all rows | as many queries for five hundred as for one |

use florin_platform::db::BINDS_MAX;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value, sea_query::ArrayType};

/// How many rows a statement for SQLite has.
const SIZES: [usize; 4] = [1000, 100, 10, 1];

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Uuid,
    Text,
    Number,
    Instant,
}

impl Kind {
    const fn cast(self) -> &'static str {
        match self {
            Self::Uuid => "uuid[]",
            Self::Text => "text[]",
            Self::Number => "bigint[]",
            Self::Instant => "timestamptz[]",
        }
    }

    const fn array(self) -> ArrayType {
        match self {
            Self::Uuid => ArrayType::Uuid,
            Self::Text => ArrayType::String,
            Self::Number => ArrayType::BigInt,
            Self::Instant => ArrayType::ChronoDateTimeUtc,
        }
    }
}

/// Rows of `N` columns.
#[derive(Clone, Debug)]
pub(crate) struct Set<const N: usize> {
    columns: [(&'static str, Kind); N],
    values: [Vec<Value>; N],
    rows: usize,
}

impl<const N: usize> Set<N> {
    /// No row yet, of these columns; room for `rows`.
    pub(crate) fn new(columns: [(&'static str, Kind); N], rows: usize) -> Self {
        Self { columns, values: std::array::from_fn(|_| Vec::with_capacity(rows)), rows: 0 }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: [Value; N]) {
        for (column, value) in self.values.iter_mut().zip(row) {
            column.push(value);
        }
        self.rows += 1;
    }

    /// The rows that `text`, which only reads, answers with: it is given what stands for the set, to be named in its
    /// FROM as the relation `v` with the set's columns.
    pub(crate) async fn read(
        self,
        connection: &impl ConnectionTrait,
        text: impl Fn(&str) -> String,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let whole = [self.rows.clamp(1, BINDS_MAX / N), 1];
        let mut found = Vec::new();
        for statement in self.statements(connection.get_database_backend(), &whole, text) {
            found.extend(connection.query_all_raw(statement).await?);
        }
        Ok(found)
    }

    /// As [`Self::read`], for what `text` writes. On SQLite the set comes in parts.
    pub(crate) async fn query(
        self,
        connection: &impl ConnectionTrait,
        text: impl Fn(&str) -> String,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let mut found = Vec::new();
        for statement in self.statements(connection.get_database_backend(), &SIZES, text) {
            found.extend(connection.query_all_raw(statement).await?);
        }
        Ok(found)
    }

    /// Runs `text`, as [`Self::query`] does, for a statement that answers with nothing.
    pub(crate) async fn execute(
        self,
        connection: &impl ConnectionTrait,
        text: impl Fn(&str) -> String,
    ) -> Result<(), DbErr> {
        for statement in self.statements(connection.get_database_backend(), &SIZES, text) {
            connection.execute_raw(statement).await?;
        }
        Ok(())
    }

    fn statements(
        self,
        backend: DbBackend,
        sizes: &[usize],
        text: impl Fn(&str) -> String,
    ) -> Vec<Statement> {
        if self.rows == 0 {
            return Vec::new();
        }
        let names = self.columns.map(|(name, _)| name);
        if backend == DbBackend::Postgres {
            let casts = (1..).zip(self.columns).map(|(n, (_, kind))| format!("${n}::{}", kind.cast()));
            let casts = casts.collect::<Vec<_>>().join(", ");
            let relation = format!("unnest({casts}) AS v ({})", names.join(", "));
            let arrays = self.columns.into_iter().zip(self.values);
            let arrays = arrays.map(|((_, kind), values)| Value::Array(kind.array(), Some(Box::new(values))));
            return vec![Statement::from_sql_and_values(backend, text(&relation), arrays)];
        }
        let columns = (1..).zip(names).map(|(n, name)| format!("column{n} AS {name}"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let row = format!("({})", vec!["?"; N].join(","));
        let mut open = self.rows;
        let mut rest = self.values.map(Vec::into_iter);
        let mut statements = Vec::new();
        for size in sizes.iter().copied().filter(|size| size * N <= BINDS_MAX) {
            while open >= size {
                let rows = vec![row.as_str(); size].join(",");
                let relation = format!("(SELECT {columns} FROM (VALUES {rows})) AS v");
                let mut values = Vec::with_capacity(size * N);
                for _ in 0..size {
                    values.extend(rest.iter_mut().filter_map(Iterator::next));
                }
                statements.push(Statement::from_sql_and_values(backend, text(&relation), values));
                open -= size;
            }
        }
        statements
    }
}
