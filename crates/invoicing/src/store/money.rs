//! Rows of movements of money: appended, never changed.

use florin_account::ledger::{self, Canonical, Link, Unchained};
use florin_platform::{
    column::{At, Code, Rate},
    db::Tx,
    set::{Kind, Set},
};
use florin_settlement::Instant;
use sea_orm::{DbErr, Value};

use crate::domain::money::Posting;

pub(crate) const TABLE: &str = "money_movement";
const COLUMN_COUNT: usize = 13;

/// The columns after the sequence, in the order of the table (R14.4).
fn unchained(posting: &Posting, at: Instant) -> Unchained {
    let tax = posting.tax.as_ref();
    let rate = tax.map(|tax| Rate(tax.rate.percent()).to_string());
    let columns = Canonical::new()
        .text(posting.kind.as_str())
        .text(posting.entry.debit.as_str())
        .text(posting.entry.credit.as_str())
        .text(posting.amount.currency().code())
        .integer(posting.amount.minor())
        .optional(tax.map(|tax| tax.category.as_str()))
        .optional(rate.as_deref())
        .instant(posting.effective)
        .instant(at)
        .text(&posting.document);
    Unchained { account: posting.account, table: TABLE, columns }
}

fn values(link: &Link, posting: &Posting, at: Instant) -> [Value; COLUMN_COUNT] {
    let tax = posting.tax.as_ref();
    [
        posting.account.into(),
        link.sequence.into(),
        posting.kind.as_str().into(),
        posting.entry.debit.as_str().into(),
        posting.entry.credit.as_str().into(),
        Code(posting.amount.currency()).into(),
        posting.amount.minor().into(),
        tax.map(|tax| tax.category.as_str()).into(),
        tax.map(|tax| Rate(tax.rate.percent()).to_string()).into(),
        At::from(posting.effective).into(),
        At::from(at).into(),
        posting.document.as_str().into(),
        link.digest.as_bytes().to_vec().into(),
    ]
}

/// Appends `postings` to the chains of their accounts, which are locked; recorded at `at`.
pub(crate) async fn append(tx: &Tx, at: Instant, postings: &[Posting]) -> Result<(), DbErr> {
    let columns = [
        ("account_id", Kind::Uuid),
        ("sequence", Kind::Number),
        ("kind", Kind::Text),
        ("debit_ledger", Kind::Text),
        ("credit_ledger", Kind::Text),
        ("currency", Kind::Text),
        ("amount", Kind::Number),
        ("tax_category", Kind::Optional(&Kind::Text)),
        ("tax_rate", Kind::Optional(&Kind::Text)),
        ("effective_at", Kind::Instant),
        ("recorded_at", Kind::Instant),
        ("document", Kind::Text),
        ("digest", Kind::Bytes),
    ];
    let unchained: Vec<_> = postings.iter().map(|posting| unchained(posting, at)).collect();
    let links = ledger::extend(tx, &unchained).await?;
    let mut set = Set::new(columns, postings.len());
    links.iter().zip(postings).for_each(|(link, posting)| set.push(values(link, posting, at)));
    set.insert(tx, TABLE).await
}
