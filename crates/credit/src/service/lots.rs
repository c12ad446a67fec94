//! Lots, for the slices above: which could pay, what a plan takes, what comes back, what a deleted project forfeits.

use florin_account::Account;
use florin_platform::{audit, call::Call, db::Tx, id::AccountId};
use florin_settlement::{Instant, Lot, LotId, Money, Plan};
use sea_orm::ConnectionTrait;

use super::{
    ledger::{self, Taking},
    orders, query,
};
use crate::{
    domain::{
        lot::{CreditId, CreditLot, NewLot, Origin, ReturnCause, Returned, credit_id},
        movement::MovementKind,
        order::OrderState,
        project_ref::ProjectId,
    },
    error::Error,
    names::lot_name,
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

/// The lots of many accounts that expired after `since` and not after `at`, and whose lapse is recorded, each as it
/// was when it expired: they are what a settlement at `at` would have considered had nobody recorded it (R6.8, R7.8).
///
/// # Errors
/// [`Error::Database`]; [`Error::Lot`] for a corrupt row.
pub async fn lapsed(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
    since: Instant,
    at: Instant,
) -> Result<Vec<(AccountId, Lot)>, Error> {
    let lots = store::lot::lapsed_of(connection, accounts, since, at).await?;
    lots.iter().map(|lot| Ok((lot.account, lot.for_settlement()?))).collect()
}

/// Of those of `lots` that are cloud credit, or what came back of some: the purchase invoice it was bought with, by
/// resource name; in the order given (R7.4).
///
/// # Errors
/// [`Error::Database`].
pub async fn purchases(
    connection: &impl ConnectionTrait,
    account: AccountId,
    lots: &[LotId],
) -> Result<Vec<(LotId, String)>, Error> {
    let keys: Vec<_> = lots.iter().map(|lot| (account, credit_id(*lot))).collect();
    let own = store::lot::find_many(connection, &keys).await?;
    let roots: Vec<_> = own.values().map(|lot| (account, lot.root())).collect();
    let roots = store::lot::find_many(connection, &roots).await?;
    let mut purchases = Vec::with_capacity(lots.len());
    for lot in lots {
        let root = own.get(&credit_id(*lot)).and_then(|own| roots.get(&own.root()));
        let Some(Origin::CreditOrder(order)) = root.map(|root| &root.origin) else { continue };
        let order = store::order::find(connection, account, *order).await?;
        purchases.extend(order.and_then(|order| order.purchase_invoice).map(|invoice| (*lot, invoice)));
    }
    Ok(purchases)
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

/// What comes back of a lot.
#[derive(Clone, Copy, Debug)]
pub struct GiveBack<'a> {
    /// The lot it was taken from.
    pub source: CreditId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub cause: ReturnCause,
    /// The document that gives it back, as a resource name; once per source.
    pub document: &'a str,
}

/// Gives back to `account`, which is locked, what was taken from one of its lots: as a new lot of the same kind,
/// owner, restriction and expiry, naming its source (R7.9, R6.11). What has expired already lapses in the same
/// transaction. What comes back of a lot never exceeds what was taken from it: the database sees to it.
///
/// Whether the lot's project still lives is the caller's to know: see [`crate::forfeit_project`].
///
/// # Errors
/// [`Error::NotFound`] for a source that is not the account's; [`Error::Database`] when more would come back than
/// was taken, or the document has given back to this source before.
pub async fn give_back(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: &Account,
    back: GiveBack<'_>,
) -> Result<CreditLot, Error> {
    let found = store::lot::find(tx, account.id, back.source).await?;
    let source = found.ok_or_else(|| Error::NotFound(format!("credits/{}", back.source)))?;
    let new = NewLot {
        account: account.id,
        project: source.project,
        kind: source.kind,
        amount: back.amount,
        issued: at,
        expires: source.expires,
        restriction: source.restriction,
        origin: Origin::Returned(Returned {
            source: source.id,
            root: source.root(),
            cause: back.cause,
            document: back.document.to_owned(),
        }),
        description: source.description.clone(),
    };
    let lot = ledger::issue(tx, at, account, new).await?;
    audit::record(tx, at, call, account.id, &lot_name(&lot)).await?;
    if lot.is_expired_at(at) {
        ledger::end(tx, at, vec![lot.clone()], MovementKind::Expired, "").await?;
    }
    Ok(lot)
}

/// The end of a project of a locked account: orders nobody has paid are canceled, and what remains of its lots is
/// forfeited (R4.6, R6.8). The lots that were forfeited, with what they had; done again there are none. An order
/// that is being paid is left: its money goes back when it comes.
///
/// # Errors
/// [`Error::Database`].
pub async fn forfeit_project(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    project: ProjectId,
) -> Result<Vec<CreditLot>, Error> {
    for order in query::open_orders(tx, account, project, at).await? {
        if order.state == OrderState::AwaitingPayment {
            orders::cancel(tx, at, call, account, order.id).await?;
        }
    }
    let forfeited = forfeit(tx, at, account, Some(project)).await?;
    for lot in &forfeited {
        audit::record(tx, at, call, account, &lot_name(lot)).await?;
    }
    Ok(forfeited)
}

/// The end of a locked account: what remains of every lot is forfeited, the account's own included (R6.7, R6.8).
/// As [`forfeit_project`], for the account.
///
/// # Errors
/// [`Error::Database`].
pub async fn forfeit_account(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
) -> Result<Vec<CreditLot>, Error> {
    let forfeited = forfeit(tx, at, account, None).await?;
    for lot in &forfeited {
        audit::record(tx, at, call, account, &lot_name(lot)).await?;
    }
    Ok(forfeited)
}
