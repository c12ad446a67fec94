//! The mailed token that confirms a project's deletion (R4.6).
//!
//! Always holds: a token is good once and for a day, only the one mailed last, and only until it was guessed
//! wrong too often; what is kept is its digest.

use std::time::Duration;

use florin_credit::ProjectId;
use florin_platform::{
    id::AccountId,
    secret::{ServerKey, TOKEN_PURPOSE, digest, same},
};
use florin_settlement::Instant;

/// A token is good for so long.
const EXPIRE_AFTER_HOURS: u32 = 24;
/// After so many wrong tries the token is dead.
const WRONG_MAX: u32 = 5;
/// A token is mailed again at most once in so many seconds.
const REQUEST_AFTER_SECONDS: u64 = 60;

/// A deletion somebody asked for; only the token's digest is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeletionRequest {
    /// How many tokens were mailed for the project so far; each is another one.
    pub(crate) generation: u32,
    /// The digest of the live token; none once it is used or withdrawn.
    pub(crate) digest: Option<Vec<u8>>,
    /// How often it was guessed wrong.
    pub(crate) wrong: u32,
    /// When it was mailed.
    pub(crate) requested: Instant,
    /// Until when it is good.
    pub(crate) expires: Instant,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The token was right; it is used up now.
    Right(DeletionRequest),
    /// It was wrong; this trace is to be kept.
    Wrong(DeletionRequest),
    /// It was right once, and its time is over.
    Expired,
    /// There is no live token.
    Dead,
}

/// What the token of `generation` is derived from.
#[must_use]
pub(crate) fn purpose(account: AccountId, project: ProjectId, generation: u32) -> String {
    format!("{TOKEN_PURPOSE}project-deletion/{account}/{project}/{generation}")
}

impl DeletionRequest {
    /// Another request after `before`, whose token is dead from `at` on.
    #[must_use]
    pub(crate) fn after(
        before: Option<&Self>,
        key: &ServerKey,
        (account, project): (AccountId, ProjectId),
        at: Instant,
    ) -> Self {
        let generation = before.map_or(0, |before| before.generation) + 1;
        let token = key.reveal(&purpose(account, project, generation));
        let expires = at.plus_hours(EXPIRE_AFTER_HOURS);
        Self { generation, digest: Some(digest(&token)), wrong: 0, requested: at, expires }
    }

    /// How long another token has to wait at `at`; zero once it may be mailed.
    #[must_use]
    pub(crate) fn wait(&self, at: Instant) -> Duration {
        self.requested.plus_seconds(REQUEST_AFTER_SECONDS).saturating_since(at)
    }

    /// Whether there is a token that may still be given back at `at`.
    #[must_use]
    pub(crate) fn is_open(&self, at: Instant) -> bool {
        self.digest.is_some() && self.wrong < WRONG_MAX && at < self.expires
    }

    /// The same with its token dead.
    #[must_use]
    pub(crate) fn withdrawn(&self) -> Self {
        Self { digest: None, ..self.clone() }
    }

    /// Tries `token` at `at`.
    #[must_use]
    pub(crate) fn attempt(&self, token: &str, at: Instant) -> Tried {
        let Some(expected) = self.digest.as_deref().filter(|_| self.wrong < WRONG_MAX) else {
            return Tried::Dead;
        };
        match (same(expected, &digest(token.trim())), at < self.expires) {
            (true, true) => Tried::Right(self.withdrawn()),
            (true, false) => Tried::Expired,
            (false, _) => Tried::Wrong(Self { wrong: self.wrong + 1, ..self.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_micros((1_800_000_000 + seconds) * 1_000_000).expect("in range")
    }

    fn requested() -> (DeletionRequest, String) {
        let key = ServerKey::try_new(vec![3; 32]).expect("long enough");
        let (account, project) = (AccountId::from_u128(1), ProjectId::from_u128(2));
        let token = key.token(&purpose(account, project, 1));
        (DeletionRequest::after(None, &key, (account, project), at(0)), token)
    }

    #[test]
    fn a_token_is_good_once_and_for_a_day() {
        let (request, token) = requested();
        let Tried::Right(used) = request.attempt(&format!(" {token}\n"), at(1)) else {
            panic!("it is right")
        };
        assert_eq!(used.attempt(&token, at(2)), Tried::Dead);
        assert!(request.is_open(at(86_399)) && !request.is_open(at(86_400)));
        assert_eq!(request.attempt(&token, at(86_400)), Tried::Expired);
    }

    #[test]
    fn a_token_dies_of_wrong_guesses() {
        let (mut request, token) = requested();
        for _ in 0..WRONG_MAX {
            let Tried::Wrong(trace) = request.attempt("nonsense", at(1)) else { panic!("a wrong guess") };
            request = trace;
        }
        assert_eq!(request.attempt(&token, at(1)), Tried::Dead);
        assert!(!request.is_open(at(1)));
    }

    #[test]
    fn only_the_token_mailed_last_is_good_and_the_next_one_waits_a_minute() {
        let (first, old) = requested();
        assert_eq!(first.wait(at(0)), Duration::from_secs(60));
        assert_eq!(first.wait(at(60)), Duration::ZERO);
        let key = ServerKey::try_new(vec![3; 32]).expect("long enough");
        let keys = (AccountId::from_u128(1), ProjectId::from_u128(2));
        let second = DeletionRequest::after(Some(&first), &key, keys, at(60));
        assert!(matches!(second.attempt(&old, at(61)), Tried::Wrong(_)));
        assert_eq!(second.withdrawn().attempt(&key.token(&purpose(keys.0, keys.1, 2)), at(61)), Tried::Dead);
    }
}
