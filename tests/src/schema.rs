//! A migrated database, read back from its own catalogue into one value for both backends.

use std::collections::BTreeMap;
use std::fmt::Write;

use florin_testbed::Backend;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, Value};

mod postgres;
mod sqlite;

/// The migrations' own bookkeeping, no part of Florin's schema.
const BOOKKEEPING: &str = "seaql_migrations";

/// Everything migrations made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// By name.
    pub tables: BTreeMap<String, Table>,
    /// Sequences, owned by a column or not.
    pub sequences: Vec<String>,
    /// Indexes, constraints, triggers and functions, as the database itself words them.
    pub definitions: Vec<String>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// In the order they were declared.
    pub columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    pub primary_key: Vec<String>,
    /// The columns of each other unique index; an expression stands as `(expression)`.
    pub unique_keys: Vec<Vec<String>>,
    /// Foreign keys.
    pub references: Vec<Reference>,
    /// Whether the database refuses values of another type than declared.
    pub strict: bool,
    /// Whether keys are counted up by the database.
    pub autoincrement: bool,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type, in the backend's words and lower case.
    pub type_name: String,
    /// Whether NULL is refused.
    pub required: bool,
    /// The DEFAULT clause.
    pub default: Option<String>,
    /// Whether it is an identity column.
    pub identity: bool,
}

/// One foreign key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The table referred to.
    pub to: String,
    /// The columns here, each with the one it equals there.
    pub pairs: Vec<(String, String)>,
}

impl Schema {
    /// Reads the schema of a database.
    ///
    /// # Errors
    /// When the catalogue cannot be queried.
    pub async fn read(connection: &DatabaseConnection, backend: Backend) -> Result<Schema, DbErr> {
        match backend {
            Backend::Sqlite => sqlite::read(connection).await,
            Backend::Postgres => postgres::read(connection).await,
        }
    }

    /// The whole schema as text, sorted: two schemas are equal when their dumps are.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut lines = self.definitions.clone();
        lines.extend(self.sequences.iter().map(|name| format!("sequence {name}")));
        for (name, table) in &self.tables {
            lines.push(format!("table {name}"));
            for column in &table.columns {
                lines.push(format!("column {name}.{}: {column:?}", column.name));
            }
            let Table { primary_key, unique_keys, references, strict, autoincrement, .. } = table;
            lines.push(format!("keys of {name}: {primary_key:?} {unique_keys:?} {references:?}"));
            lines.push(format!("nature of {name}: strict {strict}, autoincrement {autoincrement}"));
        }
        lines.sort();
        lines.join("\n")
    }

    /// What both backends must agree on: tables, columns, whether NULL is refused, keys and references.
    #[must_use]
    pub fn outline(&self) -> String {
        let mut text = String::new();
        for (name, table) in &self.tables {
            let mut columns: Vec<_> = table
                .columns
                .iter()
                .map(|column| format!("{}{}", column.name, if column.required { "" } else { "?" }))
                .collect();
            columns.sort();
            let mut unique_keys = table.unique_keys.clone();
            unique_keys.sort();
            let mut references = table.references.clone();
            references.sort();
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{name}: {columns:?} key {:?} {unique_keys:?} {references:?}",
                table.primary_key
            );
        }
        text
    }
}

/// The rows of a query on the catalogue.
async fn rows(
    connection: &DatabaseConnection,
    backend: DbBackend,
    query: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    connection.query_all_raw(Statement::from_sql_and_values(backend, query, values)).await
}

/// Gathers the second column of rows ordered by the first: index → columns.
fn grouped(rows: Vec<QueryResult>) -> Result<Vec<Vec<String>>, DbErr> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let name: Option<String> = row.try_get_by_index(1)?;
        groups
            .entry(row.try_get_by_index(0)?)
            .or_default()
            .push(name.unwrap_or_else(|| "(expression)".to_owned()));
    }
    Ok(groups.into_values().collect())
}
