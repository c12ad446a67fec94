//! The billing run: one issuer's month, its settlement instant stored once (R7.3, R8.7).

use florin_account::Issuer;
use florin_platform::id::{AccountId, Id, Kind};
use florin_project::ProjectId;
use florin_settlement::{Instant, Month};

/// Marks ids of billing runs.
#[derive(Debug)]
pub enum RunMark {}
impl Kind for RunMark {
    const PREFIX: &'static str = "run";
}
/// The id of a billing run.
pub type BillingRunId = Id<RunMark>;

/// The issuing of one month's invoices of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingRun {
    /// Its id.
    pub id: BillingRunId,
    /// Whose invoices.
    pub issuer: String,
    /// Of which month.
    pub month: Month,
    /// Decides which lots count, for every invoice of the run and all its resumptions (R7.3).
    pub settlement: Instant,
    /// How many projects there are to bill, once they were counted.
    pub project_count: Option<i64>,
    /// What was done so far.
    pub done: Tally,
    /// Every account up to and with this one is done.
    pub after: Option<AccountId>,
    /// When it started.
    pub started: Instant,
    /// When it completed, if it has.
    pub finished: Option<Instant>,
}

/// What became of projects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Got an invoice.
    pub invoiced: i64,
    /// Owed nothing.
    pub nothing_due: i64,
    /// Could not be billed.
    pub set_aside: i64,
}

impl Tally {
    /// The sum of two.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            invoiced: self.invoiced + other.invoiced,
            nothing_due: self.nothing_due + other.nothing_due,
            set_aside: self.set_aside + other.set_aside,
        }
    }
}

/// A project a run could not bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetAside {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub project: ProjectId,
    /// Why, for operators.
    pub reason: String,
}

/// When the invoices of `month` are settled: the 1st after it, 00:00 UTC, plus the issuer's delay.
#[must_use]
pub(crate) fn settlement_of(month: Month, issuer: &Issuer) -> Instant {
    month.end().plus_seconds(u64::try_from(issuer.billing_delay_seconds).unwrap_or_default())
}
