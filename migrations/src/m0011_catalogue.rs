//! Plans charged in advance, prices negotiated with an account, and what fell due in advance.
//!
//! An advance charge is a fact when it is written: its price, quantity and period never change. That it is
//! billed is noted once, with the invoice that did it.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const TABLES: &str = "
ALTER TABLE plan ADD COLUMN charge_timing text NOT NULL DEFAULT 'ARREARS'
    CHECK (charge_timing IN ('ARREARS', 'ADVANCE'));
ALTER TABLE plan ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE plan_price ADD COLUMN monthly_price text;
CREATE TABLE account_price (
    account_id uuid NOT NULL REFERENCES account (account_id),
    plan text NOT NULL REFERENCES plan (code),
    effective_at timestamptz NOT NULL,
    ends_at timestamptz CHECK (ends_at > effective_at),
    currency text NOT NULL,
    unit_price text NOT NULL,
    monthly_price text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, plan, effective_at)
);
CREATE TABLE advance_charge (
    account_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    ordinal bigint NOT NULL CHECK (ordinal > 0),
    project_id uuid NOT NULL,
    plan text NOT NULL REFERENCES plan (code),
    due_at timestamptz NOT NULL,
    period_from timestamptz NOT NULL,
    period_to timestamptz NOT NULL CHECK (period_to > period_from),
    quantity text NOT NULL,
    divisor bigint NOT NULL CHECK (divisor > 0),
    currency text NOT NULL,
    unit_price text NOT NULL,
    price_effective_at timestamptz NOT NULL,
    net bigint NOT NULL CHECK (net > 0),
    billed_at timestamptz,
    invoice_id uuid,
    PRIMARY KEY (account_id, resource_id, ordinal),
    FOREIGN KEY (account_id, resource_id, ordinal)
        REFERENCES resource_interval (account_id, resource_id, ordinal),
    CHECK ((billed_at IS NULL) = (invoice_id IS NULL))
);
CREATE INDEX advance_charge_unbilled ON advance_charge (due_at, account_id) WHERE billed_at IS NULL;
CREATE INDEX advance_charge_of_project ON advance_charge (account_id, project_id) WHERE billed_at IS NULL";

/// A price is never edited, only superseded (R5.1).
const PRICE: Guard = Guard {
    table: "plan_price",
    key: &["plan", "currency", "effective_at"],
    frozen: &["plan", "currency", "effective_at", "unit_price", "monthly_price"],
    refused_if: None,
};

/// What a plan is and how it is charged stays, because past usage is rated by it; a plan
/// that is to be retired is, and its version only grows.
const PLAN: Guard = Guard {
    table: "plan",
    key: &["code"],
    frozen: &["code", "family", "charge_model", "unit", "charge_timing", "created_at"],
    refused_if: Some("new.version < old.version OR (old.retired_at IS NOT NULL AND new.retired_at IS NULL)"),
};

/// What was negotiated is superseded or ends, once; it is never edited.
const OWN_PRICE: Guard = Guard {
    table: "account_price",
    key: &["account_id", "plan", "effective_at"],
    frozen: &["account_id", "plan", "effective_at", "currency", "unit_price", "monthly_price", "created_at"],
    refused_if: Some("old.ends_at IS NOT NULL"),
};

/// What fell due stays due, and is billed once.
const ADVANCE: Guard = Guard {
    table: "advance_charge",
    key: &["account_id", "resource_id", "ordinal"],
    frozen: &[
        "account_id",
        "resource_id",
        "ordinal",
        "project_id",
        "plan",
        "due_at",
        "period_from",
        "period_to",
        "quantity",
        "divisor",
        "currency",
        "unit_price",
        "price_effective_at",
        "net",
    ],
    refused_if: Some("old.billed_at IS NOT NULL"),
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        for guard in [PRICE, PLAN] {
            guard.replace(manager).await?;
        }
        for guard in [OWN_PRICE, ADVANCE] {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
