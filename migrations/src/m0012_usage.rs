//! Measured usage: events as they came, their hourly sums, and which months are closed (R5.4, R5.5).

use sea_orm_migration::prelude::*;

use crate::{
    dialect::{self, is_sqlite},
    guard::Guard,
};

/// Events refer to no resource by a foreign key: what refers is checked in the transaction that writes it, with
/// the account locked, and a check for each of a thousand rows costs as much as the rows.
///
/// The key is the order in which events are found again, by the account and the sender's id; on SQLite it is
/// also where they lie, so that there is one tree and not two.
const EVENTS: &str = "
CREATE TABLE usage_event (
    account_id uuid NOT NULL,
    event_id text NOT NULL,
    resource_id uuid NOT NULL,
    usage_micros bigint NOT NULL,
    units bigint NOT NULL CHECK (units >= 0),
    fraction bigint NOT NULL CHECK (fraction >= 0 AND fraction < 10000000000),
    label text NOT NULL,
    source text NOT NULL,
    received_micros bigint NOT NULL,
    PRIMARY KEY (account_id, event_id)
)";

/// Quantities are whole units and 10⁻¹⁰ parts of one: exact, and their sums are, too (R1.4). `billed_with` and
/// `usage_month` are months as numbers, as in 202703.
const TABLES: &str = "
CREATE TABLE usage_hour (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    billed_with bigint NOT NULL CHECK (billed_with >= usage_month),
    resource_id uuid NOT NULL,
    plan text NOT NULL REFERENCES plan (code),
    hour_at timestamptz NOT NULL,
    usage_month bigint NOT NULL,
    units bigint NOT NULL CHECK (units >= 0),
    fraction bigint NOT NULL CHECK (fraction >= 0 AND fraction < 10000000000),
    event_count bigint NOT NULL CHECK (event_count > 0),
    PRIMARY KEY (account_id, project_id, billed_with, resource_id, plan, hour_at),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id),
    FOREIGN KEY (account_id, resource_id) REFERENCES resource (account_id, id)
);
CREATE TABLE usage_closing (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    month bigint NOT NULL,
    closed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id, month),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id)
);
CREATE TABLE usage_retention (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    month bigint NOT NULL,
    after_account uuid,
    after_event text,
    CHECK ((after_account IS NULL) = (after_event IS NULL))
)";

/// A sum grows only, and never goes: it stays when the events it is made of are forgotten.
const HOUR: Guard = Guard {
    table: "usage_hour",
    key: &["account_id", "project_id", "billed_with", "resource_id", "plan", "hour_at"],
    frozen: &["account_id", "project_id", "billed_with", "resource_id", "plan", "hour_at", "usage_month"],
    refused_if: Some(
        "new.event_count <= old.event_count OR new.units < old.units \
         OR (new.units = old.units AND new.fraction < old.fraction)",
    ),
};

/// A month that was invoiced stays invoiced.
const CLOSING: Guard = Guard {
    table: "usage_closing",
    key: &["account_id", "project_id", "month"],
    frozen: &["account_id", "project_id", "month", "closed_at"],
    refused_if: None,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if is_sqlite(manager) {
            let events = dialect::for_sqlite(EVENTS.trim());
            connection.execute_unprepared(&format!("{events}, WITHOUT ROWID")).await?;
        } else {
            dialect::create(manager, EVENTS).await?;
        }
        dialect::create(manager, TABLES).await?;
        if !is_sqlite(manager) {
            // The sums of the hour that runs change with every batch, and stay in their page.
            connection.execute_unprepared("ALTER TABLE usage_hour SET (fillfactor = 70)").await?;
        }
        for statement in events_never_change(manager) {
            connection.execute_unprepared(&statement).await?;
        }
        for guard in [HOUR, CLOSING] {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// What was sent is never changed. It is deleted once its id need not be remembered any more (R5.4), so that
/// deleting cannot be refused here; and the guard's look for a known key before each INSERT would cost more
/// than the INSERT, whose `ON CONFLICT DO NOTHING` looks as well.
fn events_never_change(manager: &SchemaManager<'_>) -> Vec<String> {
    if is_sqlite(manager) {
        vec![
            "CREATE TRIGGER usage_event_no_update BEFORE UPDATE ON usage_event \
             BEGIN SELECT RAISE(ABORT, 'a change of usage_event is refused: it is history'); END"
                .to_owned(),
        ]
    } else {
        vec![
            "CREATE TRIGGER usage_event_no_update BEFORE UPDATE ON usage_event FOR EACH ROW \
             EXECUTE FUNCTION florin_refuse()"
                .to_owned(),
            "CREATE TRIGGER usage_event_no_truncate BEFORE TRUNCATE ON usage_event FOR EACH STATEMENT \
             EXECUTE FUNCTION florin_refuse()"
                .to_owned(),
        ]
    }
}
