//! What an issuer must say on its documents by law, by language; and on each document as it was when it was issued
//! (R8.6). Documents issued before say none.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const COLUMNS: &str = "
ALTER TABLE issuer ADD COLUMN legal_mentions text NOT NULL DEFAULT '{}';
ALTER TABLE document_parties ADD COLUMN mentions text NOT NULL DEFAULT '';
ALTER TABLE credit_order_document ADD COLUMN mentions text NOT NULL DEFAULT ''";

/// Only the buyer's personal data can be erased (R2.8).
const GUARDS: [Guard; 2] = [
    Guard {
        table: "document_parties",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "language", "seller", "mentions"],
        refused_if: Some("new.buyer <> old.buyer AND new.buyer <> ''"),
    },
    Guard {
        table: "credit_order_document",
        key: &["account_id", "order_id"],
        frozen: &["account_id", "order_id", "language", "seller", "mentions"],
        refused_if: Some("new.buyer <> old.buyer AND new.buyer <> ''"),
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
