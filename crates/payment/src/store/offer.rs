//! Rows of what issuers offer (R3.1): reference data; the country `*` stands for any.

use florin_platform::{
    column::CorruptRow,
    db::{Tx, sql},
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::method::MethodKind;

const TABLE: &str = "offered_payment_method";

/// The kinds `issuer` offers in `country`, in the order of [`MethodKind::ALL`].
pub(crate) async fn kinds(
    connection: &impl ConnectionTrait,
    issuer: &str,
    country: &str,
) -> Result<Vec<MethodKind>, DbErr> {
    let text = "SELECT DISTINCT kind FROM offered_payment_method WHERE issuer = $1 AND country IN ($2, '*')";
    let rows = connection.query_all_raw(sql(connection, text, [issuer.into(), country.into()])).await?;
    let mut kinds = Vec::with_capacity(rows.len());
    for row in rows {
        let kind: String = row.try_get_by_index(0)?;
        kinds.push(MethodKind::parse(&kind).ok_or_else(|| CorruptRow::new(TABLE, "unknown kind"))?);
    }
    kinds.sort_unstable();
    Ok(kinds)
}

/// Adds an offer that is not there yet.
pub(crate) async fn add(tx: &Tx, issuer: &str, country: &str, kind: MethodKind) -> Result<(), DbErr> {
    let text = "INSERT INTO offered_payment_method (issuer, country, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute_raw(sql(tx, text, [issuer.into(), country.into(), kind.as_str().into()])).await.map(|_| ())
}
