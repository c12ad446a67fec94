//! The mailed code that makes a PENDING account ACTIVE (R2.2).

use std::time::Duration;

use florin_platform::{
    id::AccountId,
    secret::{ServerKey, digest, same},
};
use florin_settlement::Instant;

/// A code is good for a day.
pub(crate) const EXPIRE_AFTER_DAYS: u32 = 1;
/// After so many wrong tries the code is dead and another one has to be sent.
pub(crate) const WRONG_MAX: u32 = 5;
/// A code is sent again at most once in so many seconds.
pub(crate) const RESEND_AFTER_SECONDS: u64 = 60;

/// The code that is awaited; only its digest is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// How many codes were made so far; each has its own.
    pub generation: u32,
    /// The digest of the live code; none once it is used.
    pub digest: Option<Vec<u8>>,
    /// When it was sent.
    pub sent: Option<Instant>,
    /// How often it was guessed wrong.
    pub wrong: u32,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The code was right; it is used up now.
    Right(Confirmation),
    /// It was wrong; this trace is to be kept.
    Wrong(Confirmation),
    /// It expired, was used, or was guessed wrong too often.
    Dead,
}

/// What the code of `generation` is derived from.
#[must_use]
pub(crate) fn purpose(account: AccountId, generation: u32) -> String {
    format!("confirmation/{account}/{generation}")
}

impl Confirmation {
    /// The first code, sent at `at`.
    #[must_use]
    pub fn first(key: &ServerKey, account: AccountId, at: Instant) -> Self {
        Self { generation: 0, digest: None, sent: None, wrong: 0 }.next(key, account, at)
    }

    /// The code after this one; the old one is dead.
    #[must_use]
    pub fn next(&self, key: &ServerKey, account: AccountId, at: Instant) -> Self {
        let generation = self.generation + 1;
        let code = key.short_code(&purpose(account, generation));
        Self { generation, digest: Some(digest(&normal(&code))), sent: Some(at), wrong: 0 }
    }

    /// How long another code has to wait at `at`; zero once it may be sent.
    #[must_use]
    pub fn resend_wait(&self, at: Instant) -> Duration {
        self.sent.map_or(Duration::ZERO, |sent| sent.plus_seconds(RESEND_AFTER_SECONDS).saturating_since(at))
    }

    /// Tries `code` at `at`. Case, spaces and dashes do not matter.
    #[must_use]
    pub fn attempt(&self, code: &str, at: Instant) -> Tried {
        let live =
            self.sent.is_some_and(|sent| at < sent.plus_days(EXPIRE_AFTER_DAYS)) && self.wrong < WRONG_MAX;
        match &self.digest {
            Some(expected) if live => {
                if same(expected, &digest(&normal(code))) {
                    Tried::Right(Self { digest: None, ..self.clone() })
                } else {
                    Tried::Wrong(Self { wrong: self.wrong + 1, ..self.clone() })
                }
            }
            Some(_) | None => Tried::Dead,
        }
    }
}

fn normal(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_micros((1_800_000_000 + seconds) * 1_000_000).expect("in range")
    }

    fn sent() -> (Confirmation, String) {
        let key = ServerKey::try_new(vec![3; 32]).expect("long enough");
        let code = key.short_code(&purpose(AccountId::NONE, 1));
        (Confirmation::first(&key, AccountId::NONE, at(0)), code)
    }

    #[test]
    fn a_code_is_good_once_whatever_its_case_and_dashes() {
        let (confirmation, code) = sent();
        let Tried::Right(used) = confirmation.attempt(&code.to_lowercase().replace('-', " "), at(1)) else {
            panic!("the code is right");
        };
        assert_eq!(used.attempt(&code, at(2)), Tried::Dead);
    }

    #[test]
    fn a_code_expires_and_dies_of_wrong_guesses() {
        let (mut confirmation, code) = sent();
        assert_eq!(confirmation.attempt(&code, at(86_400)), Tried::Dead);
        for _ in 0..WRONG_MAX {
            let Tried::Wrong(trace) = confirmation.attempt("AAAA-AAAA", at(1)) else {
                panic!("a wrong guess")
            };
            confirmation = trace;
        }
        assert_eq!(confirmation.attempt(&code, at(1)), Tried::Dead);
    }

    #[test]
    fn another_code_is_sent_at_most_once_a_minute() {
        let (confirmation, _) = sent();
        assert_eq!(confirmation.resend_wait(at(0)), Duration::from_secs(60));
        assert_eq!(confirmation.resend_wait(at(59)), Duration::from_secs(1));
        assert_eq!(confirmation.resend_wait(at(60)), Duration::ZERO);
        assert_eq!(confirmation.resend_wait(at(61)), Duration::ZERO);
    }
}
