//! Rows of spending controls: a project's spend cap, and whether it is prepaid-only.

use florin_credit::ProjectId;
use florin_platform::{
    column::At,
    db::{Tx, sql},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::budget::Controls;

/// The controls of a project; those of a project nobody has set anything for are at version 0.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Controls, DbErr> {
    let text = "SELECT spend_cap, prepaid_only, version FROM spending_control \
                WHERE account_id = $1 AND project_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), project.into()])).await?;
    let Some(row) = row else { return Ok(Controls::default()) };
    Ok(Controls {
        spend_cap: row.try_get_by_index(0)?,
        prepaid_only: row.try_get_by_index(1)?,
        version: row.try_get_by_index(2)?,
    })
}

/// Keeps the controls.
pub(crate) async fn save(
    tx: &Tx,
    at: florin_settlement::Instant,
    account: AccountId,
    project: ProjectId,
    controls: Controls,
) -> Result<(), DbErr> {
    tx.touch(account);
    let text = "INSERT INTO spending_control (account_id, project_id, spend_cap, prepaid_only, version, updated_at) \
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id, project_id) DO UPDATE \
                SET spend_cap = excluded.spend_cap, prepaid_only = excluded.prepaid_only, \
                    version = excluded.version, updated_at = excluded.updated_at";
    let values = [
        account.into(),
        project.into(),
        controls.spend_cap.into(),
        controls.prepaid_only.into(),
        controls.version.into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
