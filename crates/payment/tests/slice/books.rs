//! After every test its books are audited (R14.3): payments are what was done to them, and Σ of the money whoever is paid
//! was told of is what the payments say is here.

use std::collections::BTreeMap;

use florin_account::ledger::LedgerAccount;
use florin_platform::{
    db::{Db, sql},
    finding::{AccountRange, Finding, Findings},
    snapshot::Snapshot,
};
use florin_settlement::Currency;
use florin_testbed::Books;
use sea_orm::ConnectionTrait;

/// The books of the database at `url`.
pub(crate) fn books(url: &str) -> Books {
    Books::of(url, |url| Box::pin(audit(url)))
}

async fn audit(url: String) -> Vec<String> {
    let db = Db::connect(&url).await.expect("a database");
    let snapshot = Snapshot::of(&db).await.expect("a snapshot");
    let mut found = Vec::new();
    let mut take = |finding: Finding| found.push(finding.to_string());
    let mut findings = Findings::new(&mut take);
    let all = AccountRange::all();
    florin_payment::audit::check(&snapshot, all, &mut findings).await.expect("payments");
    let expected = florin_payment::audit::expected(&snapshot, all).await.expect("sums");
    let cash =
        |currency| expected.iter().map(|(_, sums)| sums.of(LedgerAccount::Cash, currency)).sum::<i128>();
    for (currency, moved) in moved(&snapshot).await {
        let place = || currency.code().to_owned();
        findings.compare("what was told of money is what payments say", place, &cash(currency), &moved);
    }
    snapshot.close().await.expect("closed");
    found
}

/// What whoever is paid was told of, by currency.
async fn moved(connection: &impl ConnectionTrait) -> BTreeMap<Currency, i128> {
    let text = "SELECT currency, CAST(SUM(amount) AS bigint) FROM moved GROUP BY currency";
    let rows = connection.query_all_raw(sql(connection, text, [])).await.expect("a query");
    let read = |row: &sea_orm::QueryResult| {
        let code: String = row.try_get_by_index(0).expect("a text");
        let minor: i64 = row.try_get_by_index(1).expect("a number");
        (Currency::parse(&code).expect("a currency"), i128::from(minor))
    };
    rows.iter().map(read).collect()
}
