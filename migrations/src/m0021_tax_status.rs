//! How a customer is taxed, and why: what registers said of VAT numbers, and what speaks for the country (R8.4).

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const TABLES: &str = "
CREATE TABLE vat_number_standing (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    vat_number text NOT NULL,
    state text NOT NULL CHECK (state IN ('CLAIMED', 'CONFIRMED', 'REFUSED', 'WITHDRAWN')),
    effective_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE vat_check (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    vat_number text NOT NULL,
    registry text NOT NULL,
    registered boolean NOT NULL,
    consultation text NOT NULL,
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE vat_check_due (
    account_id uuid NOT NULL PRIMARY KEY REFERENCES account (account_id),
    asked_at timestamptz,
    due_at timestamptz,
    failures bigint NOT NULL CHECK (failures >= 0)
);
CREATE INDEX vat_check_due_by_time ON vat_check_due (due_at);
CREATE TABLE country_evidence (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('BILLING_ADDRESS', 'PAYMENT_METHOD')),
    country text NOT NULL,
    source text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
ALTER TABLE payment_method ADD COLUMN country text";

const GUARDS: [Guard; 3] = [
    Guard {
        table: "vat_number_standing",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "vat_number", "state", "effective_at"],
        refused_if: None,
    },
    Guard {
        table: "vat_check",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "vat_number", "registry", "registered", "consultation", "checked_at"],
        refused_if: None,
    },
    Guard {
        table: "country_evidence",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "kind", "country", "source", "recorded_at"],
        refused_if: None,
    },
];

/// What accounts said of themselves before: their numbers are claimed and to be asked about once they are confirmed, their addresses speak for
/// their countries. The ids are those of the accounts, of which each has one row.
const TAKEN_OVER: [&str; 3] = [
    "INSERT INTO vat_number_standing (account_id, id, vat_number, state, effective_at) \
     SELECT account_id, account_id, vat_number, 'CLAIMED', created_at FROM account WHERE vat_number IS NOT NULL",
    "INSERT INTO vat_check_due (account_id, due_at, failures) \
     SELECT account_id, created_at, 0 FROM account WHERE vat_number IS NOT NULL AND state IN ('ACTIVE', 'SUSPENDED')",
    "INSERT INTO country_evidence (account_id, id, kind, country, source, recorded_at) \
     SELECT account_id, account_id, 'BILLING_ADDRESS', country, '', created_at FROM account",
];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        for text in TAKEN_OVER {
            manager.get_connection().execute_unprepared(text).await?;
        }
        for guard in GUARDS {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
