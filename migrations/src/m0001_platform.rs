//! What every slice stands on: idempotency, outbox, audit, notices, leases, the sandbox clock.

use sea_orm_migration::prelude::*;

use crate::{
    dialect,
    guard::{self, Guard},
};

const TABLES: &str = "
CREATE TABLE idempotency (
    account_id uuid NOT NULL,
    principal text NOT NULL,
    method text NOT NULL,
    request_id text NOT NULL,
    fingerprint bytea NOT NULL,
    reference text,
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, principal, method, request_id)
);
CREATE TABLE event (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE audit_entry (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    resource text NOT NULL,
    request_id text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE notice (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    language text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    secret_purpose text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE job_lease (
    name text NOT NULL PRIMARY KEY,
    holder text NOT NULL,
    until_micros bigint NOT NULL
);
CREATE TABLE sandbox_clock (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    offset_micros bigint NOT NULL
)";

const AUDIT: Guard = Guard {
    table: "audit_entry",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "actor", "action", "resource", "request_id", "created_at"],
    refused_if: None,
};

const EVENT: Guard = Guard {
    table: "event",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "kind", "payload", "created_at"],
    refused_if: None,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        guard::prepare(manager).await?;
        AUDIT.install(manager).await?;
        EVENT.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
