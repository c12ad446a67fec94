//! `florin audit`: everything that can be recomputed is, and every difference is told in one line (R14.5).
//!
//! It runs beside a live server and takes no lock: a page of accounts is read as of one moment, and what a slice says
//! of another is compared within it. Memory holds one page of accounts, and one page of rows of each of them.

use florin_account::ledger;
use florin_platform::{
    db::Db,
    finding::{AccountRange, Finding, Findings},
    id::AccountId,
    snapshot::Snapshot,
};
use sea_orm::DbErr;

use crate::cli::{CliError, say};

/// How many accounts are read as of one moment.
const PAGE: u64 = 100;

/// How much was looked at, and how many differences there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Accounts looked at.
    pub accounts: u64,
    /// Differences told of.
    pub findings: u64,
}

/// Looks at everything there is, and tells `take` of each difference.
///
/// # Errors
/// [`DbErr`] when something cannot be read.
pub async fn all(db: &Db, take: &mut (dyn FnMut(Finding) + Send)) -> Result<Audited, DbErr> {
    let mut findings = Findings::new(take);
    let mut accounts = 0;
    let mut after = AccountId::from_u128(0);
    loop {
        let snapshot = Snapshot::of(db).await?;
        let page = ledger::accounts(&snapshot, after, PAGE).await?;
        let (Some(first), Some(last)) = (page.first().copied(), page.last().copied()) else {
            snapshot.close().await?;
            break;
        };
        let range = AccountRange { first, last };
        florin_payment::audit::check(&snapshot, range, &mut findings).await?;
        florin_credit::audit::check(&snapshot, range, &mut findings).await?;
        florin_project::audit::check(&snapshot, range, &mut findings).await?;
        florin_invoicing::audit::check(&snapshot, range, &mut findings).await?;
        snapshot.close().await?;
        accounts += u64::try_from(page.len()).unwrap_or(u64::MAX);
        after = last;
    }
    florin_credit::audit::check_campaigns(db.reader(), &mut findings).await?;
    florin_invoicing::audit::check_numbers(db.reader(), &mut findings).await?;
    Ok(Audited { accounts, findings: findings.count() })
}

/// Prints every difference of the database at `url`, and what was looked at.
///
/// # Errors
/// When there is any difference, or the database cannot be read.
pub async fn run(url: &str) -> Result<(), CliError> {
    let db = Db::connect(url).await?;
    let Audited { accounts, findings } = all(&db, &mut |finding| say(&finding.to_string())).await?;
    say(&format!("{accounts} accounts, {findings} differences"));
    if findings == 0 { Ok(()) } else { Err("the audit found differences".into()) }
}
