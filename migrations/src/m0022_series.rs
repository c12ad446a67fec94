//! Several number series of each kind for an issuer; an account belongs to one for life (R8.3).
//!
//! Accounts and runs from before belong to the first.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const COLUMNS: &str = "
ALTER TABLE issuer ADD COLUMN series_count bigint NOT NULL DEFAULT 1 CHECK (series_count > 0);
ALTER TABLE account ADD COLUMN series bigint NOT NULL DEFAULT 0 CHECK (series >= 0);
ALTER TABLE billing_range ADD COLUMN series bigint NOT NULL DEFAULT 0 CHECK (series >= 0)";

/// What of an account is for life (R1.1, R8.3).
const ACCOUNT: Guard = Guard {
    table: "account",
    key: &["account_id"],
    frozen: &["account_id", "issuer", "currency", "series", "created_at"],
    refused_if: None,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, COLUMNS).await?;
        ACCOUNT.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
