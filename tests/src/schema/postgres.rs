//! The catalogue of PostgreSQL: `pg_catalog`, of the schema `public`.

use std::collections::BTreeMap;

use sea_orm::{DatabaseConnection, DbBackend, DbErr, QueryResult};

use super::{BOOKKEEPING, Column, Reference, Schema, Table, grouped};

const TABLES: &str = "
    SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> $1";

const COLUMNS: &str = "
    SELECT a.attname::text, lower(format_type(a.atttypid, a.atttypmod)), a.attnotnull,
        CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, a.attidentity <> ''
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const KEYS: &str = "
    SELECT i.indexrelid::regclass::text, a.attname::text
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
    WHERE i.indrelid = $1::text::regclass AND i.indisunique AND i.indisprimary = $2 AND k.place <= i.indnkeyatts
    ORDER BY 1, k.place";

const REFERENCES: &str = "
    SELECT c.conname::text, c.confrelid::regclass::text, here.attname::text, there.attname::text
    FROM pg_constraint c
    CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (here, there, place)
    JOIN pg_attribute here ON here.attrelid = c.conrelid AND here.attnum = k.here
    JOIN pg_attribute there ON there.attrelid = c.confrelid AND there.attnum = k.there
    WHERE c.conrelid = $1::text::regclass AND c.contype = 'f' ORDER BY c.conname, k.place";

const SEQUENCES: &str = "
    SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND relname <> $1";

const DEFINITIONS: &str = "
    SELECT 'index ' || pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> $1
    UNION ALL
    SELECT 'constraint ' || t.relname || '.' || c.conname || ': ' || pg_get_constraintdef(c.oid)
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
    WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> $1
    UNION ALL
    SELECT 'trigger ' || pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    WHERE t.relnamespace = 'public'::regnamespace AND NOT g.tgisinternal
    UNION ALL
    SELECT 'view ' || relname || ': ' || pg_get_viewdef(oid) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
    UNION ALL
    SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prokind IN ('f', 'p')";

pub(super) async fn read(connection: &DatabaseConnection) -> Result<Schema, DbErr> {
    let mut tables = BTreeMap::new();
    for name in texts(connection, TABLES).await? {
        let table = table(connection, &name).await?;
        tables.insert(name, table);
    }
    Ok(Schema {
        tables,
        sequences: texts(connection, SEQUENCES).await?,
        definitions: texts(connection, DEFINITIONS).await?,
    })
}

async fn table(connection: &DatabaseConnection, name: &str) -> Result<Table, DbErr> {
    let about = |query| super::rows(connection, DbBackend::Postgres, query, [name.into()]);
    let keys =
        |primary: bool| super::rows(connection, DbBackend::Postgres, KEYS, [name.into(), primary.into()]);
    let mut references: BTreeMap<String, Reference> = BTreeMap::new();
    for row in about(REFERENCES).await? {
        let to: String = row.try_get_by_index(1)?;
        let reference =
            references.entry(row.try_get_by_index(0)?).or_insert_with(|| Reference { to, pairs: Vec::new() });
        reference.pairs.push((row.try_get_by_index(2)?, row.try_get_by_index(3)?));
    }
    Ok(Table {
        columns: about(COLUMNS).await?.iter().map(column).collect::<Result<_, _>>()?,
        primary_key: grouped(keys(true).await?)?.into_iter().flatten().collect(),
        unique_keys: grouped(keys(false).await?)?,
        references: references.into_values().collect(),
        strict: true,
        autoincrement: false,
    })
}

fn column(row: &QueryResult) -> Result<Column, DbErr> {
    Ok(Column {
        name: row.try_get_by_index(0)?,
        type_name: row.try_get_by_index(1)?,
        required: row.try_get_by_index(2)?,
        default: row.try_get_by_index(3)?,
        identity: row.try_get_by_index(4)?,
    })
}

async fn texts(connection: &DatabaseConnection, query: &str) -> Result<Vec<String>, DbErr> {
    let rows = super::rows(connection, DbBackend::Postgres, query, [BOOKKEEPING.into()]).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
