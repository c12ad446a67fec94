//! The baseline: the rows a run has written, written again by a program without any of the domain.
//!
//! It has every row in memory beforehand, reads nothing, and writes each table with one statement a batch: `unnest`
//! of typed arrays on PostgreSQL, multi-row VALUES on SQLite, of as many rows as those of a run. One transaction a batch, into another
//! database that was furnished in the same way, with the same keys, checks and guards.

use std::time::{Duration, Instant as Stopwatch};

use florin_platform::set::SIZES;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement, TryGetable,
    prelude::{DateTimeUtc, Uuid},
    sqlx::{self, AssertSqlSafe, Postgres, Sqlite, Transaction},
};

use crate::world::{FIRST_COPY, World};

/// What a run writes of an account. Parts come before their invoice, whose key is checked at the commit.
const WRITTEN: [&str; 15] = [
    "document_parties",
    "invoice_line",
    "invoice_debit",
    "invoice_tax",
    "settlement_lot",
    "settlement_debit",
    "invoice_state",
    "debt",
    "credit_movement",
    "usage_closing",
    "audit_entry",
    "invoice",
    "invoice_number",
    "event",
    "notice",
];

/// One column of rows.
enum Values {
    Ids(Vec<Option<Uuid>>),
    Texts(Vec<Option<String>>),
    Numbers(Vec<Option<i64>>),
    Times(Vec<Option<DateTimeUtc>>),
    Flags(Vec<Option<bool>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// Rows of one table, column by column.
struct Rows {
    table: &'static str,
    names: Vec<String>,
    columns: Vec<Values>,
    count: usize,
}

/// Writes what a run has written in `from` into `to`, a batch of accounts at a time; how long the writing took,
/// without the reading, and how many rows it was.
pub(crate) async fn write_again(from: &World, to: &World, batch: u32) -> (Duration, usize) {
    let run = read(&from.raw, "billing_run", "SELECT * FROM billing_run").await;
    let series = read(&from.raw, "invoice_series", "SELECT * FROM invoice_series").await;
    let mut write = Writer::begin(to.writer()).await;
    write.insert(run).await;
    write.insert(series).await;
    write.commit().await;

    let (mut time, mut rows, mut first) = (Duration::ZERO, 0, 0);
    while first < from.accounts - 1 {
        let last = (first + batch).min(from.accounts - 1);
        let of = |table: &str| {
            let id = |copy: u32| copy_of(from.raw.get_database_backend(), copy);
            format!("FROM {table} WHERE account_id >= {} AND account_id < {}", id(first), id(last))
        };
        let mut tables = Vec::new();
        for table in WRITTEN {
            let further = if table == "credit_movement" { " AND kind = 'DEBITED'" } else { "" };
            tables.push(read(&from.raw, table, &format!("SELECT * {}{further}", of(table))).await);
        }
        let lots = format!("SELECT account_id, id, remaining {} AND remaining < initial", of("credit_lot"));
        let lots = read(&from.raw, "credit_lot", &lots).await;
        let locks =
            format!("SELECT account_id, version, movement_sequence, movement_head {}", of("account_lock"));
        let locks = read(&from.raw, "account_lock", &locks).await;
        let standings =
            format!("SELECT account_id, project_id, valid_until, due_at {}", of("funding_standing"));
        let standings = read(&from.raw, "funding_standing", &standings).await;
        rows += tables.iter().chain([&lots, &locks, &standings]).map(|rows| rows.count).sum::<usize>();

        let begun = Stopwatch::now();
        let mut write = Writer::begin(to.writer()).await;
        write.update(locks, &["account_id"]).await;
        write.update(lots, &["account_id", "id"]).await;
        for table in tables {
            write.insert(table).await;
        }
        write.update(standings, &["account_id", "project_id"]).await;
        write.commit().await;
        time += begun.elapsed();
        first = last;
    }
    compare(from, to).await;
    (time, rows)
}

/// The baseline has written every row of a copy the run has, whatever table it is in.
async fn compare(from: &World, to: &World) {
    let backend = from.raw.get_database_backend();
    let (first, last) = (copy_of(backend, 0), copy_of(backend, from.accounts - 1));
    for table in crate::world::tables_of_accounts(&from.raw).await {
        let text = format!(
            "SELECT CAST(COUNT(*) AS bigint) FROM {table} WHERE account_id >= {first} AND account_id < {last}"
        );
        assert_eq!(from.count(&text).await, to.count(&text).await, "rows of {table}");
    }
}

/// The smallest id of copy `copy`, as a literal.
fn copy_of(backend: DbBackend, copy: u32) -> String {
    let number = FIRST_COPY + copy;
    match backend {
        DbBackend::Postgres => format!("'{number:08x}-0000-0000-0000-000000000000'::uuid"),
        _ => format!("x'{number:08x}000000000000000000000000'"),
    }
}

async fn read(raw: &DatabaseConnection, table: &'static str, text: &str) -> Rows {
    let backend = raw.get_database_backend();
    let rows = raw.query_all_raw(Statement::from_string(backend, text)).await.unwrap();
    let kinds = crate::world::columns(raw, table).await;
    let names = rows.first().map(QueryResult::column_names).unwrap_or_default();
    let column = |name: &String| {
        let (_, kind) = kinds.iter().find(|(known, _)| known == name).unwrap();
        match (kind.as_str(), backend) {
            ("uuid", _) => Values::Ids(all(&rows, name)),
            ("timestamp with time zone", _) => Values::Times(all(&rows, name)),
            ("bigint" | "INTEGER", _) => Values::Numbers(all(&rows, name)),
            ("boolean", _) => Values::Flags(all(&rows, name)),
            ("bytea" | "BLOB", _) => Values::Bytes(all(&rows, name)),
            ("text" | "TEXT", _) => Values::Texts(all(&rows, name)),
            (kind, _) => panic!("{table}.{name} is {kind}"),
        }
    };
    let columns = names.iter().map(column).collect();
    Rows { table, names, columns, count: rows.len() }
}

fn all<T: TryGetable>(rows: &[QueryResult], name: &str) -> Vec<Option<T>> {
    rows.iter().map(|row| row.try_get("", name).unwrap()).collect()
}

/// An open transaction of the baseline.
enum Writer {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

impl Writer {
    async fn begin(raw: &DatabaseConnection) -> Self {
        match raw.get_database_backend() {
            DbBackend::Postgres => {
                Self::Postgres(raw.get_postgres_connection_pool().begin_with("BEGIN").await.unwrap())
            }
            _ => Self::Sqlite(raw.get_sqlite_connection_pool().begin_with("BEGIN IMMEDIATE").await.unwrap()),
        }
    }

    async fn commit(self) {
        match self {
            Self::Postgres(transaction) => transaction.commit().await.unwrap(),
            Self::Sqlite(transaction) => transaction.commit().await.unwrap(),
        }
    }

    async fn insert(&mut self, rows: Rows) {
        let (table, names) = (rows.table, rows.names.join(", "));
        let from = |relation: &str| match relation.strip_prefix("VALUES ") {
            Some(_) => format!("INSERT INTO {table} ({names}) {relation}"),
            None => format!("INSERT INTO {table} ({names}) SELECT * FROM {relation}"),
        };
        self.run(rows, from).await;
    }

    /// Sets every column of `rows` that is none of `keys`.
    async fn update(&mut self, rows: Rows, keys: &[&str]) {
        let (table, names) = (rows.table, rows.names.clone());
        let from = |relation: &str| {
            let is_values = relation.starts_with("VALUES ");
            let v = |name: &String| {
                let place = names.iter().position(|known| known == name).unwrap() + 1;
                if is_values { format!("v.column{place}") } else { format!("v.{name}") }
            };
            let set = names.iter().filter(|name| !keys.contains(&name.as_str()));
            let set = set.map(|name| format!("{name} = {}", v(name))).collect::<Vec<_>>().join(", ");
            let on = names.iter().filter(|name| keys.contains(&name.as_str()));
            let on = on.map(|name| format!("{table}.{name} = {}", v(name))).collect::<Vec<_>>().join(" AND ");
            let relation = if is_values {
                // SQLite looks the rows up by their keys only if it knows how few there are.
                let count = relation.matches('(').count();
                format!("(SELECT * FROM ({relation}) LIMIT {count}) AS v")
            } else {
                relation.to_owned()
            };
            format!("UPDATE {table} SET {set} FROM {relation} WHERE {on}")
        };
        self.run(rows, from).await;
    }

    async fn run(&mut self, rows: Rows, text: impl Fn(&str) -> String) {
        if rows.count == 0 {
            return;
        }
        match self {
            Self::Postgres(transaction) => unnested(transaction, rows, text).await,
            Self::Sqlite(transaction) => in_parts(transaction, rows, text).await,
        }
    }
}

async fn unnested(
    transaction: &mut Transaction<'static, Postgres>,
    rows: Rows,
    text: impl Fn(&str) -> String,
) {
    let casts = (1..).zip(&rows.columns).map(|(n, column)| {
        let kind = match column {
            Values::Ids(_) => "uuid",
            Values::Texts(_) => "text",
            Values::Numbers(_) => "bigint",
            Values::Times(_) => "timestamptz",
            Values::Flags(_) => "boolean",
            Values::Bytes(_) => "bytea",
        };
        format!("${n}::{kind}[]")
    });
    let casts = casts.collect::<Vec<_>>().join(", ");
    let text = text(&format!("unnest({casts}) AS v ({})", rows.names.join(", ")));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for column in rows.columns {
        query = match column {
            Values::Ids(values) => query.bind(values),
            Values::Texts(values) => query.bind(values),
            Values::Numbers(values) => query.bind(values),
            Values::Times(values) => query.bind(values),
            Values::Flags(values) => query.bind(values),
            Values::Bytes(values) => query.bind(values),
        };
    }
    let done = query.execute(&mut **transaction).await.unwrap().rows_affected();
    assert_eq!(usize::try_from(done).unwrap(), rows.count);
}

async fn in_parts(transaction: &mut Transaction<'static, Sqlite>, rows: Rows, text: impl Fn(&str) -> String) {
    let row = format!("({})", vec!["?"; rows.columns.len()].join(","));
    let mut columns = rows.columns;
    let (mut place, mut done) = (0, 0);
    for size in SIZES {
        let text = text(&format!("VALUES {}", vec![row.as_str(); size].join(",")));
        while rows.count - place >= size {
            let mut query = sqlx::query(AssertSqlSafe(text.clone()));
            for row in place..place + size {
                for column in &mut columns {
                    query = match column {
                        Values::Ids(values) => query.bind(values[row].take()),
                        Values::Texts(values) => query.bind(values[row].take()),
                        Values::Numbers(values) => query.bind(values[row].take()),
                        Values::Times(values) => query.bind(values[row].take()),
                        Values::Flags(values) => query.bind(values[row].take()),
                        Values::Bytes(values) => query.bind(values[row].take()),
                    };
                }
            }
            done += query.execute(&mut **transaction).await.unwrap().rows_affected();
            place += size;
        }
    }
    assert_eq!(usize::try_from(done).unwrap(), rows.count);
}
