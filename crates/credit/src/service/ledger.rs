//! The one place where movements are written, and with them a lot's remaining value.
//!
//! | question | answer |
//! |---|---|
//! | what may add value to a lot | its issue, once; nothing else, and the database agrees (R6.2) |
//! | what may take value | [`take`]: debits of a plan, lapses, what is disputed or taken back |
//! | order | the accounts are locked; lots, then the ends of the chains, then movements |
//! | how many statements | a handful per batch, however many lots |

use std::collections::{BTreeMap, HashMap};

use florin_account::Account;
use florin_platform::{db::Tx, id::AccountId, notice, outbox, wire};
use florin_settlement::{Instant, Money};

use crate::{
    domain::{
        lot::{CreditId, CreditLot, NewLot},
        movement::{Fact, IssuedFor, MovementKind},
    },
    error::Error,
    events::{CreditIssued, CreditLapsed},
    names::lot_name,
    notices,
    store::{
        self,
        due::{Task, WARN_DAYS},
    },
};

/// Issues a lot to `account`: its row, its ISSUED movement, its place in the queue of expiries, the
/// event and the customer's notice. One source issues once: a second time is a database error.
pub(crate) async fn issue(tx: &Tx, at: Instant, account: &Account, new: NewLot) -> Result<CreditLot, Error> {
    let lot = CreditLot::issue(CreditId::generate(at), new)?;
    store::lot::insert(tx, &lot).await?;
    let fact = Fact {
        account: lot.account,
        lot: lot.id,
        lot_kind: lot.kind,
        kind: MovementKind::Issued,
        entry: MovementKind::Issued.entry(lot.kind, IssuedFor::from(&lot.origin)),
        amount: lot.initial,
        remaining_after: lot.initial,
        effective: lot.issued,
        recorded: at,
        reference: String::new(),
    };
    store::movement::append(tx, &[fact]).await?;
    store::due::insert(tx, lot.account, lot.id, &tasks(&lot, at)).await?;
    let fact = CreditIssued {
        credit: lot_name(&lot),
        kind: lot.kind.as_str().to_owned(),
        amount: Some(wire::money(lot.initial)),
        expire_time: lot.expires.map(wire::timestamp),
    };
    outbox::append(tx, at, lot.account, &fact).await?;
    notice::raise(tx, at, lot.account, &notices::received(account, &lot)).await?;
    Ok(lot)
}

/// A lapse at its expiry, and the warnings that still lie ahead (R6.8).
fn tasks(lot: &CreditLot, at: Instant) -> Vec<(Task, Instant)> {
    let Some(expires) = lot.expires else { return Vec::new() };
    let warnings = WARN_DAYS.into_iter().map(|days| (Task::Warn(days), expires.minus_days(days)));
    warnings.filter(|(_, due)| at < *due).chain([(Task::Lapse, expires)]).collect()
}

/// What is to be taken from a lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taking {
    pub(crate) account: AccountId,
    pub(crate) lot: CreditId,
    pub(crate) kind: MovementKind,
    pub(crate) amount: Money,
    pub(crate) effective: Instant,
    pub(crate) reference: String,
}

