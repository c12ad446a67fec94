//! After every test its books are audited (R14.3): whatever it did, nothing may differ.

use florin_platform::{
    db::Db,
    finding::{AccountRange, Finding, Findings},
    snapshot::Snapshot,
};
use florin_testbed::Books;
use sea_orm::ConnectionTrait;

/// The books of the database at `url`.
pub(crate) fn books(url: &str) -> Books {
    Books::of(url, |url| Box::pin(async move { audit(&url).await.iter().map(ToString::to_string).collect() }))
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
    let all = AccountRange::all();
    florin_payment::audit::check(connection, all, &mut findings).await.expect("payments");
    florin_credit::audit::check(connection, all, &mut findings).await.expect("credit");
    florin_project::audit::check(connection, all, &mut findings).await.expect("measured usage");
    florin_invoicing::audit::check(connection, all, &mut findings).await.expect("invoices and ledger");
    florin_credit::audit::check_campaigns(connection, &mut findings).await.expect("campaigns");
    florin_invoicing::audit::check_numbers(connection, &mut findings).await.expect("numbers");
    found
}
