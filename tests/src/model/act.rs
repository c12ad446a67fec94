//! What may happen next: a seeded chooser of acts that make sense, and of some that do not.

use chrono::TimeDelta;
use fastrand::Rng;

use super::books::{Account, At, Bought, Cents, Family};

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paying {
    /// With the registered card.
    Method,
    /// Through the link, with a card that is fine.
    Link,
    /// Through the link, with a card that asks for 3-D Secure, which so many clients confirm at once.
    LinkConfirmed(usize),
    /// Through the link, with a card that is declined.
    LinkDeclined,
    /// With the registered card, by so many clients at once, each with a request id of its own.
    Race(usize),
}

/// How often a request is sent under one request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// As it should be.
    Once,
    /// Again, after the answer.
    Again,
    /// So many times at once.
    AtOnce(usize),
}

/// One act. Numbers are places in the model's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum Act {
    /// Orders credit, in whole euros.
    Order { account: usize, project: usize, units: i64 },
    /// Pays an order; `consent` gives up the right of withdrawal.
    Pay { account: usize, order: usize, how: Paying, consent: bool },
    /// Gives an order up.
    Cancel { account: usize, order: usize },
    /// Redeems a code, which may be used up.
    Redeem { account: usize, project: usize, code: usize },
    /// So many clients redeem one code at once.
    RedeemRace { account: usize, project: usize, code: usize, clients: usize },
    /// An operator grants LaunchPad credit for so many days.
    LaunchPad { account: usize, cents: Cents, days: u64 },
    /// An operator grants loyalty credit that never expires.
    Loyalty { account: usize, cents: Cents },
    /// Starts something.
    Run { account: usize, project: usize, family: Family, size: i64 },
    /// Stops it.
    Stop { account: usize, resource: usize },
    /// Time passes.
    Wait(TimeDelta),
}

/// Chooses acts from a seed.
#[derive(Debug)]
pub struct Script {
    rng: Rng,
    codes: usize,
}

/// The most that runs at a time in an account: more says nothing new.
const RUNNING_MAX: usize = 4;

impl Script {
    /// The script of `seed`, over so many codes.
    #[must_use]
    pub fn new(seed: u64, codes: usize) -> Self {
        Self { rng: Rng::with_seed(seed), codes }
    }

    /// What happens next, and how often it is sent.
    pub fn next(&mut self, accounts: &[Account], now: At) -> (Act, Sent) {
        let sent = match self.rng.u8(0..6) {
            0 => Sent::Again,
            1 => Sent::AtOnce(self.rng.usize(2..5)),
            _ => Sent::Once,
        };
        loop {
            if let Some(act) = self.choose(accounts, now) {
                return (act, sent);
            }
        }
    }

    fn choose(&mut self, accounts: &[Account], now: At) -> Option<Act> {
        let account = self.rng.usize(0..accounts.len());
        let books = &accounts[account];
        let project = self.rng.usize(0..books.projects.len());
        Some(match self.rng.u8(0..100) {
            0..=13 => Act::Order { account, project, units: self.rng.i64(1..40) },
            14..=34 => {
                let how = match self.rng.u8(0..8) {
                    0..=2 => Paying::Method,
                    3 => Paying::Link,
                    4 => Paying::LinkConfirmed(self.rng.usize(1..9)),
                    5 => Paying::LinkDeclined,
                    _ => Paying::Race(self.rng.usize(2..9)),
                };
                let order = self.order(books, now)?;
                Act::Pay { account, order, how, consent: self.rng.u8(0..4) > 0 }
            }
            35..=37 => Act::Cancel { account, order: self.order(books, now)? },
            38..=47 => Act::Redeem { account, project, code: self.rng.usize(0..self.codes) },
            48..=50 => {
                let clients = self.rng.usize(2..12);
                Act::RedeemRace { account, project, code: self.rng.usize(0..self.codes), clients }
            }
            51..=55 => Act::LaunchPad { account, cents: self.rng.i64(1..3000), days: self.rng.u64(20..400) },
            56..=58 => Act::Loyalty { account, cents: self.rng.i64(1..500) },
            59..=68 => {
                let running = books.resources.iter().filter(|resource| resource.to.is_none()).count();
                if running >= RUNNING_MAX {
                    return None;
                }
                let family = if self.rng.bool() { Family::Instance } else { Family::Storage };
                let size = if family == Family::Storage { self.rng.i64(1..500) } else { 1 };
                Act::Run { account, project, family, size }
            }
            69..=76 => {
                let running: Vec<usize> =
                    (0..books.resources.len()).filter(|n| books.resources[*n].to.is_none()).collect();
                Act::Stop { account, resource: *self.rng.choice(&running)? }
            }
            77..=88 => Act::Wait(TimeDelta::minutes(self.rng.i64(1..2000))),
            89..=97 => Act::Wait(TimeDelta::hours(self.rng.i64(24..1000))),
            _ => Act::Wait(TimeDelta::days(self.rng.i64(100..420))),
        })
    }

    /// An order: mostly one that can be paid, sometimes any.
    fn order(&mut self, books: &Account, now: At) -> Option<usize> {
        let is_open = |n: &usize| books.orders[*n].state == Bought::Open && now < books.orders[*n].expires;
        let open: Vec<usize> = (0..books.orders.len()).filter(is_open).collect();
        if open.is_empty() || self.rng.u8(0..8) == 0 {
            let any: Vec<usize> = (0..books.orders.len()).collect();
            return self.rng.choice(&any).copied();
        }
        self.rng.choice(&open).copied()
    }
}
