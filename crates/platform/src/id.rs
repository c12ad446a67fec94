//! Typed ids: a UUIDv7 made by Florin, with a prefix on the wire (R14.2).
//!
//! Never a database sequence. A slice names its own kinds; the account's is here, because every
//! customer row of every slice is keyed by it first.

use std::{fmt, hash::Hash, marker::PhantomData, sync::LazyLock};

use florin_settlement::Instant;
use sea_orm::{
    ColIdx, DbErr, IntoActiveValue, QueryResult, TryFromU64, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::{ContextV7, Timestamp, Uuid};

/// What an id identifies; `PREFIX` is lower-case letters, as in `acct_01m8…`.
pub trait Kind: Send + Sync + 'static {
    /// The prefix on the wire, without the underscore.
    const PREFIX: &'static str;
}

/// The id of a `K`.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// Marks ids of accounts.
#[derive(Debug)]
pub enum Account {}
impl Kind for Account {
    const PREFIX: &'static str = "acct";
}
/// The owner of every customer row.
pub type AccountId = Id<Account>;

/// What was given is not an id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_…")]
pub struct IdError {
    prefix: &'static str,
}

static CONTEXT: LazyLock<std::sync::Mutex<ContextV7>> =
    LazyLock::new(|| std::sync::Mutex::new(ContextV7::new()));

impl<K: Kind> Id<K> {
    /// A new id, ordered by `at`.
    #[must_use]
    pub fn generate(at: Instant) -> Self {
        let micros = at.micros().max(0).unsigned_abs();
        let nanos = <u32 as TryFrom<u64>>::try_from(micros % 1_000_000).map_or(0, |micros| micros * 1000);
        let timestamp = Timestamp::from_unix(&*CONTEXT, micros / 1_000_000, nanos);
        Self(Uuid::new_v7(timestamp), PhantomData)
    }

    /// The id read back from storage or from an opaque reference.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The plain UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The id that [`Id::as_u128`] made a number of.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Self::from_uuid(Uuid::from_u128(number))
    }

    /// As an opaque number, for the pure rules of settlement.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// Reads the wire form `prefix_…`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let error = IdError { prefix: K::PREFIX };
        let parsed: TypeSafeId<DynamicType> = text.parse().map_err(|_| error.clone())?;
        if parsed.type_prefix() == K::PREFIX { Ok(Self::from_uuid(parsed.uuid())) } else { Err(error) }
    }
}

impl AccountId {
    /// The scope of rows that belong to no account: anonymous calls, operators' acts.
    pub const NONE: Self = Self::from_uuid(Uuid::nil());
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = DynamicType::new(K::PREFIX).map_err(|_| fmt::Error)?;
        write!(f, "{}", TypeSafeId::from_type_and_uuid(prefix, self.0))
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// An id column is a uuid on PostgreSQL and a 16-byte blob on SQLite.
impl<K> From<Id<K>> for Value {
    fn from(id: Id<K>) -> Self {
        Self::Uuid(Some(id.0))
    }
}
impl<K> TryGetable for Id<K> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        Uuid::try_get_by(row, index).map(|uuid| Self(uuid, PhantomData))
    }
}
impl<K> ValueType for Id<K> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <Uuid as ValueType>::try_from(value).map(|uuid| Self(uuid, PhantomData))
    }
    fn type_name() -> String {
        "Id".to_owned()
    }
    fn array_type() -> ArrayType {
        <Uuid as ValueType>::array_type()
    }
    fn column_type() -> ColumnType {
        <Uuid as ValueType>::column_type()
    }
}
impl<K> Nullable for Id<K> {
    fn null() -> Value {
        Value::Uuid(None)
    }
}
impl<K> IntoActiveValue<Id<K>> for Id<K> {
    fn into_active_value(self) -> sea_orm::ActiveValue<Self> {
        sea_orm::ActiveValue::Set(self)
    }
}
impl<K> TryFromU64 for Id<K> {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_wire_and_keeps_the_order_of_time() {
        let early = AccountId::generate(Instant::from_micros(1_800_000_000_000_000).expect("in range"));
        let late = AccountId::generate(Instant::from_micros(1_800_000_001_000_000).expect("in range"));
        assert!(early < late);
        assert!(early.to_string().starts_with("acct_"));
        assert_eq!(AccountId::parse(&early.to_string()), Ok(early));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        enum Other {}
        impl Kind for Other {
            const PREFIX: &'static str = "other";
        }
        let id = Id::<Other>::from_uuid(Uuid::from_u128(7));
        assert!(AccountId::parse(&id.to_string()).is_err());
        assert!(AccountId::parse("").is_err());
    }
}
