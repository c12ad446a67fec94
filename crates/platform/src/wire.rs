//! Wire forms shared by every slice: instants, amounts, decimals and resource names.

use florin_api::google::r#type::{Decimal as WireDecimal, Money as WireMoney};
use florin_settlement::{Currency, Decimal, DecimalError, Instant, Money, canonical, parse_decimal};
use prost_types::Timestamp;

use crate::id::{AccountId, Id, Kind};

/// An instant as `google.protobuf.Timestamp`.
#[must_use]
pub fn timestamp(at: Instant) -> Timestamp {
    let micros = at.micros();
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or_default(),
    }
}

/// Reads a timestamp, truncated to microseconds (R1.6).
pub fn instant(timestamp: &Timestamp) -> Result<Instant, &'static str> {
    let refused = "is not a valid instant";
    if !(0..1_000_000_000).contains(&timestamp.nanos) {
        return Err(refused);
    }
    timestamp
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(timestamp.nanos / 1000)))
        .and_then(|micros| Instant::from_micros(micros).ok())
        .ok_or(refused)
}

/// An amount as `google.type.Money`.
#[must_use]
pub fn money(amount: Money) -> WireMoney {
    let (units, nanos) = amount.to_units_nanos();
    WireMoney { currency_code: amount.currency().code().to_owned(), units, nanos }
}

/// Reads an amount; finer than the minor unit is refused (R1.3).
pub fn amount(money: &WireMoney) -> Result<Money, String> {
    let currency = Currency::parse(&money.currency_code).map_err(|error| error.to_string())?;
    Money::from_units_nanos(money.units, money.nanos, currency).map_err(|error| error.to_string())
}

/// A rate, quantity or percentage as `google.type.Decimal`.
#[must_use]
pub fn decimal(value: Decimal) -> WireDecimal {
    WireDecimal { value: canonical(value) }
}

/// Reads a decimal with at most `scale_max` decimals.
pub fn rate(decimal: &WireDecimal, scale_max: u32) -> Result<Decimal, DecimalError> {
    parse_decimal(&decimal.value, scale_max)
}

/// What was given is not a resource name of this form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a name of the form {form}")]
pub struct NameError {
    form: String,
}

/// `accounts/{account}`.
#[must_use]
pub fn account_name(account: AccountId) -> String {
    format!("accounts/{account}")
}

/// Reads `accounts/{account}`.
pub fn parse_account(name: &str) -> Result<AccountId, NameError> {
    parse_top("accounts", name)
}

/// `{collection}/{id}`.
#[must_use]
pub fn top_name<K: Kind>(collection: &str, id: Id<K>) -> String {
    format!("{collection}/{id}")
}

/// Reads `{collection}/{id}`.
pub fn parse_top<K: Kind>(collection: &str, name: &str) -> Result<Id<K>, NameError> {
    segments(&[collection], name).and_then(|[id]| Id::parse(id).ok()).ok_or_else(|| form(&[collection]))
}

/// `accounts/{account}/{collection}/{id}`.
#[must_use]
pub fn child_name<K: Kind>(account: AccountId, collection: &str, id: Id<K>) -> String {
    format!("accounts/{account}/{collection}/{id}")
}

/// Reads `accounts/{account}/{collection}/{id}`.
pub fn parse_child<K: Kind>(collection: &str, name: &str) -> Result<(AccountId, Id<K>), NameError> {
    let path = ["accounts", collection];
    segments(&path, name)
        .and_then(|[account, id]| Some((Id::parse(account).ok()?, Id::parse(id).ok()?)))
        .ok_or_else(|| form(&path))
}

/// `accounts/{account}/{collection}/{parent}/{inner}/{id}`.
#[must_use]
pub fn grandchild_name<P: Kind, K: Kind>(
    account: AccountId,
    collection: &str,
    parent: Id<P>,
    inner: &str,
    id: Id<K>,
) -> String {
    format!("accounts/{account}/{collection}/{parent}/{inner}/{id}")
}

/// Reads `accounts/{account}/{collection}/{parent}/{inner}/{id}`.
pub fn parse_grandchild<P: Kind, K: Kind>(
    collection: &str,
    inner: &str,
    name: &str,
) -> Result<(AccountId, Id<P>, Id<K>), NameError> {
    let path = ["accounts", collection, inner];
    segments(&path, name)
        .and_then(|[account, parent, id]| {
            Some((Id::parse(account).ok()?, Id::parse(parent).ok()?, Id::parse(id).ok()?))
        })
        .ok_or_else(|| form(&path))
}

fn segments<'n, const N: usize>(collections: &[&str; N], name: &'n str) -> Option<[&'n str; N]> {
    let mut parts = name.split('/');
    let mut ids = [""; N];
    for (slot, collection) in ids.iter_mut().zip(collections) {
        if parts.next()? != *collection {
            return None;
        }
        *slot = parts.next()?;
    }
    parts.next().is_none().then_some(ids)
}

fn form(collections: &[&str]) -> NameError {
    let form = collections.iter().map(|collection| format!("{collection}/…")).collect::<Vec<_>>();
    NameError { form: form.join("/") }
}
