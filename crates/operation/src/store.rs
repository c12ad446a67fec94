//! Reading notices and clocks.

use florin_platform::{Platform, clock::Clock, column::At, db::sql, id::AccountId, notice::NoticeId};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

/// A notice as it was raised: the secret is not in it.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Raised {
    pub(crate) account_id: AccountId,
    pub(crate) id: NoticeId,
    pub(crate) kind: String,
    pub(crate) language: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) secret_purpose: Option<String>,
    pub(crate) created_at: At,
}

const COLUMNS: &str = "account_id, id, kind, language, subject, body, secret_purpose, created_at";

/// Which notices of an account are wanted: of these kinds (of any, if none is named), older than `before`.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) account: AccountId,
    pub(crate) kinds: Vec<String>,
    pub(crate) before: Option<NoticeId>,
    pub(crate) fetch: u64,
}

/// Notices, newest first.
pub(crate) async fn list(connection: &impl ConnectionTrait, wanted: &Wanted) -> Result<Vec<Raised>, DbErr> {
    let mut values: Vec<Value> = vec![wanted.account.into()];
    let mut text = format!("SELECT {COLUMNS} FROM notice WHERE account_id = $1");
    if let Some(before) = wanted.before {
        values.push(before.into());
        text.push_str(&format!(" AND id < ${}", values.len()));
    }
    if !wanted.kinds.is_empty() {
        let places: Vec<_> = wanted
            .kinds
            .iter()
            .map(|kind| {
                values.push(kind.as_str().into());
                format!("${}", values.len())
            })
            .collect();
        text.push_str(&format!(" AND kind IN ({})", places.join(", ")));
    }
    text.push_str(&format!(" ORDER BY id DESC LIMIT {}", wanted.fetch));
    let rows = connection.query_all_raw(sql(connection, &text, values)).await?;
    rows.iter().map(|row| Raised::from_query_result(row, "")).collect()
}

/// One notice.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: NoticeId,
) -> Result<Option<Raised>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM notice WHERE account_id = $1 AND id = $2");
    let row = connection.query_one_raw(sql(connection, &text, [account.into(), id.into()])).await?;
    row.map(|row| Raised::from_query_result(&row, "")).transpose()
}

/// What time it is here, and on the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) now: Instant,
    pub(crate) machine: Instant,
}

/// Both clocks, as seen through `connection`.
pub(crate) async fn times(platform: &Platform, connection: &impl ConnectionTrait) -> Result<Times, DbErr> {
    let now = platform.clock.now(connection).await?;
    Ok(Times { now, machine: Clock::System.now(connection).await? })
}
