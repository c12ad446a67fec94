//! Whether what is sent is taken to be new (R5.4).
//!
//! On PostgreSQL an INSERT that fails where its key is known costs half of one that looks first (`ON CONFLICT`). So
//! what nobody is known to have sent is inserted plainly, and the key of the table is what finds that somebody has.
//!
//! | question | answer |
//! |---|---|
//! | an id, or a sum, was known after all | the transaction fails at the key, nothing of it is kept, and the set is written again, looking first: the verdicts are the same |
//! | what does it cost those who send again | a part of one set in [`CAREFUL_SETS`]: after a failure the next ones look first at once |
//! | which sums are taken to be new | those this process has not written: a sum never goes, so that one it has written is there, or was rolled back, and looking is always right |
//! | how much is remembered | hashes of at most [`SUMS_MAX`] sums; beyond that all is forgotten. Two sums with one hash mean one look too many |

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::domain::metering::HourKey;

/// How many sets are written looking first after one that should have been.
const CAREFUL_SETS: u32 = 32;
/// How many sums are remembered.
const SUMS_MAX: usize = 200_000;

/// How a set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing of it is known: fails if something is.
    New,
    /// Anything.
    Anything,
}

/// What the sets before have shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Novelty(Arc<Shown>);

#[derive(Debug, Default)]
struct Shown {
    careful: AtomicU32,
    written: Mutex<HashSet<u64>>,
    hashes: RandomState,
}

impl Novelty {
    /// How the next set is written.
    pub(crate) fn next(&self) -> Expected {
        let fewer = |careful: u32| careful.checked_sub(1);
        match self.0.careful.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer) {
            Ok(_) => Expected::Anything,
            Err(_) => Expected::New,
        }
    }

    /// Something of a set was known that was written as new.
    pub(crate) fn disappointed(&self) {
        self.0.careful.store(CAREFUL_SETS, Ordering::Relaxed);
    }

    /// Those of `hours` that are taken to be new: of a set of which anything is expected, none. All are remembered.
    pub(crate) fn of<'k>(
        &self,
        expected: Expected,
        hours: impl ExactSizeIterator<Item = &'k HourKey>,
    ) -> HashSet<&'k HourKey> {
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() + hours.len() > SUMS_MAX {
            written.clear();
        }
        let first = hours.filter(|hour| written.insert(self.0.hashes.hash_one(hour)));
        let first: HashSet<_> = first.collect();
        match expected {
            Expected::New => first,
            Expected::Anything => HashSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use florin_credit::ProjectId;
    use florin_platform::id::AccountId;
    use florin_settlement::{Instant, Month};

    use super::*;
    use crate::domain::{plan::PlanCode, resource::ResourceId};

    fn hours(count: u128) -> Vec<HourKey> {
        let hour = Instant::parse("2027-03-02T00:00:00Z").expect("an instant");
        let key = |n| HourKey {
            account: AccountId::from_u128(1),
            project: ProjectId::from_u128(1),
            billed_with: Month::of(hour),
            hour,
            resource: ResourceId::from_u128(n),
            plan: PlanCode::parse("object-egress").expect("a code"),
        };
        (0..count).map(key).collect()
    }

    #[test]
    fn after_something_was_known_the_next_sets_are_written_looking_first() {
        let novelty = Novelty::default();
        assert_eq!([novelty.next(), novelty.next()], [Expected::New; 2]);
        novelty.disappointed();
        for _ in 0..CAREFUL_SETS {
            assert_eq!(novelty.next(), Expected::Anything);
        }
        assert_eq!(novelty.next(), Expected::New);
    }

    #[test]
    fn a_sum_is_taken_to_be_new_once() {
        let novelty = Novelty::default();
        let hours = hours(3);
        assert_eq!(
            novelty.of(Expected::Anything, hours[..1].iter()),
            HashSet::new(),
            "looked for, and remembered"
        );
        assert_eq!(novelty.of(Expected::New, hours[..2].iter()), HashSet::from([&hours[1]]));
        assert_eq!(novelty.of(Expected::New, hours.iter()), HashSet::from([&hours[2]]));
    }

    /// R5.4: bounded memory, whatever is sent.
    #[test]
    fn no_more_sums_are_remembered_than_may_be() {
        let novelty = Novelty::default();
        for part in hours(250_000).chunks(5000) {
            let _ = novelty.of(Expected::Anything, part.iter());
        }
        assert_eq!(novelty.0.written.lock().expect("no panic").len(), 50_000);
    }
}
