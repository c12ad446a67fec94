//! The audit log: who did what to what, append-only, in the change's own transaction (R2.7).

use florin_settlement::Instant;
use sea_orm::DbErr;

use crate::{
    call::Call,
    column::At,
    db::Tx,
    id::{AccountId, Id, Kind},
    set::{self, Set},
};

/// Marks ids of audit entries.
#[derive(Debug)]
pub enum Entry {}
impl Kind for Entry {
    const PREFIX: &'static str = "audit";
}

/// Records that `call` changed `resource`, a resource name, of `account`.
///
/// # Errors
/// The database's.
pub async fn record(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    resource: &str,
) -> Result<(), DbErr> {
    record_many(tx, at, call, &[(account, resource)]).await
}

/// Records that `call` changed each of `resources`, each of its account, in one statement.
///
/// # Errors
/// The database's.
pub async fn record_many(
    tx: &Tx,
    at: Instant,
    call: &Call,
    resources: &[(AccountId, &str)],
) -> Result<(), DbErr> {
    let columns = [
        ("account_id", set::Kind::Uuid),
        ("id", set::Kind::Uuid),
        ("actor", set::Kind::Text),
        ("action", set::Kind::Text),
        ("resource", set::Kind::Text),
        ("request_id", set::Kind::Text),
        ("created_at", set::Kind::Instant),
    ];
    let actor = call.principal.to_string();
    let mut rows = Set::new(columns, resources.len());
    for (account, resource) in resources {
        rows.push([
            (*account).into(),
            Id::<Entry>::generate(at).into(),
            actor.as_str().into(),
            call.method.as_str().into(),
            (*resource).into(),
            call.trace.as_str().into(),
            At::from(at).into(),
        ]);
    }
    rows.insert(tx, "audit_entry").await
}
