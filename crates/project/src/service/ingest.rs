//! Writing measured usage: sets of events, one transaction (R5.4, R5.5).
//!
//! judge by what is remembered → hold the accounts → if they have changed: read the resources' lives, judge again →
//! write events and sums, as sets made before
//!
//! | question | answer |
//! |---|---|
//! | an id sent before | is looked up before its event is refused: sent again, an old event is DUPLICATE, not too old |
//! | an id twice in one set | the first event that can be recorded is; the others are compared with it |
//! | what nobody has sent | is inserted without looking for it: see [`super::novelty`] |
//! | two clients, one id | the accounts are held, in id order: one after the other |
//! | usage while the month is billed | the same lock: see [`super::usage::close`] |
//! | why judge before the lock | so that senders of one account wait for writing alone; an account that has not changed since is judged right: see [`super::lives`] |

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use florin_platform::{clock::Clock, db::Tx, id::AccountId};
use florin_settlement::Instant;

use super::{
    lives::{Known, Lives, Versions},
    novelty::{Expected, Novelty},
};
use crate::{
    domain::{
        metering::{Acceptance, HourKey, Refused, Sums, UsageEvent, Verdict, place},
        resource::ResourceId,
    },
    error::Error,
    store::{
        self,
        usage_event::{Added, Recorded, Rows},
    },
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

/// What recording depends on besides the events.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    /// What time it is.
    pub(crate) clock: Clock,
    /// Which instants are taken.
    pub(crate) acceptance: Acceptance,
    /// What the resources were.
    pub(crate) lives: Lives,
    /// Whether what is sent is taken to be new.
    pub(crate) novelty: Novelty,
}

/// The events of some batches, to be written in one transaction.
#[derive(Debug)]
pub(crate) struct Group<'b> {
    events: Vec<(&'b UsageEvent, &'b str)>,
    sizes: Vec<usize>,
    accounts: Vec<AccountId>,
    resources: Vec<(AccountId, ResourceId)>,
}

impl<'b> Group<'b> {
    /// The events of `batches`, in their order.
    pub(crate) fn of(batches: &[&'b Batch]) -> Self {
        let events: Vec<(&UsageEvent, &str)> = batches
            .iter()
            .flat_map(|batch| batch.events.iter().map(|event| (event, batch.source.as_str())))
            .collect();
        let accounts: BTreeSet<AccountId> = events.iter().map(|(event, _)| event.account).collect();
        let resources: BTreeSet<(AccountId, ResourceId)> =
            events.iter().map(|(event, _)| (event.account, event.resource)).collect();
        Self {
            events,
            sizes: batches.iter().map(|batch| batch.events.len()).collect(),
            accounts: accounts.into_iter().collect(),
            resources: resources.into_iter().collect(),
        }
    }

    /// Judges the events at `now` by what is remembered, if everything they need is.
    pub(crate) fn foresee(&self, judge: &Judge, now: Instant) -> Result<Option<Foreseen<'b>>, Error> {
        let Some((versions, known)) = judge.lives.of(&self.resources) else { return Ok(None) };
        Ok(Some(Foreseen { versions, judged: self.judge(judge.acceptance, now, &known)? }))
    }

    /// Decides where each event counts, which of those with one id stands for it, and what they add to
    /// each hour and month.
    fn judge(&self, acceptance: Acceptance, now: Instant, known: &Known) -> Result<Judged<'b>, Error> {
        let place_of = |(event, _): &(&UsageEvent, &str)| {
            let life = known.get(&(event.account, event.resource)).map(Arc::as_ref);
            place(event, life, now, acceptance)
        };
        let places: Vec<_> = self.events.iter().map(place_of).collect();
        let mut chosen: HashMap<Key<'b>, usize> = HashMap::with_capacity(self.events.len());
        let mut candidates = Vec::with_capacity(self.events.len());
        for (index, (event, _)) in self.events.iter().enumerate() {
            if places[index].is_ok()
                && let Entry::Vacant(vacant) = chosen.entry(key(event))
            {
                vacant.insert(index);
                candidates.push(index);
            }
        }
        let sums = self.summed(&places, candidates.iter().copied())?;
        let rows = Mutex::new(Some(self.rows(now, &candidates)));
        Ok(Judged { now, places, chosen, candidates, rows, sums })
    }

    fn rows(&self, now: Instant, candidates: &[usize]) -> Rows {
        store::usage_event::rows(now, candidates.iter().map(|index| self.events[*index]))
    }

    /// What events add to each hour and month.
    fn summed(
        &self,
        places: &[Result<HourKey, Refused>],
        events: impl Iterator<Item = usize>,
    ) -> Result<Sums, Error> {
        let placed = |index: usize| Some((places[index].as_ref().ok()?, self.events[index].0.quantity));
        Sums::of(events.filter_map(placed)).ok_or(Error::UsageOverflow)
    }
}

