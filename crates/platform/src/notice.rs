//! Notices to customers: written in the change's own transaction, sent later (R10.1).
//!
//! The text belongs to the slice that raises it. A secret in it (a confirmation code) is not stored:
//! the text holds [`SECRET`] in its place and the row its purpose, from which it is derived again
//! when the notice is read or sent.

use florin_settlement::Instant;
use sea_orm::DbErr;

use crate::{
    column::At,
    db::Tx,
    id::{AccountId, Id, Kind},
    set::{self, Set},
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
///
/// # Errors
/// The database's.
pub async fn raise(tx: &Tx, at: Instant, account: AccountId, notice: &Notice) -> Result<(), DbErr> {
    raise_many(tx, at, vec![(account, notice.clone())]).await
}

/// Raises each notice to its account, in one statement.
///
/// # Errors
/// The database's.
pub async fn raise_many(tx: &Tx, at: Instant, notices: Vec<(AccountId, Notice)>) -> Result<(), DbErr> {
    let columns = [
        ("account_id", set::Kind::Uuid),
        ("id", set::Kind::Uuid),
        ("kind", set::Kind::Text),
        ("language", set::Kind::Text),
        ("subject", set::Kind::Text),
        ("body", set::Kind::Text),
        ("secret_purpose", set::Kind::Optional(&set::Kind::Text)),
        ("created_at", set::Kind::Instant),
    ];
    let mut rows = Set::new(columns, notices.len());
    for (account, notice) in notices {
        rows.push([
            account.into(),
            NoticeId::generate(at).into(),
            notice.kind.into(),
            notice.language.into(),
            notice.subject.into(),
            notice.body.into(),
            notice.secret_purpose.into(),
            At::from(at).into(),
        ]);
    }
    rows.insert(tx, "notice").await
}
