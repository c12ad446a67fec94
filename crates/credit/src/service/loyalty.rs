//! Loyalty: what an invoice paid in money earns, and what is taken back of it (R6.7).
//!
//! | question | answer |
//! |---|---|
//! | what an invoice should have earned | the rate of the net that is still paid, rounded down (R1.4) |
//! | paid | the difference to what it has earned is issued, less what is still owed from elsewhere |
//! | credited, or bounced | the difference is taken from what remains of the lots it earned; the rest is owed |
//! | owed | by the account: netted from what it earns later, never taken from other lots |
//!
//! Each is decided by what the rows say, so that a repeated message changes nothing.

use florin_account::Account;
use florin_platform::{audit, call::Call, db::Tx, id::AccountId};
use florin_settlement::{Instant, LotKind, Money, Percentage, Restriction, rounding};

use super::ledger;
use crate::{
    domain::{
        lot::{CreditLot, NewLot, Origin},
        movement::MovementKind,
    },
    error::Error,
    names::lot_name,
    store::{self, loyalty::Claim},
};

/// Issues the LOYALTY lot that `account`, which is locked, earns by having paid `net_paid` of `invoice` in money:
/// `rate` of it, rounded down (R1.4), less what it has earned by this invoice before, and less what is owed since
/// earlier earnings were taken back. `None` if nothing is left to issue. Done again it gives nothing; an invoice
/// that is paid again after a bounce earns again.
///
/// # Errors
/// [`Error::Database`].
pub async fn earn(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: &Account,
    invoice: &str,
    net_paid: Money,
    rate: Percentage,
) -> Result<Option<CreditLot>, Error> {
    let target = earning(net_paid, rate)?;
    let standing = store::loyalty::standing(tx, account.id, invoice, account.currency).await?;
    let due = target.checked_sub(standing.held()?)?;
    if !due.is_positive() {
        return Ok(None);
    }
    let owed = store::loyalty::owed(tx, account.id, account.currency).await?;
    let netted = if owed.minor() < due.minor() { owed } else { due };
    let turn = standing.turns + 1;
    if netted.is_positive() {
        store::loyalty::insert_netting(tx, at, account.id, &turn_of(invoice, turn), netted).await?;
        audit::record(tx, at, call, account.id, invoice).await?;
    }
    let amount = due.checked_sub(netted)?;
    if amount.is_zero() {
        return Ok(None);
    }
    let new = NewLot {
        account: account.id,
        project: None,
        kind: LotKind::Loyalty,
        amount,
        issued: at,
        expires: None,
        restriction: Restriction::Unrestricted,
        origin: Origin::Earning { invoice: invoice.to_owned(), turn },
        description: "Loyalty".to_owned(),
    };
    let lot = ledger::issue(tx, at, account, new).await?;
    audit::record(tx, at, call, account.id, &lot_name(&lot)).await?;
    Ok(Some(lot))
}

/// An earning that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// What was earned too much.
    pub amount: Money,
    /// What of it the lots still had; the rest is netted from later earnings.
    pub taken: Money,
}

/// Takes back from the locked `account` what it has earned too much, now that only `net_paid` of `invoice` is paid
/// in money: nothing after a bounce, the rest after a credit note. `source` names the document or dispute that says
/// so, once. `None` if there is nothing to take back.
///
/// # Errors
/// [`Error::Database`].
pub async fn take_back(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    (invoice, source): (&str, &str),
    net_paid: Money,
    rate: Percentage,
) -> Result<Option<TakenBack>, Error> {
    if store::loyalty::is_claimed(tx, account, source).await? {
        return Ok(None);
    }
    let standing = store::loyalty::standing(tx, account, invoice, net_paid.currency()).await?;
    let amount = standing.held()?.checked_sub(earning(net_paid, rate)?)?;
    if !amount.is_positive() {
        return Ok(None);
    }
    let mut left = amount;
    // The newest first: what was earned last is the least used.
    for lot in store::lot::of_earning(tx, account, invoice).await?.into_iter().rev() {
        let part = if lot.remaining.minor() < left.minor() { lot.remaining } else { left };
        if part.is_positive() {
            left = left.checked_sub(part)?;
            ledger::take_part(tx, at, lot, part, MovementKind::Clawback, source).await?;
        }
    }
    let taken = amount.checked_sub(left)?;
    let claim = Claim { account, source, invoice, amount, taken };
    store::loyalty::insert_claim(tx, at, &claim).await?;
    audit::record(tx, at, call, account, source).await?;
    Ok(Some(TakenBack { amount, taken }))
}

fn earning(net_paid: Money, rate: Percentage) -> Result<Money, Error> {
    rounding::loyalty_earning(net_paid, rate).map_err(|error| Error::Price(error.into()))
}

/// What makes an earning of an invoice the only one of its kind: an invoice earns again after a bounce.
fn turn_of(invoice: &str, turn: u32) -> String {
    format!("{invoice}#{turn}")
}
