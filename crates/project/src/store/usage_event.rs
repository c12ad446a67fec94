//! Rows of measured events, found again by the sender's id (R5.4).

use std::collections::{HashMap, HashSet};

use florin_platform::{
    column::CorruptRow,
    db::{Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::domain::{
    metering::{Content, Measured, UsageEvent},
    resource::ResourceId,
};

const TABLE: &str = "usage_event";

/// What an event is found by.
pub(crate) type Key = (AccountId, String);

/// An event that was recorded before, without its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    resource: ResourceId,
    quantity: Measured,
    at: Instant,
    label: String,
}

impl Recorded {
    /// Whether it says what `content` says.
    pub(crate) fn says(&self, content: Content<'_>) -> bool {
        content
            == Content { resource: self.resource, quantity: self.quantity, at: self.at, label: &self.label }
    }
}

/// Which of some events were added.
#[derive(Clone, Debug)]
pub(crate) enum Added {
    /// All of them: none was known.
    Everything,
    /// Those with these keys.
    Some(HashSet<Key>),
}

impl Added {
    /// Whether the event of this account and id, which was among them, was added.
    pub(crate) fn contains(&self, (account, id): (AccountId, &str)) -> bool {
        match self {
            Self::Everything => true,
            Self::Some(keys) => keys.contains(&(account, id.to_owned())),
        }
    }
}

/// Events as rows: made before anything is locked, because that takes a while for thousands of them.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    set: Set<9>,
    count: usize,
}

/// Rows of `events`, each with who sent it.
pub(crate) fn rows<'e>(
    received: Instant,
    events: impl ExactSizeIterator<Item = (&'e UsageEvent, &'e str)>,
) -> Rows {
    let columns = [
        ("account_id", Kind::Often(&Kind::Uuid)),
        ("event_id", Kind::Text),
        ("resource_id", Kind::Uuid),
        ("usage_micros", Kind::Number),
        ("units", Kind::Number),
        ("fraction", Kind::Number),
        ("label", Kind::Text),
        ("source", Kind::Often(&Kind::Text)),
        ("received_micros", Kind::Often(&Kind::Number)),
    ];
    let count = events.len();
    let mut set = Set::new(columns, count);
    for (event, source) in events {
        set.push([
            event.account.into(),
            event.id.as_str().into(),
            event.resource.into(),
            event.at.micros().into(),
            event.quantity.units().into(),
            event.quantity.fraction().into(),
            event.label.as_str().into(),
            source.into(),
            received.micros().into(),
        ]);
    }
    Rows { set, count }
}

/// Adds `events`, none of whose ids is known; fails at the table's key if one is.
pub(crate) async fn insert_new(tx: &Tx, events: Rows) -> Result<Added, DbErr> {
    events.set.insert(tx, TABLE).await?;
    Ok(Added::Everything)
}

/// Adds those of `events` whose ids are not known, in one statement. The accounts are held, so that nobody else adds
/// the same.
pub(crate) async fn insert(tx: &Tx, events: Rows) -> Result<Added, DbErr> {
    let text = |rows: &str| {
        format!(
            "INSERT INTO usage_event (account_id, event_id, resource_id, usage_micros, units, fraction, label, \
             source, received_micros) SELECT account_id, event_id, resource_id, usage_micros, units, fraction, \
             label, source, received_micros FROM {rows} WHERE true \
             ON CONFLICT (account_id, event_id) DO NOTHING RETURNING account_id, event_id"
        )
    };
    let added = events.set.query(tx, text).await?;
    if added.len() == events.count {
        return Ok(Added::Everything);
    }
    added.iter().map(key).collect::<Result<_, _>>().map(Added::Some)
}

