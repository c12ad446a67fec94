//! Corrections of invoices: what was credited by quantity, what money went back, which dispute opened which debt;
//! and the parties of documents as they were when they were issued (R7.9, R8.6, R2.8).

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const COLUMNS: &str = "
ALTER TABLE invoice ADD COLUMN parties_id uuid;
ALTER TABLE credit_note ADD COLUMN parties_id uuid;
ALTER TABLE credit_note ADD COLUMN refunded bigint NOT NULL DEFAULT 0
    CHECK (refunded >= 0 AND lowered_debt + refunded <= amount_incl_tax);
ALTER TABLE credit_note_line ADD COLUMN quantity text";

const TABLES: &str = "
CREATE TABLE document_parties (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    language text NOT NULL,
    seller text NOT NULL,
    buyer text NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE invoice_refund (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    source text NOT NULL,
    payment_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice_id, source, payment_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id)
);
CREATE TABLE invoice_dispute (
    account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    dispute_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    debt_id uuid NOT NULL,
    opened_at timestamptz NOT NULL,
    won_at timestamptz,
    PRIMARY KEY (account_id, invoice_id, dispute_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id),
    FOREIGN KEY (account_id, debt_id) REFERENCES debt (account_id, id)
);
CREATE INDEX invoice_dispute_by_dispute ON invoice_dispute (account_id, dispute_id);
CREATE INDEX debt_by_invoice ON debt (account_id, invoice_id)";

const REPLACED: [Guard; 3] = [
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
            "cause_id",
            "run_id",
            "currency",
            "net_total",
            "credit_applied",
            "net_after_credit",
            "tax_total",
            "amount_incl_tax",
            "settlement_at",
            "issued_at",
            "parties_id",
        ],
        refused_if: None,
    },
    Guard {
        table: "credit_note",
        key: &["account_id", "id"],
        frozen: &[
            "account_id",
            "id",
            "number",
            "invoice_id",
            "project_id",
            "issuer",
            "currency",
            "reason",
            "explanation",
            "net_total",
            "credit_returned",
            "net_money",
            "tax_total",
            "amount_incl_tax",
            "lowered_debt",
            "issued_at",
            "parties_id",
            "refunded",
        ],
        refused_if: None,
    },
    Guard {
        table: "credit_note_line",
        key: &["account_id", "credit_note_id", "line_number"],
        frozen: &["account_id", "credit_note_id", "invoice_id", "line_number", "net", "quantity"],
        refused_if: None,
    },
];

const INSTALLED: [Guard; 3] = [
    // Only the buyer's personal data can be erased (R2.8).
    Guard {
        table: "document_parties",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "language", "seller"],
        refused_if: Some("new.buyer <> old.buyer AND new.buyer <> ''"),
    },
    Guard {
        table: "invoice_refund",
        key: &["account_id", "invoice_id", "source", "payment_id"],
        frozen: &["account_id", "invoice_id", "source", "payment_id", "currency", "amount", "created_at"],
        refused_if: None,
    },
    // It moves to the debt that takes its own in, and is won once.
    Guard {
        table: "invoice_dispute",
        key: &["account_id", "invoice_id", "dispute_id"],
        frozen: &["account_id", "invoice_id", "dispute_id", "payment_id", "currency", "amount", "opened_at"],
        refused_if: Some("old.won_at IS NOT NULL"),
    },
];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, COLUMNS).await?;
        dialect::create(manager, TABLES).await?;
        for guard in REPLACED {
            guard.replace(manager).await?;
        }
        for guard in INSTALLED {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
