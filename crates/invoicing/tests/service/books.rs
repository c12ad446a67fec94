//! After every test its books are audited (R14.3): whatever it did, nothing may differ.

use std::sync::{Mutex, PoisonError};

use florin_platform::{
    db::Db,
    finding::{AccountRange, Finding, Findings},
    id::AccountId,
    snapshot::Snapshot,
};
use sea_orm::ConnectionTrait;

/// The books of a database: audited when the value is dropped, unless the test fails anyway.
#[derive(Debug)]
pub(crate) struct Books {
    url: String,
    excused: Mutex<Vec<&'static str>>,
}

impl Books {
    pub(crate) fn of(url: &str) -> Self {
        Self { url: url.to_owned(), excused: Mutex::default() }
    }

    /// The test itself writes what contradicts a rule.
    pub(crate) fn excuse(&self, what: &'static str) {
        self.excused.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let url = std::mem::take(&mut self.url);
        // The runtime of the test is in the middle of something.
        let audited = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(audit(&url))
        });
        let found = audited.join().expect("everything can be read");
        let excused = self.excused.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.iter().filter(|finding| !excused.contains(&finding.what));
        let found: Vec<_> = found.map(ToString::to_string).collect();
        assert!(found.is_empty(), "the audit found differences:\n{}", found.join("\n"));
    }
}

/// What the audit of the database at `url` finds.
pub(crate) async fn audit(url: &str) -> Vec<Finding> {
    let db = Db::connect(url).await.expect("a database");
    let snapshot = Snapshot::of(&db).await.expect("a snapshot");
    let found = audit_as_seen_by(&snapshot).await;
    snapshot.close().await.expect("closed");
    found
}

/// What the audit finds in what `connection` sees.
pub(crate) async fn audit_as_seen_by(connection: &impl ConnectionTrait) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut take = |finding| found.push(finding);
    let mut findings = Findings::new(&mut take);
    let all = AccountRange { first: AccountId::from_u128(0), last: AccountId::from_u128(u128::MAX) };
    florin_payment::audit::check(connection, all, &mut findings).await.expect("payments");
    florin_credit::audit::check(connection, all, &mut findings).await.expect("credit");
    florin_invoicing::audit::check(connection, all, &mut findings).await.expect("invoices and ledger");
    florin_credit::audit::check_campaigns(connection, &mut findings).await.expect("campaigns");
    florin_invoicing::audit::check_numbers(connection, &mut findings).await.expect("numbers");
    found
}