/// Those of `keys` that were recorded, and what they say.
pub(crate) async fn recorded(
    connection: &impl ConnectionTrait,
    keys: &[(AccountId, &str)],
) -> Result<HashMap<Key, Recorded>, DbErr> {
    let mut set = Set::new([("account_id", Kind::Uuid), ("event_id", Kind::Text)], keys.len());
    for (account, id) in keys {
        set.push([(*account).into(), (*id).into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT e.account_id, e.event_id, e.resource_id, e.usage_micros, e.units, e.fraction, e.label \
             FROM {rows} JOIN usage_event e ON e.account_id = v.account_id AND e.event_id = v.event_id"
        )
    };
    set.read(connection, text).await?.iter().map(|row| Ok((key(row)?, read(row)?))).collect()
}

fn key(row: &QueryResult) -> Result<Key, DbErr> {
    Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
}

fn read(row: &QueryResult) -> Result<Recorded, DbErr> {
    let (units, fraction) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
    Ok(Recorded {
        resource: row.try_get_by_index(2)?,
        quantity: Measured::stored(units, fraction)
            .ok_or_else(|| CorruptRow::new(TABLE, "a quantity below 0"))?,
        at: Instant::from_micros(row.try_get_by_index(3)?).map_err(CorruptRow::of(TABLE))?,
        label: row.try_get_by_index(6)?,
    })
}

/// Looks at the `limit` events after `after`, in the order of their keys, and deletes those received before
/// `horizon`. Where it stopped; none at the end.
pub(crate) async fn forget(
    tx: &Tx,
    horizon: Instant,
    after: Option<&Key>,
    limit: u32,
) -> Result<Option<Key>, DbErr> {
    let later = if after.is_some() { "WHERE (account_id, event_id) > ($2, $3)" } else { "" };
    let text = format!(
        "SELECT account_id, event_id, received_micros FROM usage_event {later} \
         ORDER BY account_id, event_id LIMIT $1"
    );
    let place = after.map(|(account, id)| [Value::from(*account), id.as_str().into()]);
    let values = [Value::from(i64::from(limit))].into_iter().chain(place.into_iter().flatten());
    let rows = tx.query_all_raw(sql(tx, &text, values)).await?;
    let mut old = Set::new([("account_id", Kind::Uuid), ("event_id", Kind::Text)], rows.len());
    for row in &rows {
        let received: i64 = row.try_get_by_index(2)?;
        if received < horizon.micros() {
            let (account, id) = key(row)?;
            old.push([account.into(), id.into()]);
        }
    }
    let text = |rows: &str| {
        format!(
            "DELETE FROM usage_event WHERE (account_id, event_id) IN (SELECT account_id, event_id FROM {rows})"
        )
    };
    old.execute(tx, text).await?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found >= limit);
    rows.last().filter(|_| full).map(key).transpose()
}

/// How far the deletion of old events has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// The month that was begun, as in 202703; done when there is no place.
    pub(crate) month: i64,
    /// Where it stopped.
    pub(crate) after: Option<Key>,
}

/// How far it has come; none if it was never begun.
pub(crate) async fn sweep(connection: &impl ConnectionTrait) -> Result<Option<Sweep>, DbErr> {
    let text = "SELECT month, after_account, after_event FROM usage_retention WHERE id = 1";
    let Some(row) = connection.query_one_raw(sql(connection, text, [])).await? else { return Ok(None) };
    let (account, event): (Option<AccountId>, Option<String>) =
        (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
    Ok(Some(Sweep { month: row.try_get_by_index(0)?, after: account.zip(event) }))
}

/// Keeps how far it has come.
pub(crate) async fn keep_sweep(tx: &Tx, sweep: &Sweep) -> Result<(), DbErr> {
    let text = "INSERT INTO usage_retention (id, month, after_account, after_event) VALUES (1, $1, $2, $3) \
                ON CONFLICT (id) DO UPDATE SET month = excluded.month, \
                after_account = excluded.after_account, after_event = excluded.after_event";
    let (account, event) = match &sweep.after {
        Some((account, event)) => (Some(*account), Some(event.as_str())),
        None => (None, None),
    };
    let values = [sweep.month.into(), account.into(), event.into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Whether there is any event.
pub(crate) async fn any(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM usage_event LIMIT 1";
    Ok(connection.query_one_raw(sql(connection, text, [])).await?.is_some())
}
