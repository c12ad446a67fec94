//! The outbox: every fact is a row committed with the change it tells of (R10.2).
//!
//! Payloads are protobuf messages of `florin.event.v1`. They hold ids and amounts only, never
//! personal data (R2.8). A fact is appended without a position; positions are given later, in batches.

use florin_settlement::Instant;
use prost::{Message, Name};
use sea_orm::DbErr;

use crate::{
    column::At,
    db::Tx,
    id::{AccountId, Id, Kind},
    set::{self, Set},
};

/// Marks ids of events.
#[derive(Debug)]
pub enum Event {}
impl Kind for Event {
    const PREFIX: &'static str = "evt";
}

/// A fact about an account, ready to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    account: AccountId,
    kind: String,
    payload: Vec<u8>,
}

impl Fact {
    /// The fact `payload` about `account`.
    #[must_use]
    pub fn new<M: Message + Name>(account: AccountId, payload: &M) -> Self {
        Self { account, kind: M::full_name(), payload: payload.encode_to_vec() }
    }
}

/// Appends the fact `payload` about `account`.
///
/// # Errors
/// The database's.
pub async fn append<M: Message + Name>(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    payload: &M,
) -> Result<(), DbErr> {
    append_many(tx, at, vec![Fact::new(account, payload)]).await
}

/// Appends `facts`, in their order, in one statement.
///
/// # Errors
/// The database's.
pub async fn append_many(tx: &Tx, at: Instant, facts: Vec<Fact>) -> Result<(), DbErr> {
    let columns = [
        ("account_id", set::Kind::Uuid),
        ("id", set::Kind::Uuid),
        ("kind", set::Kind::Text),
        ("payload", set::Kind::Bytes),
        ("created_at", set::Kind::Instant),
    ];
    let mut rows = Set::new(columns, facts.len());
    for fact in facts {
        let id = Id::<Event>::generate(at);
        rows.push([
            fact.account.into(),
            id.into(),
            fact.kind.into(),
            fact.payload.into(),
            At::from(at).into(),
        ]);
    }
    rows.insert(tx, "event").await
}
