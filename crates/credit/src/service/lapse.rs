//! Writing down what time does to lots: warnings before an expiry, the lapse after it (R6.8).
//!
//! Nothing depends on when this runs: a lot stops paying at its instant. A lapse is not written while an
//! invoice that the lot could still pay is unissued (R7.3); it is looked at again an hour later.

use std::collections::{BTreeMap, BTreeSet};

use florin_account::Account;
use florin_platform::{db::Tx, id::AccountId, notice};
use florin_settlement::Instant;

use super::ledger;
use crate::{
    domain::{lot::CreditLot, movement::MovementKind},
    error::Error,
    notices,
    ports::SettlementHorizon,
    store::{
        self,
        due::{Due, Task, WARN_DAYS},
    },
};

/// A lapse that has to wait is looked at again so much later.
pub(crate) const WAIT_HOURS: u32 = 1;

/// Does what is in `due`: locks the accounts, reads again, writes. How many of them are done with, be it
/// by having been put off.
pub(crate) async fn settle_due(
    tx: &Tx,
    at: Instant,
    horizon: &dyn SettlementHorizon,
    due: &[Due],
) -> Result<u32, Error> {
    let accounts: Vec<_> = due.iter().map(|due| due.account).collect::<BTreeSet<_>>().into_iter().collect();
    florin_account::lock(tx, &accounts).await?;
    let keys: Vec<_> = due.iter().map(|due| (due.account, due.lot)).collect();
    let lots = store::lot::find_many(tx, &keys).await?;
    let unissued = horizon.unissued_since(tx, at, &accounts).await.map_err(Error::Port)?;
    let owners = florin_account::find_many(tx, &accounts).await?;
    let owners: BTreeMap<AccountId, &Account> = owners.iter().map(|owner| (owner.id, owner)).collect();

    let mut lapsing = Vec::new();
    for due in due {
        let lot = lots.get(&due.lot).filter(|lot| lot.remaining.is_positive());
        let (Some(lot), Some(owner)) = (lot, owners.get(&due.account)) else {
            store::due::done(tx, due).await?;
            continue;
        };
        match due.task {
            Task::Lapse if may_lapse(lot, at, unissued.get(&due.account).copied()) => {
                lapsing.push(lot.clone())
            }
            Task::Lapse => store::due::put_off(tx, due, at.plus_hours(WAIT_HOURS)).await?,
            Task::Warn(days) => warn(tx, at, owner, lot, due, days).await?,
        }
    }
    ledger::end(tx, at, lapsing, MovementKind::Expired, "").await?;
    Ok(u32::try_from(due.len()).unwrap_or(u32::MAX))
}

/// Whether the lapse of an expired lot can be written: no invoice it could pay is unissued.
fn may_lapse(lot: &CreditLot, at: Instant, unissued_since: Option<Instant>) -> bool {
    let Some(expires) = lot.expires.filter(|expires| *expires <= at) else { return false };
    unissued_since.is_none_or(|settlement| expires <= settlement)
}

/// Warns of an expiry, once per threshold (R6.8). What could not be sent in its time is left out once a later
/// warning is due: after a long pause the customer hears once.
async fn warn(
    tx: &Tx,
    at: Instant,
    owner: &Account,
    lot: &CreditLot,
    due: &Due,
    days: u32,
) -> Result<(), Error> {
    let is_first = store::due::done(tx, due).await?;
    if let Some(days_left) = days_left(lot, at, days).filter(|_| is_first) {
        let issuer = florin_account::issuer(tx, &owner.issuer).await?;
        let delay = issuer.map_or(0, |issuer| issuer.billing_delay_seconds);
        let delay = u64::try_from(delay).unwrap_or_default();
        let notice = notices::expiring(owner, lot, days_left, last_settlement(lot, delay));
        notice::raise(tx, at, owner.id, &notice).await?;
    }
    Ok(())
}

