//! Invoices and their series, what covered them, debts, billing runs.
//!
//! An invoice's content is written once and guarded (R8.2): `invoice`, `invoice_line`, `invoice_debit`,
//! `invoice_tax`, `settlement_lot`, `settlement_debit`, `invoice_number`. What moves is beside it:
//! `invoice_state`, `debt`, `billing_run`, which are guarded against being forgotten or exchanged. The rows of an invoice's parts are written before the invoice itself, whose
//! number is taken last; their foreign keys are therefore checked at commit.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const TABLES: &str = "
CREATE TABLE billing_run (
    id uuid NOT NULL PRIMARY KEY,
    issuer text NOT NULL REFERENCES issuer (id),
    month text NOT NULL,
    settlement_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('RUNNING', 'COMPLETED')),
    project_count bigint,
    invoiced_count bigint NOT NULL CHECK (invoiced_count >= 0),
    nothing_due_count bigint NOT NULL CHECK (nothing_due_count >= 0),
    set_aside_count bigint NOT NULL CHECK (set_aside_count >= 0),
    after_account uuid,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    UNIQUE (issuer, month),
    CHECK ((state = 'COMPLETED') = (finished_at IS NOT NULL))
);
CREATE TABLE billing_set_aside (
    account_id uuid NOT NULL,
    run_id uuid NOT NULL REFERENCES billing_run (id),
    project_id uuid NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, run_id, project_id)
);
CREATE INDEX billing_set_aside_by_run ON billing_set_aside (run_id, project_id);
CREATE TABLE invoice_series (
    series text NOT NULL,
    year bigint NOT NULL,
    issuer text NOT NULL REFERENCES issuer (id),
    last_number bigint NOT NULL CHECK (last_number > 0),
    last_issued_at timestamptz NOT NULL,
    PRIMARY KEY (series, year)
);
CREATE TABLE invoice_number (
    series text NOT NULL,
    year bigint NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    PRIMARY KEY (series, year, number)
);
CREATE TABLE invoice (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    number text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('MONTHLY', 'PURCHASE')),
    project_id uuid NOT NULL,
    issuer text NOT NULL REFERENCES issuer (id),
    month text,
    credit_order_id uuid,
    run_id uuid REFERENCES billing_run (id),
    currency text NOT NULL,
    net_total bigint NOT NULL CHECK (net_total > 0),
    credit_applied bigint NOT NULL CHECK (credit_applied >= 0),
    net_after_credit bigint NOT NULL CHECK (net_after_credit >= 0),
    tax_total bigint NOT NULL CHECK (tax_total >= 0),
    amount_incl_tax bigint NOT NULL,
    settlement_at timestamptz NOT NULL,
    issued_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, number),
    CHECK (net_total = credit_applied + net_after_credit),
    CHECK (amount_incl_tax = net_after_credit + tax_total),
    CHECK ((kind = 'MONTHLY') = (month IS NOT NULL)),
    CHECK ((kind = 'PURCHASE') = (credit_order_id IS NOT NULL)),
    CHECK (kind = 'MONTHLY' OR credit_applied = 0)
);
CREATE UNIQUE INDEX invoice_once_a_month ON invoice (account_id, project_id, month) WHERE kind = 'MONTHLY';
CREATE UNIQUE INDEX invoice_once_an_order ON invoice (account_id, credit_order_id) WHERE kind = 'PURCHASE';
CREATE TABLE invoice_line (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    line_number bigint NOT NULL CHECK (line_number > 0),
    resource_id uuid,
    resource_name text NOT NULL,
    plan text NOT NULL,
    family text,
    description text NOT NULL,
    period_from timestamptz NOT NULL,
    period_to timestamptz NOT NULL,
    quantity text NOT NULL,
    divisor bigint NOT NULL CHECK (divisor > 0),
    unit text NOT NULL,
    unit_price text NOT NULL,
    net bigint NOT NULL CHECK (net >= 0),
    tax_category text NOT NULL,
    tax_rate text NOT NULL,
    late boolean NOT NULL,
    region text NOT NULL,
    labels text NOT NULL,
    PRIMARY KEY (account_id, invoice_id, line_number),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED,
    CHECK ((resource_id IS NULL) = (family IS NULL))
);
CREATE TABLE invoice_debit (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    funding_kind text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (account_id, invoice_id, funding_kind),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE invoice_tax (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    category text NOT NULL,
    rate text NOT NULL,
    base bigint NOT NULL CHECK (base >= 0),
    tax bigint NOT NULL CHECK (tax >= 0),
    mention text NOT NULL,
    PRIMARY KEY (account_id, invoice_id, position),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE settlement_lot (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    lot_id uuid NOT NULL,
    kind text NOT NULL,
    owner_project_id uuid,
    currency text NOT NULL,
    initial bigint NOT NULL CHECK (initial > 0),
    remaining_before bigint NOT NULL CHECK (remaining_before >= 0 AND remaining_before <= initial),
    taken bigint NOT NULL CHECK (taken >= 0),
    remaining_after bigint NOT NULL CHECK (remaining_after >= 0),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz,
    restriction text NOT NULL,
    skip_reason text,
    PRIMARY KEY (account_id, invoice_id, position),
    UNIQUE (account_id, invoice_id, lot_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED,
    CHECK (remaining_before = taken + remaining_after),
    CHECK ((taken = 0) = (skip_reason IS NOT NULL))
);
CREATE TABLE settlement_debit (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    line_number bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (account_id, invoice_id, lot_id, line_number),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE invoice_state (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('ISSUED', 'COLLECTING', 'PAID', 'OVERDUE', 'WRITTEN_OFF')),
    payment_id uuid,
    paid_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED,
    CHECK ((state = 'PAID') = (paid_at IS NOT NULL)),
    CHECK (state <> 'COLLECTING' OR payment_id IS NOT NULL)
);
CREATE TABLE debt (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX debt_open ON debt (account_id, invoice_id) WHERE closed_at IS NULL";

const GUARDS: [Guard; 10] = [
    Guard {
        table: "invoice",
        key: &["account_id", "id"],
        frozen: &[
            "account_id",
            "id",
            "number",
            "kind",
            "project_id",
            "issuer",
            "month",
            "credit_order_id",
            "run_id",
            "currency",
            "net_total",
            "credit_applied",
            "net_after_credit",
            "tax_total",
            "amount_incl_tax",
            "settlement_at",
            "issued_at",
        ],
        refused_if: None,
    },
    Guard {
        table: "invoice_line",
        key: &["account_id", "invoice_id", "line_number"],
        frozen: &[
            "account_id",
            "invoice_id",
            "line_number",
            "resource_id",
            "resource_name",
            "plan",
            "family",
            "description",
            "period_from",
            "period_to",
            "quantity",
            "divisor",
            "unit",
            "unit_price",
            "net",
            "tax_category",
            "tax_rate",
            "late",
            "region",
            "labels",
        ],
        refused_if: None,
    },
    Guard {
        table: "invoice_debit",
        key: &["account_id", "invoice_id", "funding_kind"],
        frozen: &["account_id", "invoice_id", "funding_kind", "amount"],
        refused_if: None,
    },
    Guard {
        table: "invoice_tax",
        key: &["account_id", "invoice_id", "position"],
        frozen: &["account_id", "invoice_id", "position", "category", "rate", "base", "tax", "mention"],
        refused_if: None,
    },
    Guard {
        table: "settlement_lot",
        key: &["account_id", "invoice_id", "position"],
        frozen: &[
            "account_id",
            "invoice_id",
            "position",
            "lot_id",
            "kind",
            "owner_project_id",
            "currency",
            "initial",
            "remaining_before",
            "taken",
            "remaining_after",
            "issued_at",
            "expires_at",
            "restriction",
            "skip_reason",
        ],
        refused_if: None,
    },
    Guard {
        table: "settlement_debit",
        key: &["account_id", "invoice_id", "lot_id", "line_number"],
        frozen: &["account_id", "invoice_id", "lot_id", "line_number", "amount"],
        refused_if: None,
    },
    Guard {
        table: "invoice_number",
        key: &["series", "year", "number"],
        frozen: &["series", "year", "number", "account_id", "invoice_id"],
        refused_if: None,
    },
    // Which lots count was decided once, for every resumption (R7.3); what is completed is history.
    Guard {
        table: "billing_run",
        key: &["id"],
        frozen: &["id", "issuer", "month", "settlement_at", "started_at"],
        refused_if: Some("old.state = 'COMPLETED'"),
    },
    // A state moves, and stays with its invoice.
    Guard {
        table: "invoice_state",
        key: &["account_id", "invoice_id"],
        frozen: &["account_id", "invoice_id"],
        refused_if: None,
    },
    // A debt is closed, never changed or forgotten.
    Guard {
        table: "debt",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "invoice_id", "currency", "amount", "opened_at"],
        refused_if: Some("old.closed_at IS NOT NULL"),
    },
];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        for guard in GUARDS {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
