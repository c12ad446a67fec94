//! Rows of terms documents and of their acceptances.

use florin_platform::{
    column::At,
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::domain::{
    account::Account,
    terms::{TermsDocument, TermsStanding},
};

#[derive(Debug, FromQueryResult)]
struct Row {
    issuer: String,
    version: i64,
    title: String,
    body: String,
    effective_at: At,
    accepted_at: Option<At>,
}

impl From<Row> for TermsStanding {
    fn from(row: Row) -> Self {
        Self {
            document: TermsDocument {
                issuer: row.issuer,
                version: row.version,
                title: row.title,
                body: row.body,
                effective: row.effective_at.into(),
            },
            accepted: row.accepted_at.map(Into::into),
        }
    }
}

/// Every version of the terms of the account's issuer, oldest first, with its acceptance.
pub(crate) async fn standings(
    connection: &impl ConnectionTrait,
    account: &Account,
) -> Result<Vec<TermsStanding>, DbErr> {
    let text = "SELECT d.issuer, d.version, d.title, d.body, d.effective_at, a.accepted_at \
                FROM terms_document d LEFT JOIN terms_acceptance a \
                ON a.account_id = $1 AND a.issuer = d.issuer AND a.version = d.version \
                WHERE d.issuer = $2 ORDER BY d.version";
    let values = [account.id.into(), account.issuer.as_str().into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter().map(|row| Ok(Row::from_query_result(row, "")?.into())).collect()
}

/// Records the acceptance of a document that was not accepted before. Rows are never replaced: the account
/// is locked, so nobody else records it at the same time.
pub(crate) async fn accept(
    tx: &Tx,
    account: AccountId,
    document: &TermsDocument,
    by: &str,
    at: Instant,
) -> Result<(), DbErr> {
    let text = "INSERT INTO terms_acceptance (account_id, issuer, version, accepted_by, accepted_at) \
                VALUES ($1, $2, $3, $4, $5)";
    let values = [
        account.into(),
        document.issuer.as_str().into(),
        document.version.into(),
        by.into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Adds documents that are not there yet.
pub(crate) async fn seed(tx: &Tx, documents: &[TermsDocument]) -> Result<(), DbErr> {
    for document in documents {
        let text = "INSERT INTO terms_document (issuer, version, title, body, effective_at) \
                    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let values = [
            document.issuer.as_str().into(),
            document.version.into(),
            document.title.as_str().into(),
            document.body.as_str().into(),
            At::from(document.effective).into(),
        ];
        tx.execute_raw(sql(tx, text, values)).await?;
    }
    Ok(())
}
