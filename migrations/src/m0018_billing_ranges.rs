//! Billing runs shared by many workers: a run is divided into ranges of accounts, each with its own cursor and
//! count; a run can be canceled and resumed; what was set aside can be billed later.
//!
//! Ranges are working state: they are folded into their run when it completes. A run that was under way before
//! this step goes on as one range.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

use crate::dialect::{self, is_sqlite};

const TABLES: &str = "
CREATE TABLE billing_range (
    run_id uuid NOT NULL REFERENCES billing_run (id),
    ordinal bigint NOT NULL CHECK (ordinal >= 0),
    after_account uuid,
    to_account uuid,
    cursor_account uuid,
    done boolean NOT NULL,
    invoiced_count bigint NOT NULL CHECK (invoiced_count >= 0),
    nothing_due_count bigint NOT NULL CHECK (nothing_due_count >= 0),
    set_aside_count bigint NOT NULL CHECK (set_aside_count >= 0),
    holder text,
    held_until_micros bigint NOT NULL,
    PRIMARY KEY (run_id, ordinal)
);
INSERT INTO billing_range (run_id, ordinal, cursor_account, done, invoiced_count, nothing_due_count,
    set_aside_count, held_until_micros)
    SELECT id, 0, after_account, FALSE, 0, 0, 0, 0 FROM billing_run
    WHERE state = 'RUNNING' AND project_count IS NOT NULL;
ALTER TABLE billing_run ADD COLUMN canceled_at timestamptz CHECK (canceled_at IS NULL OR state = 'RUNNING');
ALTER TABLE billing_set_aside ADD COLUMN attempts bigint NOT NULL DEFAULT 1 CHECK (attempts > 0);
ALTER TABLE billing_set_aside ADD COLUMN settled_at timestamptz;
ALTER TABLE billing_set_aside ADD COLUMN invoice_id uuid
    CHECK (invoice_id IS NULL OR settled_at IS NOT NULL)";

/// A debit changes a lot and its account's lock row, and no index: with room on the page it stays there.
const ROOM: [&str; 2] =
    ["ALTER TABLE credit_lot SET (fillfactor = 50)", "ALTER TABLE account_lock SET (fillfactor = 50)"];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        if !is_sqlite(manager) {
            for statement in ROOM {
                manager.get_connection().execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
