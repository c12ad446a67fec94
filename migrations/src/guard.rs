//! What the database itself refuses: changes to rows that are history (R6.2, R8.2).
//!
//! | attempt | PostgreSQL | SQLite |
//! |---|---|---|
//! | UPDATE of a frozen column, or of any column of a frozen row | trigger with WHEN | trigger with WHEN |
//! | DELETE | trigger | trigger |
//! | TRUNCATE | trigger | there is none |
//! | INSERT OR REPLACE, which evades delete triggers | there is none | trigger on INSERT of a known key |

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbErr},
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
        let statements = if is_sqlite(manager) { self.for_sqlite() } else { self.for_postgres() };
        for statement in statements {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    fn for_sqlite(&self) -> Vec<String> {
        let Self { table, .. } = self;
        let refuse =
            format!("BEGIN SELECT RAISE(ABORT, 'a change of {table} is refused: it is history'); END");
        let known = self.key.iter().map(|column| format!("{column} = new.{column}")).collect::<Vec<_>>();
        vec![
            format!(
                "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN {} {refuse}",
                self.changed("IS NOT")
            ),
            format!("CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}"),
            format!(
                "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} \
                 WHEN EXISTS (SELECT 1 FROM {table} WHERE {}) {refuse}",
                known.join(" AND ")
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
