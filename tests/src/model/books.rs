//! The model: what every customer should have, worked out in the shortest way.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeZone, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

/// Minor units: cents.
pub type Cents = i64;
/// An instant; the wire has microseconds, and so has this.
pub type At = DateTime<Utc>;

const HOUR_SECONDS: i64 = 3600;

/// In the order in which lots pay (R7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// From a code.
    Voucher,
    /// Bought.
    CloudCredit,
    /// Granted to startups.
    LaunchPad,
    /// Earned, or granted.
    Loyalty,
}

/// What a lot may pay for, and what a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Machines.
    Instance,
    /// Disks.
    Storage,
}

/// A lot.
#[derive(Clone, Debug)]
pub struct Lot {
    /// What the server calls it, once it is known.
    pub name: Option<String>,
    /// Its kind.
    pub kind: Kind,
    /// The project it belongs to; the whole account if none.
    pub project: Option<usize>,
    /// The only family it pays for.
    pub only: Option<Family>,
    /// What it began with.
    pub initial: Cents,
    /// What invoices took.
    pub debited: Cents,
    /// What a dispute took.
    pub revoked: Cents,
    /// What was forfeited with its project.
    pub forfeited: Cents,
    /// From when on it counts.
    pub issued: At,
    /// From when on it does not.
    pub expires: Option<At>,
}

impl Lot {
    /// What is left at `at`, whether or not anybody swept.
    #[must_use]
    pub fn remaining(&self, at: At) -> Cents {
        if self.is_over(at) { 0 } else { self.unspent() }
    }

    /// What lapsed by `at`: at its expiry, or with its project.
    #[must_use]
    pub fn lapsed(&self, at: At) -> Cents {
        self.forfeited + if self.is_over(at) { self.unspent() } else { 0 }
    }

    fn is_over(&self, at: At) -> bool {
        self.expires.is_some_and(|expires| expires <= at)
    }

    /// What no invoice, dispute or deletion has taken.
    #[must_use]
    pub fn unspent(&self) -> Cents {
        self.initial - self.debited - self.revoked - self.forfeited
    }
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bought {
    /// It can be paid.
    Open,
    /// It was given up.
    Canceled,
    /// Its lot is there.
    Supplied,
    /// Paid; the lot comes at the instant named (R6.4).
    Waits(At),
}

/// A credit order.
#[derive(Clone, Debug)]
pub struct Order {
    /// What the server calls it.
    pub name: String,
    /// Its payment link's token.
    pub token: String,
    /// For which project.
    pub project: usize,
    /// How much, before tax.
    pub net: Cents,
    /// How long it can be paid.
    pub expires: At,
    /// How it stands.
    pub state: Bought,
    /// When it was paid.
    pub paid: Option<At>,
}

/// Something that runs by the hour.
#[derive(Clone, Debug)]
pub struct Resource {
    /// What the server calls it.
    pub name: String,
    /// In which project.
    pub project: usize,
    /// What it is.
    pub family: Family,
    /// The price of an hour of one unit.
    pub price: Decimal,
    /// How many units.
    pub size: i64,
    /// From when on.
    pub from: At,
    /// Until when.
    pub to: Option<At>,
}

impl Resource {
    /// The wall-clock hours it touched in `[from, to)`, priced and rounded once (R1.4, R5.2).
    fn cost(&self, from: At, to: At) -> Cents {
        let hour = |at: At| at.timestamp().div_euclid(HOUR_SECONDS);
        let begin = hour(self.from).max(hour(from));
        let end = match self.to {
            // The hour of the last microsecond counts; nothing is shorter than the hour it began in.
            Some(gone) => hour(gone - chrono::TimeDelta::microseconds(1)).max(hour(self.from)) + 1,
            None => hour(to),
        };
        let hours = (end.min(hour(to)) - begin).max(0);
        cents(Decimal::from(hours * self.size) * self.price)
    }
}

/// Cents of an amount, half away from zero.
fn cents(amount: Decimal) -> Cents {
    let rounded =
        (amount * Decimal::ONE_HUNDRED).round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    rounded.try_into().expect("a small amount")
}

/// A monthly invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Of which project.
    pub project: usize,
    /// For the month that begins then.
    pub month: NaiveDate,
    /// Before credit and tax.
    pub net: Cents,
    /// What lots paid.
    pub credit: Cents,
    /// What the card paid.
    pub gross: Cents,
}

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// What the server calls it.
    pub name: String,
}

/// What one customer has.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// In settlement order.
    pub projects: Vec<Project>,
    /// Every lot there ever was.
    pub lots: Vec<Lot>,
    /// Every order.
    pub orders: Vec<Order>,
    /// Everything that ran.
    pub resources: Vec<Resource>,
    /// Every monthly invoice.
    pub invoices: Vec<Invoice>,
}

/// The French rate, in percent, and what loyalty earns of what is paid in money, in percent.
const VAT_PERCENT: i64 = 20;
const LOYALTY_PERCENT: i64 = 1;
/// The issuer settles so long after the month.
const DELAY_HOURS: u32 = 6;

