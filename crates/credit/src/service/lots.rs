//! Lots, for the slices above: which could pay, what a plan takes, what a deleted project forfeits.

use florin_platform::{db::Tx, id::AccountId};
use florin_settlement::{Instant, Lot, Plan};
use sea_orm::ConnectionTrait;

use super::ledger::{self, Taking};
use crate::{
    domain::{
        lot::{CreditLot, credit_id},
        movement::MovementKind,
        project_ref::ProjectId,
    },
    error::Error,
    store::{self, lot::Scope},
};

/// The lots that can pay at `at` for `project`: the account's own and that project's; of `None`, the
/// account's own alone. In the order they were issued.
///
/// # Errors
/// [`Error::Database`]; [`Error::Lot`] for a corrupt row.
pub async fn alive_for(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: Option<ProjectId>,
    at: Instant,
) -> Result<Vec<Lot>, Error> {
    let scope = project.map_or(Scope::AccountWide, Scope::AccountWideAnd);
    let lots = store::lot::with_value(connection, account, scope).await?;
    let lots = lots.iter().map(|lot| Ok(lot.for_settlement()?)).collect::<Result<Vec<_>, Error>>()?;
    Ok(lots.into_iter().filter(|lot| lot.is_alive_at(at)).collect())
}

/// Every lot of which something is left, of many accounts, with its account; in one query. Also those
/// that have expired: whether they count is a question of the settlement instant (R7.3), which may lie
/// in the past.
///
/// # Errors
/// [`Error::Database`]; [`Error::Lot`] for a corrupt row.
pub async fn of_accounts(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, Lot)>, Error> {
    let lots = store::lot::with_value_of(connection, accounts).await?;
    lots.iter().map(|lot| Ok((lot.account, lot.for_settlement()?))).collect()
}

/// Takes from lots what plans say, each for the invoice named beside it: the only way an invoice debits a
/// lot (R7.6). Plans of one account are applied in the order given, which is the order they were planned
/// in. The accounts are locked. Debits are effective at the plan's instant and recorded at `at`.
///
/// # Errors
/// [`Error::Overdrawn`] when a lot has less than a plan takes: it was planned on other lots than these.
pub async fn debit(tx: &Tx, at: Instant, settlements: &[(AccountId, String, Plan)]) -> Result<(), Error> {
    let takings: Vec<_> =
        settlements.iter().flat_map(|(account, invoice, plan)| takings(*account, invoice, plan)).collect();
    let mut keys: Vec<_> = takings.iter().map(|taking| (taking.account, taking.lot)).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut lots = store::lot::find_many(tx, &keys).await?;
    ledger::take(tx, at, &mut lots, &takings).await
}

fn takings<'a>(account: AccountId, invoice: &'a str, plan: &'a Plan) -> impl Iterator<Item = Taking> + 'a {
    plan.debits().map(move |debit| Taking {
        account,
        lot: credit_id(debit.id()),
        kind: MovementKind::Debited,
        amount: debit.amount(),
        effective: plan.at(),
        reference: invoice.to_owned(),
    })
}

/// Forfeits what remains of a project's lots, because it is deleted, or, of `None`, of all lots of the
/// account, because it is closed (R6.8). The account is locked. The lots that were forfeited, with what
/// they had; done again there are none.
///
/// # Errors
/// [`Error::Database`].
pub async fn forfeit(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    project: Option<ProjectId>,
) -> Result<Vec<CreditLot>, Error> {
    let scope = project.map_or(Scope::Everything, Scope::Project);
    let lots = store::lot::with_value(tx, account, scope).await?;
    ledger::end(tx, at, lots, MovementKind::Forfeited, "").await
}
