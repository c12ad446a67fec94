//! Rows of grants: written once.

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::domain::{
    grant::{Grant, GrantId, GrantKind},
    lot::CreditId,
};

#[derive(Debug, FromQueryResult)]
struct Row {
    account_id: AccountId,
    id: GrantId,
    kind: String,
    currency: Code,
    amount: Minor,
    reason: String,
    lot_id: CreditId,
    grantor: String,
    created_at: At,
}

impl TryFrom<Row> for Grant {
    type Error = CorruptRow;

    fn try_from(row: Row) -> Result<Self, CorruptRow> {
        Ok(Self {
            id: row.id,
            account: row.account_id,
            kind: GrantKind::parse(&row.kind)
                .ok_or_else(|| CorruptRow::new("credit_grant", "unknown kind"))?,
            amount: row.amount.money(row.currency.0),
            reason: row.reason,
            lot: row.lot_id,
            grantor: row.grantor,
            created: row.created_at.into(),
        })
    }
}

pub(crate) async fn insert(tx: &Tx, grant: &Grant) -> Result<(), DbErr> {
    let text = "INSERT INTO credit_grant (account_id, id, kind, currency, amount, reason, lot_id, grantor, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = [
        grant.account.into(),
        grant.id.into(),
        grant.kind.as_str().into(),
        Code(grant.amount.currency()).into(),
        grant.amount.minor().into(),
        grant.reason.as_str().into(),
        grant.lot.into(),
        grant.grantor.as_str().into(),
        At::from(grant.created).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// An account's grants, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    after: Option<GrantId>,
    fetch: u64,
) -> Result<Vec<Grant>, DbErr> {
    let after = after.unwrap_or(GrantId::from_u128(0));
    let text = format!(
        "SELECT account_id, id, kind, currency, amount, reason, lot_id, grantor, created_at FROM credit_grant \
         WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT {fetch}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [account.into(), after.into()])).await?;
    rows.iter().map(|row| Ok(Grant::try_from(Row::from_query_result(row, "")?)?)).collect()
}