/// Takes all of `takings`, in their order, from lots as they stand in `lots`; writes movements and the
/// lots' remaining values. `lots` are kept up to date, so that one lot may be taken from several times.
pub(crate) async fn take(
    tx: &Tx,
    at: Instant,
    lots: &mut HashMap<CreditId, CreditLot>,
    takings: &[Taking],
) -> Result<(), Error> {
    if takings.is_empty() {
        return Ok(());
    }
    let mut totals: BTreeMap<(AccountId, CreditId), Money> = BTreeMap::new();
    let mut facts = Vec::with_capacity(takings.len());
    for taking in takings {
        let lot = lots
            .get_mut(&taking.lot)
            .filter(|lot| lot.account == taking.account)
            .ok_or_else(|| Error::NotFound(format!("credits/{}", taking.lot)))?;
        let remaining = lot.remaining.checked_sub(taking.amount)?;
        if remaining.is_negative() || !taking.amount.is_positive() {
            return Err(Error::Overdrawn(lot_name(lot)));
        }
        lot.remaining = remaining;
        facts.push(Fact {
            account: taking.account,
            lot: taking.lot,
            lot_kind: lot.kind,
            kind: taking.kind,
            entry: taking.kind.entry(lot.kind, IssuedFor::from(&lot.origin)),
            amount: taking.amount,
            remaining_after: remaining,
            effective: taking.effective,
            recorded: at,
            reference: taking.reference.clone(),
        });
        let total = totals
            .entry((taking.account, taking.lot))
            .or_insert_with(|| Money::zero(taking.amount.currency()));
        *total = total.checked_add(taking.amount)?;
    }
    let totals: Vec<_> = totals.into_iter().map(|((account, lot), total)| (account, lot, total)).collect();
    if !store::lot::take(tx, &totals).await? {
        return Err(Error::Overdrawn("a lot".to_owned()));
    }
    store::movement::append(tx, &facts).await?;
    Ok(())
}

/// Takes what remains of each lot without its having paid, and tells of it. Lots with nothing left are
/// passed over. An expired lot has EXPIRED, as of its expiry, whatever else would end it now.
pub(crate) async fn end(
    tx: &Tx,
    at: Instant,
    ended: Vec<CreditLot>,
    kind: MovementKind,
    reference: &str,
) -> Result<Vec<CreditLot>, Error> {
    let ended: Vec<_> = ended.into_iter().filter(|lot| lot.remaining.is_positive()).collect();
    let takings: Vec<_> = ended.iter().map(|lot| ending(lot, at, kind, reference)).collect();
    let mut lots: HashMap<_, _> = ended.iter().map(|lot| (lot.id, lot.clone())).collect();
    take(tx, at, &mut lots, &takings).await?;
    for (lot, taking) in ended.iter().zip(&takings) {
        tell(tx, at, lot, taking).await?;
        store::due::forget(tx, lot.account, lot.id).await?;
    }
    Ok(ended)
}

/// Takes a part of what remains of a lot without its having paid, and tells of it. The lot as it is then.
pub(crate) async fn take_part(
    tx: &Tx,
    at: Instant,
    lot: CreditLot,
    amount: Money,
    kind: MovementKind,
    reference: &str,
) -> Result<CreditLot, Error> {
    let (account, id) = (lot.account, lot.id);
    let taking = Taking { account, lot: id, kind, amount, effective: at, reference: reference.to_owned() };
    let mut lots = HashMap::from([(id, lot)]);
    take(tx, at, &mut lots, std::slice::from_ref(&taking)).await?;
    let lot = lots.remove(&id).ok_or_else(|| Error::NotFound(format!("credits/{id}")))?;
    tell(tx, at, &lot, &taking).await?;
    if lot.remaining.is_zero() {
        store::due::forget(tx, account, id).await?;
    }
    Ok(lot)
}

async fn tell(tx: &Tx, at: Instant, lot: &CreditLot, taking: &Taking) -> Result<(), Error> {
    let fact = CreditLapsed {
        credit: lot_name(lot),
        movement_kind: taking.kind.as_str().to_owned(),
        amount: Some(wire::money(taking.amount)),
        effective_time: Some(wire::timestamp(taking.effective)),
    };
    outbox::append(tx, at, lot.account, &fact).await?;
    Ok(())
}

fn ending(lot: &CreditLot, at: Instant, kind: MovementKind, reference: &str) -> Taking {
    let (kind, effective, reference) = match lot.expires {
        // What came back after its expiry was never there before it.
        Some(expires) if expires <= at => (MovementKind::Expired, expires.max(lot.issued), ""),
        Some(_) | None => (kind, at, reference),
    };
    Taking {
        account: lot.account,
        lot: lot.id,
        kind,
        amount: lot.remaining,
        effective,
        reference: reference.to_owned(),
    }
}
