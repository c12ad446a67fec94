//! What may happen next: a seeded chooser of acts that make sense, and of some that do not.

use chrono::TimeDelta;
use fastrand::Rng;

use super::books::{Account, At, Bought, Cents, Family, Life};

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

/// What the payer's bank does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    /// Takes back so much, with tax: to be decided later, or as a debit that bounces.
    Dispute {
        /// How much.
        gross: Cents,
        /// Whether it bounces.
        bounced: bool,
    },
    /// Takes back everything, asked by so many at once, each with a request id of its own.
    DisputeRace(usize),
    /// Decides the latest dispute for Florin.
    Win,
    /// Decides it for the payer.
    Lose,
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
    /// Withdraws from a paid order.
    Withdraw { account: usize, order: usize },
    /// The payer's bank does something about the payment of an order.
    Bank { account: usize, order: usize, does: Bank },
    /// Pays everything that is owed.
    PayDebts { account: usize },
    /// Redeems a code, which may be used up.
    Redeem { account: usize, project: usize, code: usize },
    /// So many clients redeem one code at once.
    RedeemRace { account: usize, project: usize, code: usize, clients: usize },
    /// An operator grants LaunchPad credit for so many days.
    LaunchPad { account: usize, cents: Cents, days: u64 },
    /// An operator grants loyalty credit that never expires.
    Loyalty { account: usize, cents: Cents },
    /// Reserves credit for a launch, for so many minutes.
    Hold { account: usize, project: usize, family: Family, size: i64, count: i64, minutes: i64 },
    /// So many clients reserve at once.
    HoldRace { account: usize, project: usize, family: Family, size: i64, clients: usize },
    /// Gives back what was reserved.
    Release { account: usize, hold: usize },
    /// Starts something, on a hold or without.
    Run { account: usize, project: usize, family: Family, size: i64, hold: Option<usize> },
    /// Stops it.
    Stop { account: usize, resource: usize },
    /// Creates a project in the place of one that was deleted.
    Found { account: usize },
    /// Deletes a project, in two steps.
    Delete { account: usize, project: usize },
    /// Time passes, until so many minutes of an hour.
    Wait { time: TimeDelta, minute: u32 },
}

/// Chooses acts from a seed.
#[derive(Debug)]
pub struct Script {
    rng: Rng,
    codes: usize,
}

