//! After every test its books are audited (R14.3): every lot is what its movements leave, every movement stands in the
//! ledger accounts of its kind, so that Σ per ledger account is Σ of lots; payments and campaigns are what was done to them.

use florin_platform::{
    db::Db,
    finding::{AccountRange, Findings},
    snapshot::Snapshot,
};
use florin_testbed::Books;

/// The books of the database at `url`.
pub(crate) fn books(url: &str) -> Books {
    Books::of(url, |url| Box::pin(audit(url)))
}

async fn audit(url: String) -> Vec<String> {
    let db = Db::connect(&url).await.expect("a database");
    let snapshot = Snapshot::of(&db).await.expect("a snapshot");
    let mut found = Vec::new();
    let mut take = |finding: florin_platform::finding::Finding| found.push(finding.to_string());
    let mut findings = Findings::new(&mut take);
    let all = AccountRange::all();
    florin_payment::audit::check(&snapshot, all, &mut findings).await.expect("payments");
    florin_credit::audit::check(&snapshot, all, &mut findings).await.expect("credit");
    florin_credit::audit::check_campaigns(&snapshot, &mut findings).await.expect("campaigns");
    snapshot.close().await.expect("closed");
    found
}
