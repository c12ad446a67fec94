//! Issuers, VAT rates, terms; accounts and their lock row; sign-in.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const TABLES: &str = "
CREATE TABLE issuer (
    id text NOT NULL PRIMARY KEY,
    legal_name text NOT NULL,
    street text NOT NULL,
    postal_code text NOT NULL,
    city text NOT NULL,
    country text NOT NULL,
    vat_number text NOT NULL,
    currency text NOT NULL,
    series_prefix text NOT NULL,
    billing_delay_seconds bigint NOT NULL CHECK (billing_delay_seconds >= 0),
    initial_credit_minimum bigint NOT NULL CHECK (initial_credit_minimum > 0),
    loyalty_rate text NOT NULL
);
CREATE TABLE issuer_country (
    country text NOT NULL PRIMARY KEY,
    issuer text NOT NULL REFERENCES issuer (id),
    in_eu boolean NOT NULL
);
CREATE TABLE required_field (
    issuer text NOT NULL REFERENCES issuer (id),
    country text NOT NULL,
    legal_form text NOT NULL,
    field text NOT NULL,
    PRIMARY KEY (issuer, country, legal_form, field)
);
CREATE TABLE vat_rate (
    country text NOT NULL,
    effective_at timestamptz NOT NULL,
    rate text NOT NULL,
    PRIMARY KEY (country, effective_at)
);
CREATE TABLE terms_document (
    issuer text NOT NULL REFERENCES issuer (id),
    version bigint NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    effective_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, version)
);
CREATE TABLE account (
    account_id uuid NOT NULL PRIMARY KEY,
    handle text NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED')),
    email text NOT NULL,
    rescue_email text,
    password_hash text NOT NULL,
    country text NOT NULL,
    legal_form text NOT NULL,
    given_name text NOT NULL,
    family_name text NOT NULL,
    organisation text NOT NULL,
    street text NOT NULL,
    postal_code text NOT NULL,
    city text NOT NULL,
    region text NOT NULL,
    language text NOT NULL,
    vat_number text,
    issuer text NOT NULL REFERENCES issuer (id),
    currency text NOT NULL,
    project_limit bigint NOT NULL CHECK (project_limit >= 0),
    initial_credit_minimum bigint,
    confirmation_digest bytea,
    confirmation_generation bigint NOT NULL,
    confirmation_wrong bigint NOT NULL,
    confirmation_sent_at timestamptz,
    confirmed_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE account_lock (
    account_id uuid NOT NULL PRIMARY KEY REFERENCES account (account_id),
    version bigint NOT NULL,
    movement_sequence bigint NOT NULL CHECK (movement_sequence >= 0)
);
CREATE TABLE account_directory (
    kind text NOT NULL CHECK (kind IN ('EMAIL', 'HANDLE')),
    value text NOT NULL,
    account_id uuid NOT NULL,
    PRIMARY KEY (kind, value)
);
CREATE TABLE terms_acceptance (
    account_id uuid NOT NULL REFERENCES account (account_id),
    issuer text NOT NULL,
    version bigint NOT NULL,
    accepted_by text NOT NULL,
    accepted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, issuer, version),
    FOREIGN KEY (issuer, version) REFERENCES terms_document (issuer, version)
);
CREATE TABLE session (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE session_directory (
    token_digest bytea NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL,
    session_id uuid NOT NULL
);
CREATE TABLE login_throttle (
    subject text NOT NULL PRIMARY KEY,
    failures bigint NOT NULL,
    locked_until timestamptz
);
CREATE TABLE service_token (
    token_digest bytea NOT NULL PRIMARY KEY,
    name text NOT NULL,
    roles text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
)";

/// An acceptance is evidence.
const ACCEPTANCE: Guard = Guard {
    table: "terms_acceptance",
    key: &["account_id", "issuer", "version"],
    frozen: &["account_id", "issuer", "version", "accepted_by", "accepted_at"],
    refused_if: None,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        ACCEPTANCE.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
