//! Rows of requests to delete a project: the digest of the mailed token, and how often it was guessed.

use florin_platform::db::{BINDS_MAX, Tx, sql};
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::domain::project::Project;

/// The tokens mailed for `projects` open nothing any more.
pub(crate) async fn forget(tx: &Tx, projects: &[Project]) -> Result<(), DbErr> {
    for chunk in projects.chunks(BINDS_MAX / 2) {
        let keys = (0..chunk.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2)).collect::<Vec<_>>();
        let text = format!(
            "UPDATE project_deletion_request SET token_digest = NULL \
             WHERE token_digest IS NOT NULL AND (account_id, project_id) IN (VALUES {})",
            keys.join(", ")
        );
        let values = chunk.iter().flat_map(|project| [Value::from(project.account), Value::from(project.id)]);
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}
