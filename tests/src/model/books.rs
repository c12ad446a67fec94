//! The model: what every customer has, as plain numbers.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, TimeZone, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::launches::Hold;

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
    /// A lot of the whole account that never expires and may pay for everything.
    #[must_use]
    pub fn new(name: Option<String>, kind: Kind, initial: Cents, issued: At) -> Self {
        Self {
            name,
            kind,
            project: None,
            only: None,
            initial,
            debited: 0,
            revoked: 0,
            forfeited: 0,
            issued,
            expires: None,
        }
    }

    /// Whether it may pay for any of `families`.
    #[must_use]
    pub fn pays_for(&self, families: &[Family]) -> bool {
        self.only.is_none_or(|only| families.contains(&only))
    }

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
    /// Paid, and the customer withdrew before the lot came.
    Withdrawn,
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
    /// What paid it, as the server calls it.
    pub payment: String,
    /// Its lot, and those in which something of it came back.
    pub lots: Vec<usize>,
    /// What the payer's bank did, in order.
    pub disputes: Vec<Dispute>,
    /// What credit notes gave back, before tax.
    pub credited: Cents,
}

/// What the payer's bank took back of an order's payment.
#[derive(Clone, Debug)]
pub struct Dispute {
    /// How much, with tax.
    pub gross: Cents,
    /// Since when.
    pub opened: At,
    /// How it stands.
    pub standing: Standing,
    /// What was revoked, of which lots.
    pub revoked: Vec<(usize, Cents)>,
    /// What became a debt, with tax.
    pub owed: Cents,
    /// Whether that was paid.
    pub settled: bool,
}

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// To be decided.
    Open,
    /// The money is back.
    Won,
    /// The money stays away.
    Lost,
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
    /// The wall-clock hours it touched in `[from, to)`, which lies in one month: priced and rounded once (R1.4, R5.2).
    fn cost_in_month(&self, from: At, to: At) -> Cents {
        let hour = |at: At| at.timestamp().div_euclid(HOUR_SECONDS);
        let begin = hour(self.from).max(hour(from));
        let end = match self.to {
            // The hour of the last microsecond counts; nothing is shorter than the hour it began in.
            Some(gone) => hour(gone - TimeDelta::microseconds(1)).max(hour(self.from)) + 1,
            None => hour(to),
        };
        let hours = (end.min(hour(to)) - begin).max(0);
        cents(Decimal::from(hours * self.size) * self.price)
    }

    /// What it cost in `[from, to)`: every month of it is a line.
    #[must_use]
    pub fn cost(&self, from: At, to: At) -> Cents {
        let months = (0..).map(|n| months_later(month_of(from), n)).take_while(|month| *month < to);
        months.map(|month| self.cost_in_month(from.max(month), to.min(months_later(month, 1)))).sum()
    }
}

/// Cents of an amount, half away from zero.
fn cents(amount: Decimal) -> Cents {
    let rounded =
        (amount * Decimal::ONE_HUNDRED).round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    rounded.try_into().expect("a small amount")
}

/// Why an invoice was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// For the month that begins then.
    Month(NaiveDate),
    /// The project ended.
    Final,
}

/// An invoice of what was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Of which project.
    pub project: usize,
    /// Why.
    pub occasion: Occasion,
    /// Before credit and tax.
    pub net: Cents,
    /// What lots paid.
    pub credit: Cents,
    /// What the card paid.
    pub gross: Cents,
}

/// How far a project is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Everything can happen.
    Active,
    /// Nothing more is used in it; the final invoice comes then.
    Deleting(At),
    /// It was invoiced, and what credit it had is gone.
    Deleted,
}

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// What the server calls it.
    pub name: String,
    /// Whether it may only start what is paid for.
    pub prepaid_only: bool,
    /// How far it is.
    pub life: Life,
    /// The first month that is not settled.
    pub unsettled: At,
}

impl Project {
    /// An active project that begins at `at`.
    #[must_use]
    pub fn begin(name: String, prepaid_only: bool, at: At) -> Self {
        Self { name, prepaid_only, life: Life::Active, unsettled: month_of(at) }
    }
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
    /// Every invoice of what was used.
    pub invoices: Vec<Invoice>,
    /// Everything that was reserved.
    pub holds: Vec<Hold>,
}

impl Account {
    /// Keeps a new lot; its place.
    pub fn keep(&mut self, lot: Lot) -> usize {
        self.lots.push(lot);
        self.lots.len() - 1
    }

    /// Issues the lot of a paid order: it counts from `issued` on, and ends 13 months after the payment (R6.4).
    ///
    /// # Panics
    /// If the order is not paid.
    pub fn supply(&mut self, order: usize, issued: At, name: Option<String>) {
        let bought = &self.orders[order];
        let paid = bought.paid.expect("only what is paid is supplied");
        let lot = Lot {
            project: Some(bought.project),
            expires: Some(months_later(paid, 13)),
            ..Lot::new(name, Kind::CloudCredit, bought.net, issued)
        };
        let lot = self.keep(lot);
        self.orders[order].state = Bought::Supplied;
        self.orders[order].lots.push(lot);
    }

    /// What is left of a project's lots goes, because it is over (R6.8).
    pub fn forfeit(&mut self, project: usize, at: At) {
        for lot in self.lots.iter_mut().filter(|lot| lot.project == Some(project)) {
            lot.forfeited += lot.remaining(at);
        }
    }
}

/// The French rate, in percent.
const VAT_PERCENT: i64 = 20;

/// Tax on `net`, half away from zero.
#[must_use]
pub fn gross(net: Cents) -> Cents {
    net + (net * VAT_PERCENT + 50) / 100
}

/// The net of `gross`: what the tax in it, half away from zero, leaves.
#[must_use]
pub fn net(gross: Cents) -> Cents {
    let whole = 100 + VAT_PERCENT;
    gross - (gross * VAT_PERCENT + whole / 2) / whole
}

/// When the month of `at` begins.
#[must_use]
pub fn month_of(at: At) -> At {
    Utc.with_ymd_and_hms(at.year(), at.month(), 1, 0, 0, 0).single().expect("a month begins")
}

/// When the hour begun at `at` ends.
#[must_use]
pub fn hour_end(at: At) -> At {
    let hours = at.timestamp().div_euclid(HOUR_SECONDS) + 1;
    At::from_timestamp(hours * HOUR_SECONDS, 0).expect("within the calendar")
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
