//! The billing run: one issuer's month, its settlement instant stored once (R7.3, R8.7).

use florin_account::Issuer;
use florin_platform::id::{AccountId, Id, Kind};
use florin_project::ProjectId;
use florin_settlement::{Instant, Month};

use super::invoice::InvoiceId;

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
    /// How many projects there are to bill, once the run was divided.
    pub project_count: Option<i64>,
    /// What was done so far.
    pub done: Tally,
    /// When it started.
    pub started: Instant,
    /// How far it is.
    pub state: RunState,
}

/// How far a run is.
///
/// ```text
/// RUNNING ⇄ CANCELED
///    ↘ COMPLETED
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Issuing, or about to go on.
    Running,
    /// Stopped by an operator: it issues nothing until it is started again. The month is not billed, so that
    /// lapses wait for it and no later month is billed before it (R7.3).
    Canceled {
        /// When.
        at: Instant,
    },
    /// Every project was billed, owed nothing, or was set aside.
    Completed {
        /// When.
        at: Instant,
    },
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

    /// How many projects are done with.
    #[must_use]
    pub const fn total(self) -> i64 {
        self.invoiced + self.nothing_due + self.set_aside
    }
}

/// A range of the accounts of one number series of a run's issuer, billed by one worker at a time. The ranges of a
/// run cover every account of the issuer there is or will be, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BillingRange {
    /// Of which run.
    pub run: BillingRunId,
    /// Its place, from 0.
    pub ordinal: i64,
    /// Of which series its accounts are, from 0 (R8.3).
    pub series: u32,
    /// Behind this account it begins; with the first account there is, if none.
    pub after: Option<AccountId>,
    /// With this account it ends; with the last there will be, if none.
    pub to: Option<AccountId>,
    /// Every account of it up to and with this one is done.
    pub cursor: Option<AccountId>,
}

impl BillingRange {
    /// Behind which account there is something left to do.
    #[must_use]
    pub(crate) fn place(&self) -> Option<AccountId> {
        self.cursor.or(self.after)
    }
}

/// Cuts the accounts of each series into ranges that end with each of its `ends`, which rise, and one that has no end.
/// Neighbours are of different series, so that workers who take the next one do not wait for one another's numbers.
#[must_use]
pub(crate) fn divide(run: BillingRunId, ends: &[Vec<AccountId>]) -> Vec<BillingRange> {
    let ranges = (0..).zip(ends).flat_map(|(series, ends)| {
        let afters = std::iter::once(None).chain(ends.iter().copied().map(Some));
        let tos = ends.iter().copied().map(Some).chain(std::iter::once(None));
        let place = move |(after, to)| BillingRange { run, ordinal: 0, series, after, to, cursor: None };
        afters.zip(tos).map(place).enumerate()
    });
    let mut ranges = ranges.collect::<Vec<_>>();
    ranges.sort_by_key(|(place, range)| (*place, range.series));
    (0..).zip(ranges).map(|(ordinal, (_, range))| BillingRange { ordinal, ..range }).collect()
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

/// A project that was set aside, and what has become of it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BillingItem {
    /// Of which run.
    pub run: BillingRunId,
    /// Which project, and why it could not be billed the last time it was tried.
    pub aside: SetAside,
    /// When the run set it aside.
    pub since: Instant,
    /// How often it was tried, the run's own try included.
    pub attempts: u32,
    /// What it came to, if it has been billed since.
    pub outcome: Option<ItemOutcome>,
}

/// What an item came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemOutcome {
    /// When.
    pub at: Instant,
    /// Its invoice; none if nothing was due.
    pub invoice: Option<InvoiceId>,
}

/// The states of an item without their data, to filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemState {
    /// It waits.
    SetAside,
    /// It was billed.
    Invoiced,
    /// It owed nothing when it was tried again.
    NothingDue,
}

impl BillingItem {
    /// Its state.
    #[must_use]
    pub(crate) const fn state(&self) -> ItemState {
        match self.outcome {
            None => ItemState::SetAside,
            Some(ItemOutcome { invoice: Some(_), .. }) => ItemState::Invoiced,
            Some(ItemOutcome { invoice: None, .. }) => ItemState::NothingDue,
        }
    }
}

/// When the invoices of `month` are settled: the 1st after it, 00:00 UTC, plus the issuer's delay.
#[must_use]
pub(crate) fn settlement_of(month: Month, issuer: &Issuer) -> Instant {
    month.end().plus_seconds(u64::try_from(issuer.billing_delay_seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u128) -> AccountId {
        AccountId::from_u128(number)
    }

    fn holds(range: &BillingRange, series: u32, account: AccountId) -> bool {
        range.series == series && range.after < Some(account) && range.to.is_none_or(|to| account <= to)
    }

    #[test]
    fn ranges_cover_every_account_once() {
        let ends = [vec![], vec![account(5)], vec![account(6), account(9), account(10)]];
        let ranges = divide(BillingRunId::from_u128(1), &ends);
        assert_eq!(ranges.len(), 1 + 2 + 4);
        for (number, series) in (0..20).flat_map(|number| (0..3).map(move |series| (number, series))) {
            let count = ranges.iter().filter(|range| holds(range, series, account(number))).count();
            assert_eq!(count, 1, "{number} of series {series}");
        }
        let series = ranges.iter().map(|range| range.series).collect::<Vec<_>>();
        assert_eq!(series, [0, 1, 2, 1, 2, 2, 2], "neighbours are of different series");
        assert!(ranges.iter().map(|range| range.ordinal).eq(0..7));
    }

    #[test]
    fn a_range_goes_on_behind_its_cursor() {
        let mut range = divide(BillingRunId::from_u128(1), &[vec![account(5)]]).remove(1);
        assert_eq!(range.place(), Some(account(5)));
        range.cursor = Some(account(7));
        assert_eq!(range.place(), Some(account(7)));
    }
}
