//! Hourly sums are written thousands a second: their key begins with the hour, and nothing is looked up elsewhere
//! for each of them (R5.4, R14.2).
//!
//! | before | now | because |
//! |---|---|---|
//! | key … resource, plan, hour | key … hour, resource, plan | what is measured now lies together: a set of sums touches few pages, whatever the number of resources |
//! | foreign keys to plan, project, resource | none | the transaction that writes a sum has read all three with the account held; a check for each row costs as much as the row |
//! | SQLite: a table and an index | one tree | as for the events |

use sea_orm_migration::prelude::*;

use crate::{
    dialect::{self, is_sqlite},
    guard::Guard,
};

/// As m0012 made it, without references, and with the other key.
const TABLE: &str = "
CREATE TABLE usage_hour (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    billed_with bigint NOT NULL CHECK (billed_with >= usage_month),
    resource_id uuid NOT NULL,
    plan text NOT NULL,
    hour_at timestamptz NOT NULL,
    usage_month bigint NOT NULL,
    units bigint NOT NULL CHECK (units >= 0),
    fraction bigint NOT NULL CHECK (fraction >= 0 AND fraction < 10000000000),
    event_count bigint NOT NULL CHECK (event_count > 0),
    PRIMARY KEY (account_id, project_id, billed_with, hour_at, resource_id, plan)
)";

const ON_POSTGRES: &str = "ALTER TABLE usage_hour \
    DROP CONSTRAINT usage_hour_plan_fkey, \
    DROP CONSTRAINT usage_hour_account_id_project_id_fkey, \
    DROP CONSTRAINT usage_hour_account_id_resource_id_fkey, \
    DROP CONSTRAINT usage_hour_pkey, \
    ADD PRIMARY KEY (account_id, project_id, billed_with, hour_at, resource_id, plan)";

/// A sum grows only, and never goes, as before.
const HOUR: Guard = Guard {
    table: "usage_hour",
    key: &["account_id", "project_id", "billed_with", "hour_at", "resource_id", "plan"],
    frozen: &["account_id", "project_id", "billed_with", "hour_at", "resource_id", "plan", "usage_month"],
    refused_if: Some(
        "new.event_count <= old.event_count OR new.units < old.units \
         OR (new.units = old.units AND new.fraction < old.fraction)",
    ),
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if !is_sqlite(manager) {
            return connection.execute_unprepared(ON_POSTGRES).await.map(|_| ());
        }
        // The triggers go with the table they are on.
        connection.execute_unprepared("ALTER TABLE usage_hour RENAME TO usage_hour_before").await?;
        let table = dialect::for_sqlite(TABLE.trim());
        connection.execute_unprepared(&format!("{table}, WITHOUT ROWID")).await?;
        let columns = "account_id, project_id, billed_with, resource_id, plan, hour_at, usage_month, units, \
                       fraction, event_count";
        let copy = format!("INSERT INTO usage_hour ({columns}) SELECT {columns} FROM usage_hour_before");
        connection.execute_unprepared(&copy).await?;
        for attempt in ["update", "delete", "replace"] {
            let text = format!("DROP TRIGGER usage_hour_no_{attempt}");
            connection.execute_unprepared(&text).await?;
        }
        connection.execute_unprepared("DROP TABLE usage_hour_before").await?;
        HOUR.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
