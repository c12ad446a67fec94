//! One text of SQL for both backends.

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

/// PostgreSQL's word for a type, and what a STRICT table of SQLite calls it.
const TYPES: [(&str, &str); 6] = [
    ("uuid", "BLOB"),
    ("timestamptz", "TEXT"),
    ("bytea", "BLOB"),
    ("bigint", "INTEGER"),
    ("boolean", "INTEGER"),
    ("text", "TEXT"),
];

/// Whether the step runs on SQLite.
pub(crate) fn is_sqlite(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Sqlite
}

/// Runs `CREATE TABLE` and `CREATE INDEX` statements written for PostgreSQL, separated by `;`.
///
/// On SQLite types are translated and every table becomes STRICT, so that no float can slip in.
pub(crate) async fn create(manager: &SchemaManager<'_>, statements: &str) -> Result<(), DbErr> {
    for statement in statements.split(';').map(str::trim).filter(|text| !text.is_empty()) {
        let text = if is_sqlite(manager) { for_sqlite(statement) } else { statement.to_owned() };
        manager.get_connection().execute_unprepared(&text).await?;
    }
    Ok(())
}

/// A statement written for PostgreSQL in SQLite's words; a table becomes STRICT.
pub(crate) fn for_sqlite(statement: &str) -> String {
    let mut text = String::with_capacity(statement.len());
    let mut word = String::new();
    for character in statement.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        let translated =
            TYPES.iter().find(|(name, _)| *name == word).map_or(word.as_str(), |(_, sqlite)| sqlite);
        text.push_str(translated);
        text.push(character);
        word.clear();
    }
    let text = text.trim_end().to_owned();
    if text.starts_with("CREATE TABLE") { format!("{text} STRICT") } else { text }
}

#[cfg(test)]
mod tests {
    use super::for_sqlite;

    #[test]
    fn types_are_translated_as_whole_words_and_tables_are_strict() {
        assert_eq!(
            for_sqlite("CREATE TABLE t (id uuid NOT NULL, text_id text, at timestamptz)"),
            "CREATE TABLE t (id BLOB NOT NULL, text_id TEXT, at TEXT) STRICT"
        );
        assert_eq!(for_sqlite("CREATE INDEX i ON t (id)"), "CREATE INDEX i ON t (id)");
    }
}
