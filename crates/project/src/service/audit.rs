//! The audit of measured usage (R14.5): events, hours and months against each other. Read only.

use florin_platform::finding::{AccountRange, Findings};
use sea_orm::{ConnectionTrait, DbErr};

use crate::store::audit::CHECKS;

/// Checks everything that was measured of `accounts`.
///
/// # Errors
/// [`DbErr`] when it cannot be read.
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
