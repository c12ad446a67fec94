//! The audit of payments (R14.5): against their refunds and disputes. Read only.

use florin_account::ledger::{Balances, LedgerAccount};
use florin_platform::{
    finding::{AccountRange, Findings, check_all},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::payment::PaymentId,
    store::{self, audit::CHECKS},
};

/// Checks every payment of `accounts`.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn check(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    check_all(&CHECKS, connection, accounts, findings).await
}

/// What the ledger should say of the payments of `accounts`, account by account: CASH, and of CUSTOMER_BALANCE what is
/// to go back. Whoever accounts for a dispute adds what it took back.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn expected(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<(AccountId, Balances)>, DbErr> {
    let cash = store::audit::cash(connection, accounts).await?;
    let cash = cash.into_iter().map(|(account, currency, minor)| {
        (account, Balances::one(LedgerAccount::Cash, currency, i128::from(minor)))
    });
    let held = store::audit::held(connection, accounts).await?;
    let held = held.into_iter().map(|(account, currency, minor)| {
        (account, Balances::one(LedgerAccount::CustomerBalance, currency, -i128::from(minor)))
    });
    Ok(cash.chain(held).collect())
}

/// What goes back of payments of `account`, by purpose and payment, in minor units; of `purposes` alone.
///
/// # Errors
/// [`DbErr`] when it cannot be read.
pub async fn sent_back(
    connection: &impl ConnectionTrait,
    account: AccountId,
    purposes: &[String],
) -> Result<Vec<(String, PaymentId, i64)>, DbErr> {
    store::audit::sent_back(connection, account, purposes).await
}
