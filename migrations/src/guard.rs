//! What the database itself refuses: changes to rows that are history (R6.2, R8.2).
//!
//! | attempt | PostgreSQL | SQLite |
//! |---|---|---|
//! | UPDATE of a frozen column, or of any column of a frozen row | trigger with WHEN | trigger with WHEN |
//! | DELETE | trigger | trigger |
//! | TRUNCATE | trigger | there is none |
//! | INSERT OR REPLACE, which evades delete triggers | there is none | trigger on INSERT of a known key, of any unique key, or of a known rowid |
//! | UPDATE OR REPLACE of a rowid, which deletes another row | there is none | part of the trigger on UPDATE |

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement},
};

use crate::dialect::is_sqlite;

/// What of a table may still change once a row is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    /// The table.
    pub(crate) table: &'static str,
    /// Its primary key.
    pub(crate) key: &'static [&'static str],
    /// The columns that never change.
    pub(crate) frozen: &'static [&'static str],
    /// A further condition on `new` and `old` under which an UPDATE is refused, as in
    /// `new.remaining > old.remaining`.
    pub(crate) refused_if: Option<&'static str>,
}

/// Creates the function PostgreSQL's guard triggers call. Once, in the first step.
pub(crate) async fn prepare(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if is_sqlite(manager) {
        return Ok(());
    }
    let text = "CREATE FUNCTION florin_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ \
                BEGIN RAISE EXCEPTION '% of % is refused: it is history', TG_OP, TG_TABLE_NAME \
                USING ERRCODE = 'integrity_constraint_violation'; END $$";
    manager.get_connection().execute_unprepared(text).await.map(|_| ())
}

impl Guard {
    /// Puts the guard in place.
    pub(crate) async fn install(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let statements = if is_sqlite(manager) {
            self.for_sqlite(&unique_keys(manager, self.table).await?, has_rowid(manager, self.table).await?)
        } else {
            self.for_postgres()
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    /// Puts the guard in place of the one the table has, after columns were added.
    pub(crate) async fn replace(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        self.lift(manager).await?;
        self.install(manager).await
    }

    /// Takes the guard away that the table has; it is [installed](Self::install) again in the same step.
    pub(crate) async fn lift(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let Self { table, .. } = self;
        let (last, of) = if is_sqlite(manager) {
            ("replace", String::new())
        } else {
            ("truncate", format!(" ON {table}"))
        };
        for attempt in ["update", "delete", last] {
            let text = format!("DROP TRIGGER {table}_no_{attempt}{of}");
            manager.get_connection().execute_unprepared(&text).await?;
        }
        Ok(())
    }

    /// `unique` are further conditions under which a row stands in the way of `new`; `rowid`: whether the table has
    /// rowids beside its key.
    fn for_sqlite(&self, unique: &[String], rowid: Rowid) -> Vec<String> {
        let Self { table, .. } = self;
        let refuse =
            format!("BEGIN SELECT RAISE(ABORT, 'a change of {table} is refused: it is history'); END");
        // Of a row that is given none, the rowid is -1 before the INSERT.
        let (by_rowid, moved) = match rowid {
            Rowid::Present => (Some("rowid = new.rowid".to_owned()), "new.rowid <> old.rowid OR "),
            Rowid::Absent => (None, ""),
        };
        let known = std::iter::once(same(self.key.iter().copied()))
            .chain(by_rowid)
            .chain(unique.iter().cloned())
            .map(|condition| format!("EXISTS (SELECT 1 FROM {table} WHERE {condition})"));
        vec![
            format!(
                "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} \
                 WHEN {moved}{} {refuse}",
                self.changed("IS NOT")
            ),
            format!("CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}"),
            format!(
                "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} \
                 WHEN {} {refuse}",
                known.collect::<Vec<_>>().join(" OR ")
            ),
        ]
    }

    fn for_postgres(&self) -> Vec<String> {
        let Self { table, .. } = self;
        vec![
            format!(
                "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW \
                 WHEN ({}) EXECUTE FUNCTION florin_refuse()",
                self.changed("IS DISTINCT FROM")
            ),
            format!(
                "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION florin_refuse()"
            ),
            format!(
                "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION florin_refuse()"
            ),
        ]
    }

    fn changed(&self, differs: &str) -> String {
        let frozen = self.frozen.iter().map(|column| format!("new.{column} {differs} old.{column}"));
        frozen.chain(self.refused_if.map(|text| format!("({text})"))).collect::<Vec<_>>().join(" OR ")
    }
}

/// That a row has the values of `new` in `columns`.
fn same(columns: impl Iterator<Item = impl AsRef<str>>) -> String {
    let equal = columns.map(|column| format!("{0} = new.{0}", column.as_ref()));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// Whether a table of SQLite has rowids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rowid {
    Present,
    Absent,
}

async fn has_rowid(manager: &SchemaManager<'_>, table: &str) -> Result<Rowid, DbErr> {
    let text = format!("SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = '{table}'");
    let found = rows(manager, text).await?;
    let row = found.first().ok_or_else(|| DbErr::RecordNotFound(table.to_owned()))?;
    Ok(if row.try_get_by_index::<bool>(0)? { Rowid::Absent } else { Rowid::Present })
}

/// What the unique keys of a table of SQLite, beside its primary key, compare. An index over a part of the
/// rows says which in one comparison of one column.
async fn unique_keys(manager: &SchemaManager<'_>, table: &str) -> Result<Vec<String>, DbErr> {
    let indexes = format!(
        "SELECT list.name, master.sql FROM pragma_index_list('{table}') list \
         JOIN sqlite_master master ON master.name = list.name \
         WHERE list.\"unique\" = 1 AND list.origin <> 'pk' ORDER BY list.name"
    );
    let mut keys = Vec::new();
    for index in rows(manager, indexes).await? {
        let name: String = index.try_get_by_index(0)?;
        let text: Option<String> = index.try_get_by_index(1)?;
        let columns = format!("SELECT name FROM pragma_index_info('{name}') ORDER BY seqno");
        let mut compared = Vec::new();
        for column in rows(manager, columns).await? {
            compared.push(column.try_get_by_index::<String>(0)?);
        }
        let part = text.as_deref().and_then(|text| text.split_once(" WHERE "));
        let part = part.map(|(_, part)| format!(" AND {part} AND new.{part}")).unwrap_or_default();
        keys.push(same(compared.iter()) + &part);
    }
    Ok(keys)
}

async fn rows(manager: &SchemaManager<'_>, text: String) -> Result<Vec<QueryResult>, DbErr> {
    let connection = manager.get_connection();
    connection.query_all_raw(Statement::from_string(manager.get_database_backend(), text)).await
}
