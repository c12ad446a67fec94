//! A set of rows as the input of one statement.
//!
//! | backend | form | because |
//! |---|---|---|
//! | PostgreSQL | `SELECT unnest($1::uuid[]) AS id, unnest($2::text[]) AS note, …` | one text whatever the number of rows, so that one plan is prepared, once; multi-row VALUES of varying sizes grow a connection without end. Not in FROM, where each column is first copied to a store of its own: that is twice the time |
//! | PostgreSQL, columns that are [`Kind::Often`] the same | `$1::uuid AS account_id`, if all of them are in all rows | an array costs for each of its elements, on both sides of the wire; two texts |
//! | SQLite, writing | `VALUES (?, …), …` of fixed sizes | few texts, so that they stay prepared; there are no arrays |
//! | SQLite, reading | one `VALUES` of all rows | as many queries for five hundred as for one |
//! | SQLite, as a relation | `LIMIT` as many rows as there are | it is told how few they are: of `VALUES` it supposes a million, and scans the table they are joined to instead of looking them up |

use std::iter;

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ColumnType, ConnectionTrait, DbBackend, DbErr, EntityName,
    EntityTrait, IdenStatic, Iterable, QueryResult, Statement, Value,
    prelude::{DateTimeUtc, Uuid},
    sea_query::{ArrayType, Expr, ExprTrait, extension::postgres::PgFunc},
};

use crate::{
    db::{BINDS_MAX, Tx},
    id::{AccountId, Id},
};

/// How many rows a statement for SQLite has.
pub const SIZES: [usize; 5] = [1000, 200, 50, 10, 1];

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An id.
    Uuid,
    /// Text, of rates and codes as well.
    Text,
    /// A 64-bit integer.
    Number,
    /// An instant.
    Instant,
    /// True or false.
    Flag,
    /// Bytes.
    Bytes,
    /// What may be absent.
    Optional(&'static Kind),
    /// What is often the same in every row, as the account is: not all columns of a set can be.
    Often(&'static Kind),
}

impl Kind {
    const fn cast(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Number => "bigint",
            Self::Instant => "timestamptz",
            Self::Flag => "boolean",
            Self::Bytes => "bytea",
            Self::Optional(kind) | Self::Often(kind) => kind.cast(),
        }
    }

    const fn array(self) -> ArrayType {
        match self {
            Self::Uuid => ArrayType::Uuid,
            Self::Text => ArrayType::String,
            Self::Number => ArrayType::BigInt,
            Self::Instant => ArrayType::ChronoDateTimeUtc,
            Self::Flag => ArrayType::Bool,
            Self::Bytes => ArrayType::Bytes,
            Self::Optional(kind) | Self::Often(kind) => kind.array(),
        }
    }

    /// What stands in the array where there is nothing: the driver knows no arrays with holes.
    fn filling(self) -> Value {
        match self {
            Self::Uuid => Uuid::nil().into(),
            Self::Text => "".into(),
            Self::Number => 0_i64.into(),
            Self::Instant => DateTimeUtc::UNIX_EPOCH.into(),
            Self::Flag => false.into(),
            Self::Bytes => Vec::<u8>::new().into(),
            Self::Optional(kind) | Self::Often(kind) => kind.filling(),
        }
    }

    const fn is_optional(self) -> bool {
        matches!(self, Self::Optional(_))
    }

    const fn is_often_the_same(self) -> bool {
        matches!(self, Self::Often(_))
    }

    /// The kind of an entity's column; none for one that no table here has.
    fn of(column: &ColumnType, optional: bool) -> Option<Self> {
        let kinds = [
            (matches!(column, ColumnType::Uuid), &Self::Uuid),
            (matches!(column, ColumnType::String(_) | ColumnType::Text), &Self::Text),
            (matches!(column, ColumnType::BigInteger), &Self::Number),
            (matches!(column, ColumnType::TimestampWithTimeZone), &Self::Instant),
            (matches!(column, ColumnType::Boolean), &Self::Flag),
        ];
        let (_, kind) = kinds.into_iter().find(|(is_it, _)| *is_it)?;
        Some(if optional { Self::Optional(kind) } else { *kind })
    }
}