/// Tax on `net`, half away from zero.
#[must_use]
pub fn gross(net: Cents) -> Cents {
    net + (net * VAT_PERCENT + 50) / 100
}

impl Account {
    /// Time passes from `from` to `to`: credit that waits is supplied, months are settled.
    pub fn pass(&mut self, from: At, to: At) {
        for settlement in settlements(from, to) {
            self.supply(settlement);
            self.settle(settlement);
        }
        self.supply(to);
    }

    /// Issues the lots whose time to withdraw is over (R6.4).
    fn supply(&mut self, until: At) {
        for order in &mut self.orders {
            if let (Bought::Waits(supply), Some(paid)) = (order.state, order.paid)
                && supply <= until
            {
                order.state = Bought::Supplied;
                self.lots.push(cloud_credit(order, supply, paid, None));
            }
        }
    }

    /// Settles the month before `at` for every project, in order (R7.7).
    fn settle(&mut self, at: At) {
        let end = Utc.with_ymd_and_hms(at.year(), at.month(), 1, 0, 0, 0).single().expect("a month begins");
        let begin = end - Months::new(1);
        for project in 0..self.projects.len() {
            let mut due: BTreeMap<Family, Cents> = BTreeMap::new();
            for resource in self.resources.iter().filter(|resource| resource.project == project) {
                *due.entry(resource.family).or_default() += resource.cost(begin, end);
            }
            let net: Cents = due.values().sum();
            if net == 0 {
                continue;
            }
            let credit = self.debit(project, &due, at);
            let remainder = net - credit;
            self.invoices.push(Invoice {
                project,
                month: begin.date_naive(),
                net,
                credit,
                gross: gross(remainder),
            });
            self.earn(remainder * LOYALTY_PERCENT / 100, at);
        }
    }

    /// Takes what is due from lots, each as much as it can give after those before it (R7.1, R7.2, R7.5).
    ///
    /// Lots pay for one family or for all, so what is possible has a closed form: no family's own lots give
    /// more than it costs, and all together give no more than everything costs.
    fn debit(&mut self, project: usize, due: &BTreeMap<Family, Cents>, at: At) -> Cents {
        let mut order: Vec<usize> = (0..self.lots.len())
            .filter(|n| {
                let lot = &self.lots[*n];
                lot.project.is_none_or(|owner| owner == project) && lot.issued <= at && lot.remaining(at) > 0
            })
            .collect();
        order.sort_by_key(|n| {
            let lot = &self.lots[*n];
            (lot.kind, lot.expires.unwrap_or(At::MAX_UTC), lot.only.is_none(), lot.issued, lot.name.clone())
        });
        let mut slack = due.clone();
        let mut total: Cents = due.values().sum();
        let mut taken = 0;
        for n in order {
            let lot = &mut self.lots[n];
            let own = lot.only.map_or(total, |family| slack.get(&family).copied().unwrap_or(0));
            let amount = lot.unspent().min(own).min(total);
            lot.debited += amount;
            if let Some(family) = lot.only
                && amount > 0
            {
                *slack.entry(family).or_default() -= amount;
            }
            total -= amount;
            taken += amount;
        }
        taken
    }

    /// Loyalty earned by paying at `at`: it counts from a moment later on.
    fn earn(&mut self, amount: Cents, at: At) {
        if amount > 0 {
            let earned =
                self.lots.iter().filter(|lot| lot.name.is_none() && lot.kind == Kind::Loyalty).count();
            let later = chrono::TimeDelta::microseconds(1 + i64::try_from(earned).expect("few lots"));
            self.lots.push(Lot {
                name: None,
                kind: Kind::Loyalty,
                project: None,
                only: None,
                initial: amount,
                debited: 0,
                revoked: 0,
                forfeited: 0,
                issued: at + later,
                expires: None,
            });
        }
    }
}

/// The lot of a paid order: it counts from `issued` on, and ends 13 months after the payment (R6.4).
#[must_use]
pub fn cloud_credit(order: &Order, issued: At, paid: At, name: Option<String>) -> Lot {
    Lot {
        name,
        kind: Kind::CloudCredit,
        project: Some(order.project),
        only: None,
        initial: order.net,
        debited: 0,
        revoked: 0,
        forfeited: 0,
        issued,
        expires: Some(months_later(paid, 13)),
    }
}

/// Calendar months later, on the last day where the day does not exist (R1.6).
#[must_use]
pub fn months_later(at: At, months: u32) -> At {
    at.checked_add_months(Months::new(months)).expect("within the calendar")
}

/// Whole days later.
#[must_use]
pub fn days_later(at: At, days: u64) -> At {
    at.checked_add_days(Days::new(days)).expect("within the calendar")
}

/// The settlement instants in `(from, to]`.
fn settlements(from: At, to: At) -> Vec<At> {
    let first = Utc.with_ymd_and_hms(from.year(), from.month(), 1, DELAY_HOURS, 0, 0).single();
    let first = first.expect("a month begins");
    (0..)
        .map(|months| months_later(first, months))
        .skip_while(|settlement| *settlement <= from)
        .take_while(|settlement| *settlement <= to)
        .collect()
}
