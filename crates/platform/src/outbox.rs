//! The outbox: every fact is a row committed with the change it tells of (R10.2).
//!
//! Payloads are protobuf messages of `florin.event.v1`. They hold ids and amounts only, never
//! personal data (R2.8). A fact is appended without a position; positions are given later, in batches.

use florin_settlement::Instant;
use prost::{Message, Name};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    column::At,
    db::{Tx, sql},
    id::{AccountId, Id, Kind},
};

/// Marks ids of events.
#[derive(Debug)]
pub enum Event {}
impl Kind for Event {
    const PREFIX: &'static str = "evt";
}

/// Appends the fact `payload` about `account`.
pub async fn append<M: Message + Name>(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    payload: &M,
) -> Result<Id<Event>, DbErr> {
    let id = Id::generate(at);
    let text = "INSERT INTO event (account_id, id, kind, payload, created_at) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        account.into(),
        id.into(),
        M::full_name().into(),
        payload.encode_to_vec().into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(id)
}
