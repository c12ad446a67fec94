//! Making a plan (R7.1–R7.6).
//!
//! Owns: [`plan`], the only way to a [`Plan`]: which lots count, in which order, and for how much.
//! Always holds: pure and deterministic; the order in which lots or lines are given changes nothing.
//! Refuses to know: the database, the clock. `at` is the settlement instant, decided elsewhere (R7.3).

use crate::{
    Considered, Due, Instant, LineDebit, Lot, LotOwner, Money, Plan, PlanError, SkipReason,
    allocation::{self, Demand, Offer, Share},
    debit_order,
};

/// What is taken from each of `lots` for what is `due`, at the settlement instant `at` (R7.1–R7.6).
///
/// Lots are taken in debit order (R7.1, R7.2). Lots that do not count (another currency or owner, not
/// yet issued, expired, empty, restricted to nothing that is due) are skipped with a reason (R7.3,
/// R7.8). Restricted value is never stranded (R7.5).
///
/// # Errors
/// [`PlanError::DuplicateLot`] if one lot is given twice.
pub fn plan(due: &Due, lots: &[Lot], at: Instant) -> Result<Plan, PlanError> {
    refuse_duplicates(lots)?;
    let mut ordered = lots.to_vec();
    ordered.sort_unstable_by(debit_order::compare);

    let judged = ordered.into_iter().map(|lot| (lot, disqualified(due, &lot, at))).collect::<Vec<_>>();
    let eligible = judged
        .iter()
        .filter(|(_, reason)| reason.is_none())
        .map(|(lot, _)| Offer { families: lot.restriction().families(), remaining: lot.remaining().minor() });
    let demands = due.lines().iter().map(|line| Demand { family: line.family, net: line.net.minor() });
    let shares = allocation::allocate(&eligible.collect::<Vec<_>>(), &demands.collect::<Vec<_>>());

    let mut shares = shares.into_iter();
    let mut considered = Vec::with_capacity(judged.len());
    for (lot, reason) in judged {
        let outcome = match reason {
            Some(reason) => Considered::skipped_for(lot, reason),
            None => outcome(due, lot, &shares.next().ok_or(PlanError::Unbalanced)?)?,
        };
        considered.push(outcome);
    }
    Plan::assemble(due, at, considered)
}

fn refuse_duplicates(lots: &[Lot]) -> Result<(), PlanError> {
    let mut ids = lots.iter().map(Lot::id).collect::<Vec<_>>();
    ids.sort_unstable();
    let twice = ids.iter().zip(ids.iter().skip(1)).find(|(one, next)| one == next);
    twice.map_or(Ok(()), |(id, _)| Err(PlanError::DuplicateLot(*id)))
}

/// Why a lot does not count, if it does not (R7.3). The first reason that applies is the one given.
fn disqualified(due: &Due, lot: &Lot, at: Instant) -> Option<SkipReason> {
    let is_own = match lot.owner() {
        LotOwner::Project(project) => project == due.project(),
        LotOwner::Account(account) => account == due.account(),
    };
    let is_payable = |line: &crate::DueLine| line.net.is_positive() && lot.restriction().allows(line.family);
    if lot.currency() != due.currency() {
        Some(SkipReason::Currency)
    } else if !is_own {
        Some(SkipReason::ForeignOwner)
    } else if lot.is_expired_at(at) {
        Some(SkipReason::Expired)
    } else if lot.issued() > at {
        Some(SkipReason::NotYetIssued)
    } else if lot.remaining().is_zero() {
        Some(SkipReason::Empty)
    } else if due.total().is_zero() {
        Some(SkipReason::NothingLeftDue)
    } else if !due.lines().iter().any(is_payable) {
        Some(SkipReason::Restricted)
    } else {
        None
    }
}

fn outcome(due: &Due, lot: Lot, shares: &[Share]) -> Result<Considered, PlanError> {
    if shares.is_empty() {
        return Ok(Considered::skipped_for(lot, SkipReason::NothingLeftDue));
    }
    let mut lines = Vec::with_capacity(shares.len());
    for share in shares {
        let line = due.lines().get(share.line).ok_or(PlanError::Unbalanced)?;
        lines.push(LineDebit::new(line.key, Money::new(share.amount, due.currency())));
    }
    Considered::debited(lot, lines)
}