/// The most that runs at a time in an account: more says nothing new.
const RUNNING_MAX: usize = 4;
/// A debt is paid before it is so old.
const PATIENCE: TimeDelta = TimeDelta::days(4);
/// The most holds that are open at a time.
const HOLDS_MAX: usize = 4;

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
        let project = self.project(books);
        Some(match self.rng.u8(0..100) {
            0..=8 => Act::Order { account, project, units: self.rng.i64(1..40) },
            9..=21 => {
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
            22..=23 => Act::Cancel { account, order: self.order(books, now)? },
            24..=25 => Act::Withdraw { account, order: self.paid(books)? },
            26..=37 => self.bank(account, books)?,
            38..=40 if books.owed() > 0 => Act::PayDebts { account },
            38..=46 => Act::Redeem { account, project, code: self.rng.usize(0..self.codes) },
            47..=49 => {
                let clients = self.rng.usize(2..12);
                Act::RedeemRace { account, project, code: self.rng.usize(0..self.codes), clients }
            }
            50..=53 => Act::LaunchPad { account, cents: self.rng.i64(1..3000), days: self.rng.u64(20..400) },
            54..=55 => Act::Loyalty { account, cents: self.rng.i64(1..500) },
            56..=62 => self.hold(account, project, books, now)?,
            63..=64 => {
                let all: Vec<usize> =
                    (0..books.holds.len()).filter(|n| books.holds[*n].resource.is_none()).collect();
                Act::Release { account, hold: *self.rng.choice(&all)? }
            }
            65..=74 => self.run(account, project, books, now)?,
            75..=80 => {
                let running: Vec<usize> =
                    (0..books.resources.len()).filter(|n| books.resources[*n].to.is_none()).collect();
                Act::Stop { account, resource: *self.rng.choice(&running)? }
            }
            81..=82 => Act::Delete { account, project },
            83 => {
                let active = books.projects.iter().filter(|known| known.life == Life::Active).count();
                let ending =
                    books.projects.iter().filter(|known| matches!(known.life, Life::Deleting(_))).count();
                if active > 1 || active + ending > 2 {
                    return None;
                }
                Act::Found { account }
            }
            span => {
                let time = match span {
                    ..92 => TimeDelta::minutes(self.rng.i64(10..2000)),
                    92..99 => TimeDelta::hours(self.rng.i64(24..1000)),
                    99.. => TimeDelta::days(self.rng.i64(100..420)),
                };
                // Dunning has tests of its own: everybody here pays before they are warned.
                let late =
                    |books: &Account| books.owed_since().is_some_and(|since| now + time > since + PATIENCE);
                match accounts.iter().position(late) {
                    Some(account) => Act::PayDebts { account },
                    None => Act::Wait { time, minute: self.rng.u32(5..35) },
                }
            }
        })
    }

    /// A project: mostly an active one, sometimes any.
    fn project(&mut self, books: &Account) -> usize {
        let active: Vec<usize> =
            (0..books.projects.len()).filter(|n| books.projects[*n].life == Life::Active).collect();
        match self.rng.choice(&active) {
            Some(active) if self.rng.u8(0..10) > 0 => *active,
            Some(_) | None => self.rng.usize(0..books.projects.len()),
        }
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

    /// A paid order that was not withdrawn from: as often as not the newest.
    fn paid(&mut self, books: &Account) -> Option<usize> {
        let is_paid = |n: &usize| matches!(books.orders[*n].state, Bought::Supplied | Bought::Waits(_));
        let paid: Vec<usize> = (0..books.orders.len()).filter(is_paid).collect();
        if self.rng.bool() { paid.last().copied() } else { self.rng.choice(&paid).copied() }
    }

    fn bank(&mut self, account: usize, books: &Account) -> Option<Act> {
        let order = self.paid(books)?;
        let whole = super::books::gross(books.orders[order].net);
        let does = match self.rng.u8(0..12) {
            0..=2 => Bank::Dispute { gross: whole, bounced: self.rng.bool() },
            3..=5 => Bank::Dispute { gross: self.rng.i64(1..=whole), bounced: self.rng.bool() },
            6 => Bank::DisputeRace(self.rng.usize(2..6)),
            7..=9 => Bank::Win,
            _ => Bank::Lose,
        };
        Some(Act::Bank { account, order, does })
    }

    fn hold(&mut self, account: usize, project: usize, books: &Account, now: At) -> Option<Act> {
        let (family, size) = self.something();
        if books.holds.iter().filter(|hold| hold.is_open(now)).count() >= HOLDS_MAX {
            return None;
        }
        Some(if self.rng.u8(0..3) == 0 {
            Act::HoldRace { account, project, family, size, clients: self.rng.usize(2..8) }
        } else {
            let (count, minutes) = (self.rng.i64(1..4), self.rng.i64(1..600));
            Act::Hold { account, project, family, size, count, minutes }
        })
    }

    fn run(&mut self, account: usize, project: usize, books: &Account, now: At) -> Option<Act> {
        let running = books.resources.iter().filter(|resource| resource.to.is_none()).count();
        if running >= RUNNING_MAX {
            return None;
        }
        let (family, size) = self.something();
        let open: Vec<usize> = (0..books.holds.len()).filter(|n| books.holds[*n].is_open(now)).collect();
        let held = self.rng.choice(&open).copied().filter(|_| self.rng.u8(0..3) > 0);
        let any: Vec<usize> = (0..books.holds.len()).filter(|n| books.holds[*n].resource.is_none()).collect();
        let any = self.rng.choice(&any).copied().filter(|_| self.rng.u8(0..8) == 0);
        Some(match (held, any) {
            // What fits, in the project it is for.
            (Some(hold), _) => {
                let known = &books.holds[hold];
                let size = if known.family == Family::Storage { self.rng.i64(1..=known.size) } else { 1 };
                Act::Run { account, project: known.project, family: known.family, size, hold: Some(hold) }
            }
            (None, Some(hold)) => {
                Act::Run { account, project: books.holds[hold].project, family, size, hold: Some(hold) }
            }
            (None, None) => Act::Run { account, project, family, size, hold: None },
        })
    }

    fn something(&mut self) -> (Family, i64) {
        let family = if self.rng.bool() { Family::Instance } else { Family::Storage };
        (family, if family == Family::Storage { self.rng.i64(1..500) } else { 1 })
    }
}
