//! The catalogue of SQLite: `sqlite_master` and the `pragma_…` functions.

use std::collections::BTreeMap;

use sea_orm::{DatabaseConnection, DbBackend, DbErr, QueryResult, Value};

use super::{BOOKKEEPING, Column, Reference, Schema, Table, grouped};

pub(super) async fn read(connection: &DatabaseConnection) -> Result<Schema, DbErr> {
    let listed = rows(
        connection,
        "SELECT m.name, m.sql, l.strict FROM sqlite_master m JOIN pragma_table_list l ON l.name = m.name \
         WHERE m.type = 'table' AND l.schema = 'main' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name <> $1",
        [BOOKKEEPING.into()],
    )
    .await?;
    let mut tables = BTreeMap::new();
    for row in listed {
        let name: String = row.try_get_by_index(0)?;
        let text: String = row.try_get_by_index(1)?;
        let strict: i64 = row.try_get_by_index(2)?;
        let mut table = table(connection, &name).await?;
        table.strict = strict == 1;
        table.autoincrement = text.to_ascii_lowercase().contains("autoincrement");
        tables.insert(name, table);
    }
    resolve_references(&mut tables);
    let definitions = rows(
        connection,
        "SELECT type || ' ' || name || ': ' || sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> $1",
        [BOOKKEEPING.into()],
    )
    .await?;
    let definitions = definitions.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    Ok(Schema { tables, sequences: Vec::new(), definitions })
}

async fn table(connection: &DatabaseConnection, name: &str) -> Result<Table, DbErr> {
    let mut table = Table::default();
    let mut key: Vec<(i64, String)> = Vec::new();
    let columns =
        r#"SELECT name, lower(type), "notnull", dflt_value, pk FROM pragma_table_info($1) ORDER BY cid"#;
    for row in rows(connection, columns, [name.into()]).await? {
        let column = column(&row)?;
        let place: i64 = row.try_get_by_index(4)?;
        if place > 0 {
            key.push((place, column.name.clone()));
        }
        table.columns.push(column);
    }
    key.sort();
    table.primary_key = key.into_iter().map(|(_, column)| column).collect();
    let unique = r#"SELECT l.name, i.name FROM pragma_index_list($1) l JOIN pragma_index_info(l.name) i
        WHERE l."unique" = 1 AND l.origin <> 'pk' ORDER BY l.name, i.seqno"#;
    table.unique_keys = grouped(rows(connection, unique, [name.into()]).await?)?;
    let mut references: BTreeMap<i64, Reference> = BTreeMap::new();
    let foreign = r#"SELECT id, "table", "from", "to" FROM pragma_foreign_key_list($1) ORDER BY id, seq"#;
    for row in rows(connection, foreign, [name.into()]).await? {
        let to: String = row.try_get_by_index(1)?;
        let there: Option<String> = row.try_get_by_index(3)?;
        let reference =
            references.entry(row.try_get_by_index(0)?).or_insert_with(|| Reference { to, pairs: Vec::new() });
        reference.pairs.push((row.try_get_by_index(2)?, there.unwrap_or_default()));
    }
    table.references = references.into_values().collect();
    Ok(table)
}

fn column(row: &QueryResult) -> Result<Column, DbErr> {
    let not_null: i64 = row.try_get_by_index(2)?;
    Ok(Column {
        name: row.try_get_by_index(0)?,
        type_name: row.try_get_by_index(1)?,
        required: not_null == 1,
        default: row.try_get_by_index(3)?,
        identity: false,
    })
}

/// `REFERENCES t` without columns means the primary key of `t`.
fn resolve_references(tables: &mut BTreeMap<String, Table>) {
    let keys: BTreeMap<String, Vec<String>> =
        tables.iter().map(|(name, table)| (name.clone(), table.primary_key.clone())).collect();
    for reference in tables.values_mut().flat_map(|table| &mut table.references) {
        let Some(key) = keys.get(&reference.to) else { continue };
        for ((_, there), column) in reference.pairs.iter_mut().zip(key) {
            if there.is_empty() {
                there.clone_from(column);
            }
        }
    }
}

async fn rows(
    connection: &DatabaseConnection,
    query: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    super::rows(connection, DbBackend::Sqlite, query, values).await
}
