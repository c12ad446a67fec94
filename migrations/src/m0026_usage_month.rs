//! What was measured is summed by month as well: a standing, a look and an invoice read one row for each resource,
//! where they read one for each of its hours (R4.8, R5.6, R14.2).
//!
//! The hours stay what a price change within a month is rated from, and what the months are checked against.

use sea_orm_migration::prelude::*;

use crate::{
    dialect::{self, is_sqlite},
    guard::Guard,
};

const TABLE: &str = "
CREATE TABLE usage_month (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    billed_with bigint NOT NULL CHECK (billed_with >= usage_month),
    resource_id uuid NOT NULL,
    plan text NOT NULL,
    usage_month bigint NOT NULL,
    first_hour timestamptz NOT NULL,
    last_hour timestamptz NOT NULL CHECK (last_hour >= first_hour),
    units bigint NOT NULL CHECK (units >= 0),
    fraction bigint NOT NULL CHECK (fraction >= 0 AND fraction < 10000000000),
    event_count bigint NOT NULL CHECK (event_count > 0),
    PRIMARY KEY (account_id, project_id, billed_with, resource_id, plan, usage_month)
)";

/// What was measured so far.
const FILL: &str = "
INSERT INTO usage_month (account_id, project_id, billed_with, resource_id, plan, usage_month, first_hour, last_hour,
    units, fraction, event_count)
SELECT account_id, project_id, billed_with, resource_id, plan, usage_month, MIN(hour_at), MAX(hour_at),
    CAST(SUM(units) AS bigint) + CAST(SUM(fraction) AS bigint) / 10000000000,
    CAST(SUM(fraction) AS bigint) % 10000000000, CAST(SUM(event_count) AS bigint)
FROM usage_hour GROUP BY account_id, project_id, billed_with, resource_id, plan, usage_month";

/// A sum grows only, and never goes.
const MONTH: Guard = Guard {
    table: "usage_month",
    key: &["account_id", "project_id", "billed_with", "resource_id", "plan", "usage_month"],
    frozen: &["account_id", "project_id", "billed_with", "resource_id", "plan", "usage_month"],
    refused_if: Some(
        "new.event_count <= old.event_count OR new.units < old.units \
         OR (new.units = old.units AND new.fraction < old.fraction) \
         OR new.first_hour > old.first_hour OR new.last_hour < old.last_hour",
    ),
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if is_sqlite(manager) {
            let table = dialect::for_sqlite(TABLE.trim());
            connection.execute_unprepared(&format!("{table}, WITHOUT ROWID")).await?;
        } else {
            dialect::create(manager, TABLE).await?;
            // The rows of the month that runs change with every batch, and stay in their page.
            connection.execute_unprepared("ALTER TABLE usage_month SET (fillfactor = 50)").await?;
        }
        connection.execute_unprepared(FILL).await?;
        MONTH.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
