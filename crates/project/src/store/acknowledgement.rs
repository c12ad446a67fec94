//! Rows of what control planes said: that they stopped what they run in a suspended project.

use florin_credit::ProjectId;
use florin_platform::{
    column::At,
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::life::Acknowledgement;

/// Those of the suspension of `project` that began at `since`, by service.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    since: Instant,
) -> Result<Vec<Acknowledgement>, DbErr> {
    let text = "SELECT service, acknowledged_at FROM suspension_acknowledgement \
                WHERE account_id = $1 AND project_id = $2 AND suspended_at = $3 ORDER BY service";
    let values = [account.into(), project.into(), At::from(since).into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter()
        .map(|row| {
            let at: At = row.try_get_by_index(1)?;
            Ok(Acknowledgement { service: row.try_get_by_index(0)?, since, at: at.into() })
        })
        .collect()
}

/// Keeps one; the project is locked, and the service has said nothing of this suspension before.
pub(crate) async fn insert(
    tx: &Tx,
    (account, project): (AccountId, ProjectId),
    said: &Acknowledgement,
) -> Result<(), DbErr> {
    let text = "INSERT INTO suspension_acknowledgement \
                (account_id, project_id, suspended_at, service, acknowledged_at) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        account.into(),
        project.into(),
        At::from(said.since).into(),
        said.service.as_str().into(),
        At::from(said.at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
