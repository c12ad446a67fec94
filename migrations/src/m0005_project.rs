//! The catalogue, projects, resources and what each resource held when.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const TABLES: &str = "
CREATE TABLE plan (
    code text NOT NULL PRIMARY KEY,
    display_name text NOT NULL,
    family text NOT NULL CHECK (family IN ('INSTANCE', 'STORAGE', 'OPTION')),
    charge_model text NOT NULL CHECK (charge_model IN ('HOURLY', 'MONTHLY', 'METERED')),
    unit text NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);
CREATE TABLE plan_price (
    plan text NOT NULL REFERENCES plan (code),
    currency text NOT NULL,
    effective_at timestamptz NOT NULL,
    unit_price text NOT NULL,
    PRIMARY KEY (plan, currency, effective_at)
);
CREATE TABLE project (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    display_name text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('PENDING_FUNDING', 'ACTIVE', 'SUSPENDED', 'DELETING', 'DELETED', 'CANCELED')),
    funding text NOT NULL
        CHECK (funding IN ('NOT_ASKED', 'PAYMENT_METHOD', 'CREDIT_ORDER', 'VOUCHER', 'LAUNCHPAD')),
    funding_id uuid,
    currency text NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    activated_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    CHECK ((funding IN ('PAYMENT_METHOD', 'CREDIT_ORDER')) = (funding_id IS NOT NULL)),
    CHECK (state NOT IN ('PENDING_FUNDING', 'CANCELED') OR activated_at IS NULL),
    CHECK (state NOT IN ('ACTIVE', 'SUSPENDED', 'DELETING', 'DELETED') OR activated_at IS NOT NULL)
);
CREATE INDEX project_in_order ON project (account_id, created_at, id);
CREATE TABLE resource (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    display_name text NOT NULL,
    plan text NOT NULL REFERENCES plan (code),
    size text NOT NULL,
    region text NOT NULL,
    labels text NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id)
);
CREATE INDEX resource_in_order ON resource (account_id, project_id, created_at, id);
CREATE TABLE resource_interval (
    account_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    ordinal bigint NOT NULL CHECK (ordinal > 0),
    project_id uuid NOT NULL,
    plan text NOT NULL REFERENCES plan (code),
    size text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz CHECK (ended_at >= started_at),
    PRIMARY KEY (account_id, resource_id, ordinal),
    FOREIGN KEY (account_id, resource_id) REFERENCES resource (account_id, id)
);
CREATE INDEX resource_interval_of_project ON resource_interval (account_id, project_id, started_at);
CREATE UNIQUE INDEX resource_interval_open ON resource_interval (account_id, resource_id) WHERE ended_at IS NULL";

/// A price is never edited, only superseded (R5.1).
const PRICE: Guard = Guard {
    table: "plan_price",
    key: &["plan", "currency", "effective_at"],
    frozen: &["plan", "currency", "effective_at", "unit_price"],
    refused_if: None,
};

/// What a plan is and how it is charged stays, because past usage is rated by it.
const PLAN: Guard = Guard {
    table: "plan",
    key: &["code"],
    frozen: &["code", "family", "charge_model", "unit", "created_at"],
    refused_if: None,
};

/// A project never changes account, currency or funding (R4.5), and leaves a CANCELED or DELETED state never.
const PROJECT: Guard = Guard {
    table: "project",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "funding", "funding_id", "currency", "created_at"],
    refused_if: Some("old.state IN ('CANCELED', 'DELETED') AND new.state <> old.state"),
};

/// A resource never changes place, and comes back never.
const RESOURCE: Guard = Guard {
    table: "resource",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "project_id", "region", "created_at"],
    refused_if: Some(
        "old.removed_at IS NOT NULL AND (new.removed_at IS NULL OR new.removed_at <> old.removed_at)",
    ),
};

/// What was held is history; only an open interval can be ended, once.
const INTERVAL: Guard = Guard {
    table: "resource_interval",
    key: &["account_id", "resource_id", "ordinal"],
    frozen: &["account_id", "resource_id", "ordinal", "project_id", "plan", "size", "started_at"],
    refused_if: Some("old.ended_at IS NOT NULL"),
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        for guard in [PRICE, PLAN, PROJECT, RESOURCE, INTERVAL] {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
