//! The audit of credit (R14.5): lots, their movements and their orders against each other. Read only.

use florin_account::ledger::{Balances, LedgerAccount, Recorded};
use florin_platform::{
    finding::{AccountRange, Finding, Findings},
    id::AccountId,
    wire::account_name,
};
use florin_settlement::{Instant, LotKind};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::movement::MovementKind,
    store::{
        self,
        audit::{Booked, CHECKS, Sum},
    },
};

/// Checks every lot and movement of `accounts`.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn check(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    for check in CHECKS {
        check.run(connection, accounts, findings).await?;
    }
    for booked in store::audit::booked(connection, accounts).await? {
        check_entry(&booked, findings);
    }
    Ok(())
}

fn check_entry(booked: &Booked, findings: &mut Findings<'_>) {
    let kind = MovementKind::parse(&booked.kind).ok();
    let entry =
        kind.zip(LotKind::parse(&booked.lot_kind).ok()).map(|(kind, lot)| kind.entry(lot, booked.issued));
    let expected = entry.map(|entry| format!("{} / {}", entry.debit.as_str(), entry.credit.as_str()));
    let found = format!("{} / {}", booked.debit, booked.credit);
    if expected.as_ref() != Some(&found) {
        findings.add(Finding {
            what: "a movement stands in the ledger accounts of its kind",
            place: format!("{} {} {}", account_name(booked.account), booked.lot_kind, booked.kind),
            expected: expected.unwrap_or_else(|| "a known kind".to_owned()),
            found,
        });
    }
}

/// What the ledger should say of the lots and orders of `accounts`, account by account: DEFERRED_INCOME,
/// PRICE_REDUCTIONS_OUTSTANDING, CREDIT_SALES, and INCOME as far as it comes from credit.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn expected(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<(AccountId, Balances)>, DbErr> {
    let mut expected = Vec::new();
    for (account, kind, currency, minor) in store::audit::remaining(connection, accounts).await? {
        let ledger = match LotKind::parse(&kind) {
            Ok(LotKind::CloudCredit) => LedgerAccount::DeferredIncome,
            Ok(LotKind::Voucher | LotKind::LaunchPad | LotKind::Loyalty) => {
                LedgerAccount::PriceReductionsOutstanding
            }
            Err(error) => return Err(DbErr::Type(error.to_string())),
        };
        expected.push((account, Balances::one(ledger, currency, -i128::from(minor))));
    }
    for (account, _, currency, minor) in store::audit::unsupplied(connection, accounts).await? {
        let balances = Balances::one(LedgerAccount::CreditSales, currency, -i128::from(minor));
        expected.push((account, balances));
    }
    for (account, _, currency, minor) in store::audit::used(connection, accounts).await? {
        expected.push((account, Balances::one(LedgerAccount::Income, currency, -i128::from(minor))));
    }
    Ok(expected)
}

/// What lots of `accounts` paid of invoices, by kind of lot, in minor units.
///
/// # Errors
/// [`DbErr`] when it cannot be read.
pub async fn debited(connection: &impl ConnectionTrait, accounts: AccountRange) -> Result<Vec<Sum>, DbErr> {
    store::audit::debited(connection, accounts).await
}

/// Movements of lots of `accounts`, in the order of their chains, after a place in one of them; at most `fetch`.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn movements(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    after: (AccountId, i64),
    fetch: u64,
) -> Result<Vec<Recorded>, DbErr> {
    store::audit::movements(connection, accounts, after, fetch).await
}

/// Movements of lots recorded before `to`, by instant, account and sequence, after a place in that order; at most
/// `fetch`.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn recorded_in(
    connection: &impl ConnectionTrait,
    to: Instant,
    after: (Instant, AccountId, i64),
    fetch: u64,
) -> Result<Vec<Recorded>, DbErr> {
    store::audit::recorded_in(connection, to, after, fetch).await
}
