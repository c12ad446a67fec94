//! A billing run reads the accounts of one number series of its issuer, and nobody else's (R8.3, R8.7).

use sea_orm_migration::prelude::*;

use crate::dialect;

const INDEX: &str = "CREATE INDEX account_of_series ON account (issuer, series, account_id)";

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, INDEX).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
