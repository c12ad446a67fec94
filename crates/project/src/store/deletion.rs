//! Rows of requests to delete a project: the digest of the mailed token, and how often it was guessed.

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, CorruptRow},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::domain::{deletion_request::DeletionRequest, project::Project};

const TABLE: &str = "project_deletion_request";

/// The last request to delete the project, if there ever was one.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Option<DeletionRequest>, DbErr> {
    let text = "SELECT generation, token_digest, wrong, requested_at, expires_at \
                FROM project_deletion_request WHERE account_id = $1 AND project_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), project.into()])).await?;
    row.map(|row| {
        let number = |number: i64| u32::try_from(number).map_err(CorruptRow::of(TABLE));
        let (requested, expires): (At, At) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
        Ok(DeletionRequest {
            generation: number(row.try_get_by_index(0)?)?,
            digest: row.try_get_by_index(1)?,
            wrong: number(row.try_get_by_index(2)?)?,
            requested: requested.into(),
            expires: expires.into(),
        })
    })
    .transpose()
}

/// Keeps a request in the place of the one before.
pub(crate) async fn save(
    tx: &Tx,
    (account, project): (AccountId, ProjectId),
    request: &DeletionRequest,
) -> Result<(), DbErr> {
    let text = "INSERT INTO project_deletion_request \
                (account_id, project_id, generation, token_digest, wrong, requested_at, expires_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, project_id) DO UPDATE \
                SET generation = excluded.generation, token_digest = excluded.token_digest, \
                wrong = excluded.wrong, requested_at = excluded.requested_at, expires_at = excluded.expires_at";
    let values: [Value; 7] = [
        account.into(),
        project.into(),
        i64::from(request.generation).into(),
        request.digest.clone().into(),
        i64::from(request.wrong).into(),
        At::from(request.requested).into(),
        At::from(request.expires).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

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
