//! What may be spent: the funding standing of each project, holds, budgets, and the settings behind them.
//!
//! `funding_standing` is computed from other tables, and the one row `CheckFunding` reads (R4.8). Rows of projects
//! that were there before this step are marked as no longer valid, so that the first look makes them true.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const TABLES: &str = "
CREATE TABLE catalogue_version (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    version bigint NOT NULL
);
CREATE TABLE spending_control (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    spend_cap bigint CHECK (spend_cap >= 0),
    prepaid_only boolean NOT NULL,
    version bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id)
);
CREATE TABLE funding_standing (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    state text NOT NULL,
    currency text NOT NULL,
    in_debt boolean NOT NULL,
    prepaid_only boolean NOT NULL,
    spend_cap bigint,
    own_credit bigint NOT NULL,
    shared_credit bigint NOT NULL,
    others_need bigint NOT NULL,
    others_rate text NOT NULL,
    unbilled bigint NOT NULL,
    spent bigint NOT NULL,
    reserved bigint NOT NULL,
    accrual text NOT NULL,
    conversion text NOT NULL,
    burn text NOT NULL,
    instances bigint NOT NULL,
    storages bigint NOT NULL,
    options bigint NOT NULL,
    instance_quota bigint,
    storage_quota bigint,
    option_quota bigint,
    restricted text NOT NULL,
    cap_reached boolean NOT NULL,
    exhausted boolean NOT NULL,
    unrated boolean NOT NULL,
    through_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id)
);
CREATE INDEX funding_standing_due ON funding_standing (due_at);
CREATE TABLE funding_hold (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    plan text NOT NULL REFERENCES plan (code),
    size text NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    used bigint NOT NULL CHECK (used >= 0),
    currency text NOT NULL,
    unit_amount bigint NOT NULL CHECK (unit_amount >= 0),
    cover_hours bigint NOT NULL CHECK (cover_hours > 0),
    resource_id uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text CHECK (ended_by IN ('RELEASED', 'TIMED_OUT', 'USED', 'REMOVED')),
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id),
    CHECK (used <= count),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CHECK (resource_id IS NULL OR count = 1)
);
CREATE INDEX funding_hold_open ON funding_hold (account_id, project_id) WHERE ended_at IS NULL;
CREATE TABLE budget (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    display_name text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    basis text NOT NULL CHECK (basis IN ('ACTUAL', 'FORECAST')),
    thresholds text NOT NULL,
    families text NOT NULL,
    label_key text,
    label_value text,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id),
    CHECK (label_value IS NULL OR label_key IS NOT NULL)
);
CREATE INDEX budget_of_project ON budget (account_id, project_id, id);
CREATE INDEX budget_due ON budget (due_at);
CREATE TABLE budget_alert (
    account_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    month text NOT NULL,
    threshold bigint NOT NULL CHECK (threshold > 0),
    reached_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, budget_id, month, threshold),
    FOREIGN KEY (account_id, budget_id) REFERENCES budget (account_id, id)
)";

const BEGIN: &str = "
INSERT INTO catalogue_version (id, version) VALUES (1, 1);
INSERT INTO funding_standing (account_id, project_id, state, currency, in_debt, prepaid_only, spend_cap, own_credit,
    shared_credit, others_need, others_rate, unbilled, spent, reserved, accrual, conversion, burn, instances, storages,
    options, restricted, cap_reached, exhausted, unrated, through_at, valid_until, due_at)
    SELECT account_id, id, state, currency, false, false, NULL, 0, 0, 0, '0', 0, 0, 0, '0', '0', '0', 0, 0, 0, '',
    false, false, false, created_at, created_at, created_at FROM project";

/// What was reserved stays what was reserved; a hold that has ended never opens again.
const HOLD: Guard = Guard {
    table: "funding_hold",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "project_id",
        "plan",
        "size",
        "count",
        "currency",
        "unit_amount",
        "cover_hours",
        "resource_id",
        "created_at",
        "expires_at",
    ],
    refused_if: Some("old.ended_at IS NOT NULL OR new.used < old.used"),
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        for statement in BEGIN.split(';') {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        HOLD.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
