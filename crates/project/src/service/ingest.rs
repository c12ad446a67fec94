//! Writing measured usage: sets of events, one transaction (R5.4, R5.5).
//!
//! hold the accounts → read the resources' lives → judge in memory → write events and sums, as sets
//!
//! | question | answer |
//! |---|---|
//! | an id sent before | is looked up before its event is refused: sent again, an old event is DUPLICATE, not too old |
//! | an id twice in one set | the first event that can be recorded is; the others are compared with it |
//! | two clients, one id | the accounts are held, in id order: one after the other |
//! | usage while the month is billed | the same lock: see [`super::usage::close`] |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use florin_platform::{db::Tx, id::AccountId};
use florin_settlement::Instant;

use crate::{
    domain::{
        metering::{Acceptance, HourKey, Measured, Refused, UsageEvent, Verdict, place},
        resource::ResourceId,
    },
    error::Error,
    store::{self, usage_event::Recorded},
};

/// Events of one sender.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Who sends them, as in the audit log.
    pub(crate) source: String,
    /// The events.
    pub(crate) events: Vec<UsageEvent>,
}

type Key<'a> = (AccountId, &'a str);

/// Records what of `batches` can be recorded at `now`; a verdict for each event, batch by batch.
pub(crate) async fn record(
    tx: &Tx,
    now: Instant,
    acceptance: Acceptance,
    batches: &[&Batch],
) -> Result<Vec<Vec<Verdict>>, Error> {
    let events: Vec<(&UsageEvent, &str)> = batches
        .iter()
        .flat_map(|batch| batch.events.iter().map(|event| (event, batch.source.as_str())))
        .collect();
    let places = judged(tx, now, acceptance, &events).await?;

    // The first event of each id that can be recorded stands for its id.
    let mut chosen: HashMap<Key<'_>, usize> = HashMap::with_capacity(events.len());
    for (index, (event, _)) in events.iter().enumerate() {
        if places[index].is_ok() {
            chosen.entry(key(event)).or_insert(index);
        }
    }
    let mut candidates: Vec<usize> = chosen.values().copied().collect();
    candidates.sort_unstable();
    let rows: Vec<_> = candidates.iter().map(|index| events[*index]).collect();
    let added = store::usage_event::insert(tx, now, &rows).await?;
    let is_new = |index: usize| {
        let (event, _) = events[index];
        chosen.get(&key(event)) == Some(&index)
            && (added.len() == candidates.len() || added.contains(&(event.account, event.id.clone())))
    };
    let new: Vec<bool> = (0..events.len()).map(is_new).collect();
    let known = known(tx, &events, &chosen, &new).await?;
    store::usage_hour::add(tx, &summed(&events, &places, &new)?).await?;

    let verdicts = events.iter().zip(places).enumerate().map(|(index, ((event, _), place))| {
        if new[index] {
            return Verdict::Accepted;
        }
        let same = match known.get(&key(event)) {
            Some(recorded) => Some(recorded.says(event.content())),
            None => {
                let chosen = chosen.get(&key(event)).filter(|chosen| new[**chosen]);
                chosen.map(|chosen| events[*chosen].0.content() == event.content())
            }
        };
        match (same, place) {
            (Some(true), _) => Verdict::Duplicate,
            (Some(false), _) => Verdict::Refused(Refused::Conflict),
            (None, Err(refused)) => Verdict::Refused(refused),
            // Recorded by nobody and not new: its id must be known, and it is not.
            (None, Ok(_)) => Verdict::Refused(Refused::Conflict),
        }
    });
    let mut verdicts = verdicts.collect::<Vec<_>>().into_iter();
    Ok(batches.iter().map(|batch| verdicts.by_ref().take(batch.events.len()).collect()).collect())
}

fn key(event: &UsageEvent) -> Key<'_> {
    (event.account, event.id.as_str())
}

/// Holds the accounts and decides where each event counts.
async fn judged(
    tx: &Tx,
    now: Instant,
    acceptance: Acceptance,
    events: &[(&UsageEvent, &str)],
) -> Result<Vec<Result<HourKey, Refused>>, Error> {
    let accounts: BTreeSet<AccountId> = events.iter().map(|(event, _)| event.account).collect();
    florin_account::hold(tx, &accounts.into_iter().collect::<Vec<_>>()).await?;
    let resources: BTreeSet<(AccountId, ResourceId)> =
        events.iter().map(|(event, _)| (event.account, event.resource)).collect();
    let lives = store::metered_life::of(tx, &resources.into_iter().collect::<Vec<_>>()).await?;
    let judge = |(event, _): &(&UsageEvent, &str)| {
        place(event, lives.get(&(event.account, event.resource)), now, acceptance)
    };
    Ok(events.iter().map(judge).collect())
}

/// What is recorded under the ids of events that are not new.
async fn known<'a>(
    tx: &Tx,
    events: &[(&'a UsageEvent, &str)],
    chosen: &HashMap<Key<'a>, usize>,
    new: &[bool],
) -> Result<HashMap<Key<'a>, Recorded>, Error> {
    let asked: BTreeSet<Key<'a>> = events
        .iter()
        .map(|(event, _)| key(event))
        .filter(|key| chosen.get(key).is_none_or(|index| !new[*index]))
        .collect();
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let asked: Vec<Key<'a>> = asked.into_iter().collect();
    let mut found = store::usage_event::recorded(tx, &asked).await?;
    let known = asked.into_iter().filter_map(|key| {
        let recorded = found.remove(&(key.0, key.1.to_owned()))?;
        Some((key, recorded))
    });
    Ok(known.collect())
}

/// What the new events add to each hour.
fn summed(
    events: &[(&UsageEvent, &str)],
    places: &[Result<HourKey, Refused>],
    new: &[bool],
) -> Result<BTreeMap<HourKey, (Measured, i64)>, Error> {
    let mut hours: HashMap<&HourKey, (Measured, i64)> = HashMap::new();
    for (index, place) in places.iter().enumerate().filter(|(index, _)| new[*index]) {
        if let Ok(place) = place {
            let (sum, count) = hours.entry(place).or_default();
            *sum = sum.checked_add(events[index].0.quantity).ok_or(Error::UsageOverflow)?;
            *count += 1;
        }
    }
    Ok(hours.into_iter().map(|(key, sum)| (key.clone(), sum)).collect())
}
