//! Rows of rights, and the directory that finds the rights an account holds on others' resources.

use florin_platform::{
    call::Right,
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::domain::right::{Grant, RightId};

const TABLE: &str = "right_grant";
const COLUMNS: &str = "account_id, id, resource, grantee_id, access_right, granted_at, revoked_at";

/// The rights `grantee` holds on `resource` of `account`.
pub(crate) async fn held(
    connection: &impl ConnectionTrait,
    account: AccountId,
    grantee: AccountId,
    resource: &str,
) -> Result<Vec<Right>, DbErr> {
    let text = "SELECT access_right FROM right_grant \
                WHERE account_id = $1 AND grantee_id = $2 AND resource = $3 AND revoked_at IS NULL";
    let values = [account.into(), grantee.into(), resource.into()];
    rights(&connection.query_all_raw(sql(connection, text, values)).await?)
}

/// The rights `grantee` holds on anything of `account`.
pub(crate) async fn held_anywhere(
    connection: &impl ConnectionTrait,
    account: AccountId,
    grantee: AccountId,
) -> Result<Vec<Right>, DbErr> {
    let text = "SELECT DISTINCT access_right FROM right_grant \
                WHERE account_id = $1 AND grantee_id = $2 AND revoked_at IS NULL";
    rights(&connection.query_all_raw(sql(connection, text, [account.into(), grantee.into()])).await?)
}

fn rights(rows: &[QueryResult]) -> Result<Vec<Right>, DbErr> {
    rows.iter().map(|row| Ok(right(&row.try_get_by_index::<String>(0)?)?)).collect()
}

fn right(text: &str) -> Result<Right, CorruptRow> {
    Right::parse(text).ok_or_else(|| CorruptRow::new(TABLE, "unknown right"))
}

/// Keeps a new grant, and where its holder finds it.
pub(crate) async fn insert(tx: &Tx, grant: &Grant, by: &str) -> Result<(), DbErr> {
    let text = "INSERT INTO right_grant \
                (account_id, id, resource, grantee_id, access_right, granted_by, granted_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values: [Value; 7] = [
        grant.account.into(),
        grant.id.into(),
        grant.resource.as_str().into(),
        grant.grantee.into(),
        grant.right.as_str().into(),
        by.into(),
        At::from(grant.granted).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    let text =
        "INSERT INTO right_directory (grantee_id, account_id, right_id, resource) VALUES ($1, $2, $3, $4)";
    let values =
        [grant.grantee.into(), grant.account.into(), grant.id.into(), grant.resource.as_str().into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Keeps that a grant was revoked at `at`.
pub(crate) async fn revoke(tx: &Tx, grant: &Grant, by: &str, at: Instant) -> Result<(), DbErr> {
    let text = "UPDATE right_grant SET revoked_by = $3, revoked_at = $4 WHERE account_id = $1 AND id = $2";
    let values: [Value; 4] = [grant.account.into(), grant.id.into(), by.into(), At::from(at).into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    let text = "DELETE FROM right_directory WHERE grantee_id = $1 AND account_id = $2 AND right_id = $3";
    let values = [grant.grantee.into(), grant.account.into(), grant.id.into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// The grant, if it exists, revoked or not.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: RightId,
) -> Result<Option<Grant>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM right_grant WHERE account_id = $1 AND id = $2");
    let row = connection.query_one_raw(sql(connection, &text, [account.into(), id.into()])).await?;
    row.as_ref().map(read).transpose()
}

/// The live grants of `resource` after `after`, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    resource: &str,
    after: Option<RightId>,
    fetch: u64,
) -> Result<Vec<Grant>, DbErr> {
    let text = format!(
        "SELECT {COLUMNS} FROM right_grant WHERE account_id = $1 AND resource = $2 AND id > $3 \
         AND revoked_at IS NULL ORDER BY id LIMIT $4"
    );
    let after = after.unwrap_or(RightId::from_u128(0));
    let fetch = i64::try_from(fetch).unwrap_or(i64::MAX);
    let values = [account.into(), resource.into(), after.into(), fetch.into()];
    connection.query_all_raw(sql(connection, &text, values)).await?.iter().map(read).collect()
}

/// The rights `grantee` holds on others' resources, by owner and right, after `after`.
pub(crate) async fn shared_with(
    connection: &impl ConnectionTrait,
    grantee: AccountId,
    after: Option<(AccountId, RightId)>,
    fetch: u64,
) -> Result<Vec<Grant>, DbErr> {
    let text = "SELECT account_id, right_id FROM right_directory \
                WHERE grantee_id = $1 AND (account_id, right_id) > ($2, $3) \
                ORDER BY account_id, right_id LIMIT $4";
    let (account, right) = after.unwrap_or((AccountId::NONE, RightId::from_u128(0)));
    let fetch = i64::try_from(fetch).unwrap_or(i64::MAX);
    let values = [grantee.into(), account.into(), right.into(), fetch.into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let keys = (0..rows.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2)).collect::<Vec<_>>();
    let text = format!(
        "SELECT {COLUMNS} FROM right_grant WHERE (account_id, id) IN (VALUES {}) ORDER BY account_id, id",
        keys.join(", ")
    );
    let mut values: Vec<Value> = Vec::with_capacity(2 * rows.len());
    for row in &rows {
        values.push(row.try_get_by_index::<AccountId>(0)?.into());
        values.push(row.try_get_by_index::<RightId>(1)?.into());
    }
    connection.query_all_raw(sql(connection, &text, values)).await?.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<Grant, DbErr> {
    let (granted, revoked): (At, Option<At>) =
        (row.try_get("", "granted_at")?, row.try_get("", "revoked_at")?);
    Ok(Grant {
        account: row.try_get("", "account_id")?,
        id: row.try_get("", "id")?,
        resource: row.try_get("", "resource")?,
        grantee: row.try_get("", "grantee_id")?,
        right: right(&row.try_get::<String>("", "access_right")?)?,
        granted: granted.into(),
        revoked: revoked.map(Into::into),
    })
}
