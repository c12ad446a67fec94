//! The audit of what was invoiced, of the ledger, and of the chains (R14.5). Read only; each function reads as of one
//! moment if it is given a snapshot, and reports nothing while all is well, whatever goes on beside it.
//!
//! | what | recomputed from | where |
//! |---|---|---|
//! | an invoice: lines, settlement, VAT, sums (R7.8) | its stored record alone | [`documents`] |
//! | a credit note: lines, VAT, credit, sums (R7.9) | the record of its invoice, and the notes before it | [`credit_notes`] |
//! | what it gave back | its lots, and the refunds of payments | [`credit_notes`] |
//! | numbers: no gap, dates in order (R8.3) | the numbers given, and the documents that bear them | [`numbers`] |
//! | a chain (R14.4), Σ per ledger account (R14.3) | the movements | [`chain`] |

pub(crate) mod chain;
pub(crate) mod credit_notes;
pub(crate) mod documents;
pub(crate) mod numbers;

use std::collections::BTreeMap;

use florin_platform::finding::{AccountRange, Findings, check_all};
use florin_settlement::Currency;
use sea_orm::{ConnectionTrait, DbErr};

use crate::store::audit as store;

/// Checks everything that is invoiced to `accounts`, and their ledger.
///
/// # Errors
/// [`DbErr`] when it cannot be read.
pub async fn check(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    check_all(&store::CHECKS, connection, accounts, findings).await?;
    documents::check(connection, accounts, findings).await?;
    check_cover(connection, accounts, findings).await?;
    chain::check(connection, accounts, findings).await
}

/// What invoices say lots have paid is what lots have paid.
async fn check_cover(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let mut both: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for (account, kind, currency, minor) in florin_credit::audit::debited(connection, accounts).await? {
        both.entry((account, kind, currency)).or_default().0 = minor;
    }
    for (account, kind, currency, minor) in store::covered(connection, accounts).await? {
        both.entry((account, kind, currency)).or_default().1 = minor;
    }
    for ((account, kind, currency), (debited, covered)) in both {
        let place = || {
            format!("{} {kind} {}", florin_platform::wire::account_name(account), Currency::code(currency))
        };
        findings.compare("what invoices say lots paid is what lots paid", place, &debited, &covered);
    }
    Ok(())
}
