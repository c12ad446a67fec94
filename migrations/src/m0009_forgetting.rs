//! What is kept for a while only can be found by its age.

use sea_orm_migration::prelude::*;

use crate::dialect;

const CHANGES: &str = "
CREATE INDEX idempotency_by_age ON idempotency (created_at);
ALTER TABLE login_throttle ADD COLUMN failed_at timestamptz;
CREATE INDEX login_throttle_by_age ON login_throttle (failed_at)";

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, CHANGES).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
