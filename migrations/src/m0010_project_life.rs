//! The life of a project after its creation: suspension, deletion, quotas; and rights of other accounts.
//!
//! The facts `CheckFunding` and the dunning read stand in the project's own row; what is secret, and what
//! only the control planes say, beside it.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const CHANGES: &str = "
ALTER TABLE project ADD COLUMN suspended_at timestamptz
    CHECK ((state = 'SUSPENDED') = (suspended_at IS NOT NULL));
ALTER TABLE project ADD COLUMN operator_suspended_at timestamptz
    CHECK (operator_suspended_at IS NULL OR state = 'SUSPENDED');
ALTER TABLE project ADD COLUMN operator_suspension_reason text
    CHECK ((operator_suspension_reason IS NULL) = (operator_suspended_at IS NULL));
ALTER TABLE project ADD COLUMN debt_suspended_at timestamptz
    CHECK (debt_suspended_at IS NULL OR state = 'SUSPENDED')
    CHECK (state <> 'SUSPENDED' OR debt_suspended_at IS NOT NULL OR operator_suspended_at IS NOT NULL);
ALTER TABLE project ADD COLUMN deletion_cause text
    CHECK (deletion_cause IN ('CUSTOMER', 'DEBT'))
    CHECK ((state IN ('DELETING', 'DELETED')) = (deletion_cause IS NOT NULL));
ALTER TABLE project ADD COLUMN metering_stopped_at timestamptz
    CHECK ((metering_stopped_at IS NULL) = (deletion_cause IS NULL));
ALTER TABLE project ADD COLUMN grace_ends_at timestamptz
    CHECK ((grace_ends_at IS NULL) = (deletion_cause IS NULL) AND grace_ends_at >= metering_stopped_at);
ALTER TABLE project ADD COLUMN deleted_at timestamptz
    CHECK ((state = 'DELETED') = (deleted_at IS NOT NULL) AND deleted_at >= grace_ends_at);
CREATE INDEX project_to_finish ON project (grace_ends_at, account_id, id) WHERE state = 'DELETING';
CREATE INDEX resource_live ON resource (account_id, project_id, plan) WHERE removed_at IS NULL;
CREATE TABLE suspension_acknowledgement (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    suspended_at timestamptz NOT NULL,
    service text NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id, suspended_at, service),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id)
);
CREATE TABLE project_deletion_request (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    generation bigint NOT NULL CHECK (generation > 0),
    token_digest bytea,
    wrong bigint NOT NULL CHECK (wrong >= 0),
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id)
);
CREATE TABLE project_policy (
    issuer text NOT NULL PRIMARY KEY REFERENCES issuer (id),
    deletion_grace_seconds bigint NOT NULL CHECK (deletion_grace_seconds >= 0)
);
CREATE TABLE quota_default (
    family text NOT NULL PRIMARY KEY CHECK (family IN ('INSTANCE', 'STORAGE', 'OPTION')),
    resources bigint NOT NULL CHECK (resources >= 0)
);
CREATE TABLE project_quota (
    account_id uuid NOT NULL,
    project_id uuid NOT NULL,
    family text NOT NULL CHECK (family IN ('INSTANCE', 'STORAGE', 'OPTION')),
    resources bigint NOT NULL CHECK (resources >= 0),
    version bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id, family),
    FOREIGN KEY (account_id, project_id) REFERENCES project (account_id, id)
);
CREATE TABLE right_grant (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    resource text NOT NULL,
    grantee_id uuid NOT NULL CHECK (grantee_id <> account_id),
    access_right text NOT NULL CHECK (access_right IN ('OWNER', 'ADMIN', 'BILLING', 'TECHNICAL', 'READ_ONLY')),
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL,
    revoked_by text,
    revoked_at timestamptz CHECK (revoked_at >= granted_at)
        CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX right_grant_held ON right_grant (account_id, grantee_id, resource, access_right)
    WHERE revoked_at IS NULL;
CREATE INDEX right_grant_of_resource ON right_grant (account_id, resource, id);
CREATE TABLE right_directory (
    grantee_id uuid NOT NULL,
    account_id uuid NOT NULL,
    right_id uuid NOT NULL,
    resource text NOT NULL,
    PRIMARY KEY (grantee_id, account_id, right_id)
)";

/// The rows of before, and: metering stops once, and its instant stays.
const PROJECT: Guard = Guard {
    table: "project",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "funding", "funding_id", "currency", "created_at"],
    refused_if: Some(
        "old.state IN ('CANCELED', 'DELETED') AND new.state <> old.state \
         OR old.state = 'DELETING' AND new.state NOT IN ('DELETING', 'DELETED') \
         OR old.metering_stopped_at IS NOT NULL AND (new.metering_stopped_at <> old.metering_stopped_at \
            OR new.grace_ends_at <> old.grace_ends_at OR new.deletion_cause <> old.deletion_cause)",
    ),
};

/// Who acknowledged what is evidence.
const ACKNOWLEDGEMENT: Guard = Guard {
    table: "suspension_acknowledgement",
    key: &["account_id", "project_id", "suspended_at", "service"],
    frozen: &["account_id", "project_id", "suspended_at", "service", "acknowledged_at"],
    refused_if: None,
};

/// A right is granted once and revoked once; who had which when stays known.
const RIGHT: Guard = Guard {
    table: "right_grant",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "resource", "grantee_id", "access_right", "granted_by", "granted_at"],
    refused_if: Some("old.revoked_at IS NOT NULL"),
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, CHANGES).await?;
        PROJECT.replace(manager).await?;
        ACKNOWLEDGEMENT.install(manager).await?;
        RIGHT.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