/// Rows of `N` columns.
#[derive(Clone, Debug)]
pub struct Set<const N: usize> {
    columns: [(&'static str, Kind); N],
    values: [Vec<Value>; N],
}

impl<const N: usize> Set<N> {
    /// No row yet, of these columns; room for `rows`.
    #[must_use]
    pub fn new(columns: [(&'static str, Kind); N], rows: usize) -> Self {
        Self { columns, values: std::array::from_fn(|_| Vec::with_capacity(rows)) }
    }

    /// Adds a row.
    pub fn push(&mut self, row: [Value; N]) {
        for (column, value) in self.values.iter_mut().zip(row) {
            column.push(value);
        }
    }

    /// The rows that `text`, which only reads, answers with: it is given what stands for the set, to be named in its
    /// FROM as the relation `v` with the set's columns.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(
        self,
        connection: &impl ConnectionTrait,
        text: impl Fn(&str) -> String,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let rows = self.rows();
        let whole = [rows.count.clamp(1, BINDS_MAX / N.max(1)), 1];
        let mut found = Vec::new();
        for statement in rows.related(connection.get_database_backend(), &whole, text) {
            found.extend(connection.query_all_raw(statement).await?);
        }
        Ok(found)
    }

    /// As [`Self::read`], for what `text` writes. On SQLite the set comes in parts.
    ///
    /// # Errors
    /// The database's.
    pub async fn query(
        self,
        connection: &impl ConnectionTrait,
        text: impl Fn(&str) -> String,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let mut found = Vec::new();
        for statement in self.rows().related(connection.get_database_backend(), &SIZES, text) {
            found.extend(connection.query_all_raw(statement).await?);
        }
        Ok(found)
    }

    /// Runs `text`, as [`Self::query`] does, for a statement that answers with nothing. How many rows it changed.
    ///
    /// # Errors
    /// The database's.
    pub async fn execute(
        self,
        connection: &impl ConnectionTrait,
        text: impl Fn(&str) -> String,
    ) -> Result<u64, DbErr> {
        let mut changed = 0;
        for statement in self.rows().related(connection.get_database_backend(), &SIZES, text) {
            changed += connection.execute_raw(statement).await?.rows_affected();
        }
        Ok(changed)
    }

    /// Inserts the set into `table`.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert(self, tx: &Tx, table: &str) -> Result<(), DbErr> {
        self.rows().insert(tx, table).await
    }

    fn rows(self) -> Rows {
        let count = self.values.first().map_or(0, Vec::len);
        Rows { columns: self.columns.to_vec(), values: self.values.into(), count }
    }
}

/// Inserts rows of an entity, every column of which is set.
///
/// # Errors
/// The database's; [`DbErr::Type`] for a column of a kind no table of Florin has, or one that is not set.
pub async fn insert_all<A>(tx: &Tx, rows: Vec<A>) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
{
    let columns = <<A::Entity as EntityTrait>::Column as Iterable>::iter().collect::<Vec<_>>();
    let mut names = Vec::with_capacity(columns.len());
    for column in &columns {
        let definition = column.def();
        let kind = Kind::of(definition.get_column_type(), definition.is_null());
        let strange = || DbErr::Type(format!("a column {} of a strange kind", column.as_str()));
        names.push((column.as_str(), kind.ok_or_else(strange)?));
    }
    let (mut values, count) = (vec![Vec::with_capacity(rows.len()); columns.len()], rows.len());
    for mut row in rows {
        for (column, values) in columns.iter().zip(&mut values) {
            match row.take(*column) {
                ActiveValue::Set(value) | ActiveValue::Unchanged(value) => values.push(value),
                ActiveValue::NotSet => {
                    return Err(DbErr::Type(format!("the column {} is not set", column.as_str())));
                }
            }
        }
    }
    Rows { columns: names, values, count }.insert(tx, A::Entity::default().table_name()).await
}

/// That `column` is one of `ids`: one text on PostgreSQL, however many there are.
pub fn is_among<C: ColumnTrait, K>(backend: DbBackend, column: C, ids: &[Id<K>]) -> Expr {
    let ids = ids.iter().copied().map(Value::from);
    if backend == DbBackend::Postgres {
        return column.into_expr().eq(PgFunc::any(array(Kind::Uuid, ids.collect())));
    }
    column.into_expr().is_in(ids)
}

/// As [`is_among`] for raw text: the condition that `column` is one of `accounts`, whose binds begin with number
/// `first`, and the values to bind.
#[must_use]
pub fn among(backend: DbBackend, column: &str, first: usize, accounts: &[AccountId]) -> (String, Vec<Value>) {
    let ids = accounts.iter().copied().map(Value::from);
    if backend == DbBackend::Postgres {
        return (format!("{column} = ANY(${first})"), vec![array(Kind::Uuid, ids.collect())]);
    }
    let places = (first..first + accounts.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    (format!("{column} IN ({places})"), ids.collect())
}

fn array(kind: Kind, values: Vec<Value>) -> Value {
    Value::Array(kind.array(), Some(Box::new(values)))
}

/// Rows of any number of columns: column by column.
struct Rows {
    columns: Vec<(&'static str, Kind)>,
    values: Vec<Vec<Value>>,
    count: usize,
}

impl Rows {
    async fn insert(self, tx: &Tx, table: &str) -> Result<(), DbErr> {
        let backend = tx.get_database_backend();
        let names = self.names().join(", ");
        let statements = if backend == DbBackend::Postgres {
            let text = |rows: &str| format!("INSERT INTO {table} ({names}) SELECT {names} FROM {rows}");
            self.related(backend, &SIZES, text)
        } else {
            self.in_parts(backend, &SIZES, |_, rows| format!("INSERT INTO {table} ({names}) VALUES {rows}"))
        };
        for statement in statements {
            tx.execute_raw(statement).await?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|(name, _)| *name).collect()
    }

    /// Statements whose text names the rows as a relation `v`.
    fn related(self, backend: DbBackend, sizes: &[usize], text: impl Fn(&str) -> String) -> Vec<Statement> {
        if self.count == 0 {
            return Vec::new();
        }
        if backend == DbBackend::Postgres {
            let (relation, arrays) = self.unnested();
            return vec![Statement::from_sql_and_values(backend, text(&relation), arrays)];
        }
        let columns = (1..).zip(self.names()).map(|(n, name)| format!("column{n} AS {name}"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        self.in_parts(backend, sizes, |count, rows| {
            text(&format!("(SELECT {columns} FROM (VALUES {rows}) LIMIT {count}) AS v"))
        })
    }

    /// The relation `v` of PostgreSQL, and what it is made of.
    fn unnested(self) -> (String, Vec<Value>) {
        let any_optional = self.columns.iter().any(|(_, kind)| kind.is_optional());
        let once = self.is_same_where_often();
        let (mut inner, mut outer, mut binds) = (Vec::new(), Vec::new(), Vec::new());
        let mut add = |name: &str, kind: Kind, mut values: Vec<Value>| {
            let (place, cast) = (binds.len() + 1, kind.cast());
            if once && kind.is_often_the_same() {
                binds.push(values.swap_remove(0));
                inner.push(format!("${place}::{cast} AS {name}"));
            } else {
                binds.push(array(kind, values));
                inner.push(format!("unnest(${place}::{cast}[]) AS {name}"));
            }
        };
        for ((name, kind), mut values) in self.columns.into_iter().zip(self.values) {
            if !kind.is_optional() {
                add(name, kind, values);
                outer.push(format!("u.{name}"));
                continue;
            }
            let known = values.iter().map(|value| (!is_absent(value)).into()).collect();
            values.iter_mut().filter(|value| is_absent(value)).for_each(|value| *value = kind.filling());
            add(name, kind, values);
            add(&format!("{name}_known"), Kind::Flag, known);
            outer.push(format!("CASE WHEN u.{name}_known THEN u.{name} END AS {name}"));
        }
        let inner = inner.join(", ");
        let relation = if any_optional {
            format!("(SELECT {} FROM (SELECT {inner}) AS u) AS v", outer.join(", "))
        } else {
            format!("(SELECT {inner}) AS v")
        };
        (relation, binds)
    }

    /// Whether every column that often is has the same value in all rows, of which there is one.
    fn is_same_where_often(&self) -> bool {
        self.columns.iter().zip(&self.values).all(|((_, kind), values)| {
            !kind.is_often_the_same() || values.windows(2).all(|pair| pair[0] == pair[1])
        })
    }

    /// Statements of as many rows as `sizes` say, which ends with 1.
    fn in_parts(
        self,
        backend: DbBackend,
        sizes: &[usize],
        text: impl Fn(usize, &str) -> String,
    ) -> Vec<Statement> {
        let width = self.columns.len();
        let row = format!("({})", vec!["?"; width].join(","));
        let mut open = self.count;
        let mut rest = self.values.into_iter().map(Vec::into_iter).collect::<Vec<_>>();
        let mut statements = Vec::new();
        for size in sizes.iter().copied().filter(|size| size * width <= BINDS_MAX) {
            if open < size {
                continue;
            }
            let text = text(size, &vec![row.as_str(); size].join(","));
            while open >= size {
                let mut values = Vec::with_capacity(size * width);
                for _ in 0..size {
                    values.extend(rest.iter_mut().filter_map(iter::Iterator::next));
                }
                statements.push(Statement::from_sql_and_values(backend, text.clone(), values));
                open -= size;
            }
        }
        statements
    }
}

fn is_absent(value: &Value) -> bool {
    *value == value.as_null()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Kind); 2] = [("id", Kind::Uuid), ("note", Kind::Optional(&Kind::Text))];

    fn set(rows: usize) -> Rows {
        let mut set = Set::new(COLUMNS, rows);
        for row in 0..rows {
            let note = (row % 2 == 0).then(|| "even".to_owned());
            set.push([Uuid::from_u128(row as u128).into(), note.into()]);
        }
        set.rows()
    }

    #[test]
    fn postgres_has_one_text_for_any_number_of_rows() {
        let text = |rows| {
            let statements = set(rows).related(DbBackend::Postgres, &SIZES, |v| format!("SELECT * FROM {v}"));
            assert_eq!(statements.len(), 1);
            statements[0].sql.clone()
        };
        assert_eq!(text(1), text(777));
        assert_eq!(
            text(1),
            "SELECT * FROM (SELECT u.id, CASE WHEN u.note_known THEN u.note END AS note \
             FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::text[]) AS note, unnest($3::boolean[]) AS note_known) \
             AS u) AS v"
        );
    }

    #[test]
    fn postgres_is_given_once_what_is_the_same_in_every_row() {
        let statement = |notes: [&str; 2]| {
            let mut set = Set::new([("note", Kind::Often(&Kind::Text)), ("size", Kind::Number)], 2);
            for (size, note) in (0_i64..).zip(notes) {
                set.push([note.into(), size.into()]);
            }
            set.rows().related(DbBackend::Postgres, &SIZES, |v| format!("SELECT * FROM {v}")).remove(0)
        };
        let once = statement(["one", "one"]);
        assert_eq!(once.sql, "SELECT * FROM (SELECT $1::text AS note, unnest($2::bigint[]) AS size) AS v");
        assert_eq!(once.values.expect("binds").0[0], "one".into());
        assert_eq!(
            statement(["one", "two"]).sql,
            "SELECT * FROM (SELECT unnest($1::text[]) AS note, unnest($2::bigint[]) AS size) AS v"
        );
    }

    #[test]
    fn sqlite_has_few_texts_and_every_row_once() {
        let statements = set(1234).in_parts(DbBackend::Sqlite, &SIZES, |_, rows| rows.to_owned());
        assert_eq!(statements.len(), 1 + 1 + 3 + 4);
        let binds = statements.iter().filter_map(|statement| statement.values.as_ref());
        let ids = binds.flat_map(|values| values.0.iter().step_by(2)).cloned().collect::<Vec<_>>();
        assert_eq!(ids, (0..1234).map(|row| Uuid::from_u128(row).into()).collect::<Vec<Value>>());
    }

    #[test]
    fn no_row_is_no_statement() {
        assert!(set(0).related(DbBackend::Postgres, &SIZES, str::to_owned).is_empty());
        assert!(set(0).in_parts(DbBackend::Sqlite, &SIZES, |_, rows| rows.to_owned()).is_empty());
    }
}
