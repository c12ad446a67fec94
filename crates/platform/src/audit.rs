//! The audit log: who did what to what, append-only, in the change's own transaction (R2.7).

use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    call::Call,
    column::At,
    db::{Tx, sql},
    id::{AccountId, Id, Kind},
};

/// Marks ids of audit entries.
#[derive(Debug)]
pub enum Entry {}
impl Kind for Entry {
    const PREFIX: &'static str = "audit";
}

/// Records that `call` changed `resource`, a resource name, of `account`.
pub async fn record(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    resource: &str,
) -> Result<(), DbErr> {
    let text = "INSERT INTO audit_entry (account_id, id, actor, action, resource, request_id, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        account.into(),
        Id::<Entry>::generate(at).into(),
        call.principal.to_string().into(),
        call.method.as_str().into(),
        resource.into(),
        call.trace.as_str().into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}
