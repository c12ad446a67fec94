//! What a dispute of an order's payment does to its lot, and what a won one brings back (R6.11).
//!
//! | question | answer |
//! |---|---|
//! | which lots are an order's | its own, and those in which something of it came back |
//! | what is revoked | what remains of them and has not expired, and no more than is disputed |
//! | a lot that waits for the end of a withdrawal period | is issued first: what was paid for is what is revoked |
//! | what comes back | what this very dispute had revoked, as new lots of the old kind and expiry |

use florin_platform::{call::Call, db::Tx, id::AccountId};
use florin_settlement::{Instant, Money};

use super::{
    ledger,
    lots::{self, GiveBack},
    orders, query,
};
use crate::{
    domain::{
        lot::{CreditLot, ReturnCause},
        movement::MovementKind,
        order::{OrderId, OrderState},
    },
    error::Error,
    ports::ProjectGate,
    store,
};

/// Revokes what is unused of a paid order of a locked account, at most `most`, for `dispute`, a resource name. How
/// much that was; nothing for an order that is not paid, or was withdrawn from. What a lot that waited has left, of a
/// project that is over, is forfeited at once (R6.8).
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Database`], also for a dispute that has revoked before.
pub async fn revoke(
    tx: &Tx,
    at: Instant,
    gate: &dyn ProjectGate,
    (account, order): (AccountId, OrderId),
    dispute: &str,
    most: Money,
) -> Result<Money, Error> {
    let mut left = most;
    let order = query::order(tx, account, order).await?;
    let project = order.project;
    let lot = match order.state {
        OrderState::Paid { lot: Some(lot), .. } => lot,
        OrderState::Paid { lot: None, .. } => orders::supply_now(tx, at, order).await?.id,
        OrderState::Withdrawn { .. }
        | OrderState::AwaitingPayment
        | OrderState::Processing
        | OrderState::Canceled
        | OrderState::Expired => return Ok(Money::zero(most.currency())),
    };
    for lot in store::lot::family(tx, account, lot).await? {
        let part = if lot.remaining.minor() < left.minor() { lot.remaining } else { left };
        if part.is_positive() && !lot.is_expired_at(at) {
            left = left.checked_sub(part)?;
            ledger::take_part(tx, at, lot, part, MovementKind::Disputed, dispute).await?;
        }
    }
    if orders::is_over(tx, gate, account, project).await? {
        lots::forfeit(tx, at, account, Some(project)).await?;
    }
    Ok(most.checked_sub(left)?)
}

/// Gives back to the locked account what `dispute`, which was won, had revoked: once. What belongs to a project that
/// is over is forfeited at once (R6.8); while it is being deleted, it can still pay the final invoice.
///
/// # Errors
/// [`Error::Database`], also for a dispute whose value has come back.
pub async fn restore(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    account: AccountId,
    dispute: &str,
) -> Result<Vec<CreditLot>, Error> {
    let owner = query::account(tx, account).await?;
    let mut restored = Vec::new();
    for revoked in store::movement::of_reference(tx, account, MovementKind::Disputed, dispute).await? {
        let (source, amount, cause) = (revoked.fact.lot, revoked.fact.amount, ReturnCause::DisputeWon);
        let back = GiveBack { source, amount, cause, document: dispute };
        let lot = lots::give_back(tx, at, call, &owner, back).await?;
        if let Some(project) = lot.project
            && orders::is_over(tx, gate, account, project).await?
        {
            lots::forfeit(tx, at, account, Some(project)).await?;
        }
        restored.push(lot);
    }
    Ok(restored)
}
