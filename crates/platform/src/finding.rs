//! What an audit finds: a difference between what is stored and what follows from other rows (R14.5).
//!
//! A slice checks its own rows, a range of accounts at a time, so that memory does not grow with the database: most
//! checks are a query that returns nothing when all is well.

use std::fmt;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::{db::sql, id::AccountId};

/// How many differences one check of one range of accounts reports.
const ROWS_MAX: usize = 1000;

/// A difference, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What does not hold.
    pub what: &'static str,
    /// Of which row: a resource name as far as there is one.
    pub place: String,
    /// What follows from other rows.
    pub expected: String,
    /// What is stored.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, place, expected, found } = self;
        write!(f, "{what}: {place}: expected {expected}, found {found}")
    }
}

/// Takes findings as they are made.
pub struct Findings<'a> {
    take: &'a mut (dyn FnMut(Finding) + Send),
    count: u64,
}

impl fmt::Debug for Findings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Findings").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<'a> Findings<'a> {
    /// None yet; each is given to `take`.
    pub fn new(take: &'a mut (dyn FnMut(Finding) + Send)) -> Self {
        Self { take, count: 0 }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// There is one.
    pub fn add(&mut self, finding: Finding) {
        self.count += 1;
        (self.take)(finding);
    }

    /// There is one if `found` is not what was expected.
    pub fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        what: &'static str,
        place: impl FnOnce() -> String,
        expected: &T,
        found: &T,
    ) {
        if expected != found {
            let (expected, found) = (expected.to_string(), found.to_string());
            self.add(Finding { what, place: place(), expected, found });
        }
    }
}

/// Accounts with neighbouring ids, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRange {
    /// The first.
    pub first: AccountId,
    /// The last.
    pub last: AccountId,
}

impl AccountRange {
    /// Every account.
    #[must_use]
    pub fn all() -> Self {
        Self { first: AccountId::from_u128(0), last: AccountId::from_u128(u128::MAX) }
    }
}

/// A rule as a query that returns the rows that break it.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What should hold.
    pub what: &'static str,
    /// What to call a row, given its account, its `id` and its `part`.
    pub place: fn(AccountId, Uuid, i64) -> String,
    /// Returns `account_id`, `id`, `part`, `expected` and `found`, the latter two as text, of accounts between `$1`
    /// and `$2`.
    pub text: &'static str,
}

#[derive(Debug, FromQueryResult)]
struct Row {
    account_id: AccountId,
    id: Uuid,
    part: i64,
    expected: String,
    found: String,
}

impl Check {
    /// Adds what of `accounts` breaks the rule.
    async fn run(
        &self,
        connection: &impl ConnectionTrait,
        accounts: AccountRange,
        findings: &mut Findings<'_>,
    ) -> Result<(), DbErr> {
        let text = format!("{} LIMIT {ROWS_MAX}", self.text);
        let values = [accounts.first.into(), accounts.last.into()];
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let Row { account_id, id, part, expected, found } = Row::from_query_result(&row, "")?;
            let place = (self.place)(account_id, id, part);
            findings.add(Finding { what: self.what, place, expected, found });
        }
        Ok(())
    }
}

/// Adds what of `accounts` breaks any of `checks`.
///
/// # Errors
/// [`DbErr`] when something cannot be read.
pub async fn check_all(
    checks: &[Check],
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    for check in checks {
        check.run(connection, accounts, findings).await?;
    }
    Ok(())
}