/// How many days are left of a lot, a begun one counted, if the warning of so many `days` before is the latest
/// that applies at `at`.
fn days_left(lot: &CreditLot, at: Instant, days: u32) -> Option<u64> {
    const DAY_SECONDS: u64 = 86_400;
    let expires = lot.expires.filter(|expires| at < *expires)?;
    let is_late = WARN_DAYS.iter().any(|later| *later < days && expires.minus_days(*later) <= at);
    let left = expires.saturating_since(at);
    let begun = u64::from(left.subsec_nanos() > 0);
    (!is_late).then(|| (left.as_secs() + begun).div_ceil(DAY_SECONDS))
}

/// The last monthly settlement instant at which a lot still pays, if there is one.
fn last_settlement(lot: &CreditLot, delay_seconds: u64) -> Option<Instant> {
    let expires = lot.expires?;
    let of_month = |at: Instant| at.start_of_month().plus_seconds(delay_seconds);
    let this_month = of_month(expires);
    let last = if this_month < expires {
        this_month
    } else {
        of_month(expires.start_of_month().minus(std::time::Duration::from_micros(1)))
    };
    (lot.issued <= last).then_some(last)
}

#[cfg(test)]
mod tests {
    use florin_platform::id::AccountId;
    use florin_settlement::{Currency, LotKind, Money, Restriction};

    use super::*;
    use crate::domain::{
        grant::GrantId,
        lot::{CreditId, NewLot, Origin},
    };

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    fn lot(issued: &str, expires: &str) -> CreditLot {
        let new = NewLot {
            account: AccountId::from_u128(1),
            project: None,
            kind: LotKind::LaunchPad,
            amount: Money::new(100, Currency::EUR),
            issued: at(issued),
            expires: Some(at(expires)),
            restriction: Restriction::Unrestricted,
            origin: Origin::Grant(GrantId::from_u128(2)),
            description: String::new(),
        };
        CreditLot::issue(CreditId::from_u128(3), new).expect("a lot")
    }

    #[test]
    fn a_lapse_waits_for_an_invoice_the_lot_could_still_pay() {
        let lot = lot("2027-01-01T00:00:00Z", "2027-03-01T12:00:00Z");
        let now = at("2027-03-02T00:00:00Z");
        assert!(may_lapse(&lot, now, None));
        assert!(!may_lapse(&lot, now, Some(at("2027-03-01T06:00:00Z"))));
        assert!(may_lapse(&lot, now, Some(at("2027-03-01T12:00:00Z"))));
        assert!(!may_lapse(&lot, at("2027-03-01T11:59:59.999999Z"), None));
    }

    #[test]
    fn after_a_pause_only_the_latest_warning_applies_and_says_how_many_days_are_left() {
        let lot = lot("2027-01-01T00:00:00Z", "2027-06-30T12:00:00Z");
        let left = |now| [60, 30, 7].map(|days| days_left(&lot, at(now), days));
        assert_eq!(left("2027-05-01T12:00:00Z"), [Some(60), Some(60), Some(60)]);
        assert_eq!(left("2027-06-10T00:00:00Z"), [None, Some(21), Some(21)]);
        assert_eq!(left("2027-06-23T12:00:00Z"), [None, None, Some(7)]);
        assert_eq!(left("2027-06-30T11:59:59.999999Z"), [None, None, Some(1)]);
        assert_eq!(left("2027-06-30T12:00:00Z"), [None, None, None]);
    }

    #[test]
    fn the_last_settlement_lies_before_the_expiry_and_not_before_the_issue() {
        let last = |issued, expires| last_settlement(&lot(issued, expires), 21_600);
        let start = "2027-01-10T00:00:00Z";
        assert_eq!(last(start, "2027-03-20T00:00:00Z"), Some(at("2027-03-01T06:00:00Z")));
        assert_eq!(last(start, "2027-03-01T06:00:00Z"), Some(at("2027-02-01T06:00:00Z")));
        assert_eq!(last(start, "2027-03-01T06:00:01Z"), Some(at("2027-03-01T06:00:00Z")));
        assert_eq!(last(start, "2027-01-20T00:00:00Z"), None);
    }
}
