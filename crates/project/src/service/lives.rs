//! What events are judged by, remembered between transactions (R5.4).
//!
//! | question | answer |
//! |---|---|
//! | when is what is remembered true | while the account's lock row has the version it was read at: whoever changes a resource, moves a project on or closes a month takes that lock and counts a change |
//! | who says so | the transaction that holds the row, on whichever replica; nothing here is believed before it has |
//! | how much is remembered | at most [`RESOURCES_MAX`] resources; beyond that all is forgotten and read anew |
//! | plans | what a plan is charged by never changes, so that its lives need no version of it |

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use florin_platform::id::AccountId;

use crate::domain::{metering::Life, resource::ResourceId};

/// How many resources are remembered, those that do not exist among them.
const RESOURCES_MAX: usize = 50_000;

/// The changes each account that exists has had.
pub(crate) type Versions = HashMap<AccountId, i64>;
/// What is known of resources; those that do not exist are missing.
pub(crate) type Known = HashMap<(AccountId, ResourceId), Arc<Life>>;

/// Lives as they were last read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    accounts: HashMap<AccountId, OfAccount>,
    resources: usize,
}

#[derive(Debug, Default)]
struct OfAccount {
    version: i64,
    lives: HashMap<ResourceId, Option<Arc<Life>>>,
}

impl Lives {
    /// What is remembered of `resources`, if all of it is, and the versions of their accounts it is true at.
    pub(crate) fn of(&self, resources: &[(AccountId, ResourceId)]) -> Option<(Versions, Known)> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut versions, mut known) = (Versions::new(), Known::with_capacity(resources.len()));
        for (account, resource) in resources {
            let of_account = remembered.accounts.get(account)?;
            if let Some(life) = of_account.lives.get(resource)? {
                known.insert((*account, *resource), Arc::clone(life));
            }
            versions.insert(*account, of_account.version);
        }
        Some((versions, known))
    }

    /// Remembers `known` of `resources`, which were read with their accounts held at `versions`.
    pub(crate) fn remember(&self, versions: &Versions, resources: &[(AccountId, ResourceId)], known: &Known) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.resources + resources.len() > RESOURCES_MAX {
            *remembered = Remembered::default();
        }
        let Remembered { accounts, resources: count } = &mut *remembered;
        for (account, resource) in resources {
            // An account that does not exist has no row to hold, and nothing is remembered of it.
            let Some(version) = versions.get(account) else { continue };
            let of_account = accounts.entry(*account).or_default();
            if of_account.version != *version {
                *count -= of_account.lives.len();
                *of_account = OfAccount { version: *version, lives: HashMap::new() };
            }
            let life = known.get(&(*account, *resource)).map(Arc::clone);
            *count += usize::from(of_account.lives.insert(*resource, life).is_none());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(account: u128, resource: u128) -> (AccountId, ResourceId) {
        (AccountId::from_u128(account), ResourceId::from_u128(resource))
    }

    #[test]
    fn what_was_read_at_another_version_is_forgotten() {
        let lives = Lives::default();
        let (one, two) = (resource(1, 1), resource(1, 2));
        let versions = |version| Versions::from([(one.0, version)]);
        assert_eq!(lives.of(&[one]), None);
        lives.remember(&versions(0), &[one, two], &Known::new());
        assert_eq!(lives.of(&[one, two]), Some((versions(0), Known::new())), "that it is not there is known");
        assert_eq!(lives.of(&[one, resource(2, 1)]), None, "all or nothing");
        lives.remember(&versions(7), &[one], &Known::new());
        assert_eq!(lives.of(&[one]), Some((versions(7), Known::new())));
        assert_eq!(lives.of(&[two]), None);
    }

    #[test]
    fn an_account_that_does_not_exist_is_not_remembered() {
        let lives = Lives::default();
        lives.remember(&Versions::new(), &[resource(1, 1)], &Known::new());
        assert_eq!(lives.of(&[resource(1, 1)]), None);
    }

    /// R5.4: bounded memory, whatever is asked for.
    #[test]
    fn no_more_is_remembered_than_may_be() {
        let lives = Lives::default();
        for account in 0..60_u128 {
            let resources: Vec<_> = (0..1000).map(|n| resource(account, n)).collect();
            lives.remember(&Versions::from([(resources[0].0, 0)]), &resources, &Known::new());
        }
        let remembered = lives.0.lock().expect("no panic");
        let count: usize = remembered.accounts.values().map(|of_account| of_account.lives.len()).sum();
        assert_eq!((count, remembered.resources), (10_000, 10_000));
    }
}
