//! The audit of payments (R14.5): against their refunds and disputes. Read only.

use florin_account::ledger::{Balances, LedgerAccount};
use florin_platform::{
    finding::{AccountRange, Findings},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::store::{self, audit::CHECKS};

/// Checks every payment of `accounts`.
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
    Ok(())
}

/// What the ledger should say of the payments of `accounts`, account by account: CASH.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn expected(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<(AccountId, Balances)>, DbErr> {
    let cash = store::audit::cash(connection, accounts).await?;
    let balances = cash.into_iter().map(|(account, currency, minor)| {
        (account, Balances::one(LedgerAccount::Cash, currency, i128::from(minor)))
    });
    Ok(balances.collect())
}
