//! What of a debt that was given up came after all, and the VAT that follows the credit of a disputed order, so that
//! BAD_DEBTS, CUSTOMER_BALANCE and VAT_PAYABLE reconcile with the rows they follow from (R14.3).
//!
//! What a dispute that was won before this step brought back has no VAT of its own in the ledger; nor has anything
//! been recovered by it that is not in the ledger already.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const COLUMNS: &str = "
ALTER TABLE order_dispute ADD COLUMN tax bigint NOT NULL DEFAULT 0;
ALTER TABLE order_dispute ADD COLUMN tax_unnoted bigint NOT NULL DEFAULT 0;
ALTER TABLE order_dispute ADD COLUMN recovered bigint NOT NULL DEFAULT 0 CHECK (recovered >= 0);
ALTER TABLE invoice_dispute ADD COLUMN recovered bigint NOT NULL DEFAULT 0
    CHECK (recovered >= 0 AND recovered <= amount);
UPDATE order_dispute SET tax = amount - owed - revoked WHERE won_at IS NULL AND revoked > 0";

const GUARDS: [Guard; 2] = [
    Guard {
        table: "order_dispute",
        key: &["account_id", "id"],
        frozen: &[
            "account_id",
            "id",
            "payment_id",
            "order_id",
            "currency",
            "amount",
            "revoked",
            "tax",
            "tax_unnoted",
            "owed",
            "opened_at",
        ],
        refused_if: Some("old.won_at IS NOT NULL"),
    },
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
        for guard in GUARDS {
            guard.replace(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
