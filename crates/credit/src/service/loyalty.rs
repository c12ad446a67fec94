//! Loyalty: what an invoice paid in money earns, and what is taken back of it (R6.7).

use florin_account::Account;
use florin_platform::{audit, call::Call, db::Tx};
use florin_settlement::{Instant, LotKind, Money, Percentage, Restriction, rounding};

use super::ledger;
use crate::{
    domain::lot::{CreditLot, NewLot, Origin},
    error::Error,
    names::lot_name,
};

/// Issues the LOYALTY lot that `account`, which is locked, earns by having paid `net_paid` of `invoice` in
/// money: `rate` of it, rounded down (R1.4). Nothing is earned by less than one minor unit. An invoice
/// earns once: its name is the lot's origin, and the database keeps it unique.
///
/// # Errors
/// [`Error::Database`], also when the invoice has earned already.
pub async fn earn(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: &Account,
    invoice: &str,
    net_paid: Money,
    rate: Percentage,
) -> Result<Option<CreditLot>, Error> {
    let amount = rounding::loyalty_earning(net_paid, rate).map_err(|error| Error::Price(error.into()))?;
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
        origin: Origin::Earning { invoice: invoice.to_owned() },
        description: "Loyalty".to_owned(),
    };
    let lot = ledger::issue(tx, at, account, new).await?;
    audit::record(tx, at, call, account.id, &lot_name(&lot)).await?;
    Ok(Some(lot))
}
