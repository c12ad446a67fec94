//! Notices to customers: written in the change's own transaction, sent later (R10.1).
//!
//! The text belongs to the slice that raises it. A secret in it (a confirmation code) is not stored:
//! the text holds [`SECRET`] in its place and the row its purpose, from which it is derived again
//! when the notice is read or sent.

use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    column::At,
    db::{Tx, sql},
    id::{AccountId, Id, Kind},
};

/// Stands in the body where the secret goes.
pub const SECRET: &str = "{secret}";

/// Marks ids of notices.
#[derive(Debug)]
pub enum NoticeKind {}
impl Kind for NoticeKind {
    const PREFIX: &'static str = "notice";
}
/// The id of a notice.
pub type NoticeId = Id<NoticeKind>;

/// A notice to raise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about, as in `account.confirmation`.
    pub kind: &'static str,
    /// BCP 47 language of the text.
    pub language: String,
    /// The subject line.
    pub subject: String,
    /// The text; [`SECRET`] stands for the secret.
    pub body: String,
    /// What the secret is derived from, if the text holds one: see `ServerKey::reveal`.
    pub secret_purpose: Option<String>,
}

/// Raises `notice` to `account`.
pub async fn raise(tx: &Tx, at: Instant, account: AccountId, notice: &Notice) -> Result<NoticeId, DbErr> {
    let id = NoticeId::generate(at);
    let text = "INSERT INTO notice (account_id, id, kind, language, subject, body, secret_purpose, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        account.into(),
        id.into(),
        notice.kind.into(),
        notice.language.as_str().into(),
        notice.subject.as_str().into(),
        notice.body.as_str().into(),
        notice.secret_purpose.clone().into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(id)
}