/// What was decided of a group.
#[derive(Debug)]
struct Judged<'b> {
    now: Instant,
    places: Vec<Result<HourKey, Refused>>,
    /// The first event of each id that can be recorded, which stands for its id.
    chosen: HashMap<Key<'b>, usize>,
    /// The same, in the order of the events.
    candidates: Vec<usize>,
    /// The same as they are stored, until they are written; who tries again makes them again.
    rows: Mutex<Option<Rows>>,
    /// What they add to each hour and month if all of them are new.
    sums: Sums,
}

/// What was decided of a group by what is remembered of its accounts.
#[derive(Debug)]
pub(crate) struct Foreseen<'b> {
    versions: Versions,
    judged: Judged<'b>,
}

/// Records what of `group` can be recorded; a verdict for each event, batch by batch. When nothing of it is expected to
/// be known, it fails if something is.
pub(crate) async fn record(
    tx: &Tx,
    judge: &Judge,
    group: &Group<'_>,
    foreseen: Option<&Foreseen<'_>>,
    expected: Expected,
) -> Result<Vec<Vec<Verdict>>, Error> {
    let versions = florin_account::hold(tx, &group.accounts).await?;
    let novelty = &judge.novelty;
    match foreseen.filter(|foreseen| foreseen.versions == versions) {
        Some(foreseen) => write(tx, group, &foreseen.judged, novelty, expected).await,
        None => {
            let judged = judged_anew(tx, judge, group, &versions).await?;
            write(tx, group, &judged, novelty, expected).await
        }
    }
}

/// Judges by what is read now; the accounts are held at `versions`.
async fn judged_anew<'b>(
    tx: &Tx,
    judge: &Judge,
    group: &Group<'b>,
    versions: &Versions,
) -> Result<Judged<'b>, Error> {
    let known: Known = store::metered_life::of(tx, &group.resources).await?;
    judge.lives.remember(versions, &group.resources, &known);
    group.judge(judge.acceptance, judge.clock.now(tx).await?, &known)
}

async fn write(
    tx: &Tx,
    group: &Group<'_>,
    judged: &Judged<'_>,
    novelty: &Novelty,
    expected: Expected,
) -> Result<Vec<Vec<Verdict>>, Error> {
    let Judged { now, places, chosen, candidates, rows, sums } = judged;
    let events = &group.events;
    let made = rows.lock().unwrap_or_else(PoisonError::into_inner).take();
    let rows = made.unwrap_or_else(|| group.rows(*now, candidates));
    let added = match expected {
        Expected::New => store::usage_event::insert_new(tx, rows).await?,
        Expected::Anything => store::usage_event::insert(tx, rows).await?,
    };
    let mut new = vec![false; events.len()];
    for index in candidates {
        new[*index] = added.contains(key(events[*index].0));
    }
    let add = async |sums: &Sums| {
        store::usage_hour::add(tx, &sums.hours, &novelty.of(expected, sums.hours.keys())).await?;
        store::usage_month::add(tx, &sums.months).await
    };
    match &added {
        Added::Everything => add(sums).await?,
        Added::Some(_) => {
            let newly = candidates.iter().copied().filter(|index| new[*index]);
            add(&group.summed(places, newly)?).await?;
        }
    }
    let known = known(tx, events, chosen, &new).await?;
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
            (None, Err(refused)) => Verdict::Refused(refused.clone()),
            // Recorded by nobody and not new: its id must be known, and it is not.
            (None, Ok(_)) => Verdict::Refused(Refused::Conflict),
        }
    });
    let mut verdicts = verdicts.collect::<Vec<_>>().into_iter();
    Ok(group.sizes.iter().map(|size| verdicts.by_ref().take(*size).collect()).collect())
}

fn key(event: &UsageEvent) -> Key<'_> {
    (event.account, event.id.as_str())
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
