//! Proving a stored settlement (R7.8).
//!
//! Owns: the flat rows of a settlement, [`RecordedDebit`], and their comparison with the law.
//! Always holds: a stored record becomes a [`Plan`] again only if the law, applied to the same due,
//! lots and instant, gives exactly the recorded debits.
//! Refuses to know: where the record is kept, and how to repair it. A difference is reported.

use std::collections::BTreeMap;

use crate::{Due, Instant, LineKey, Lot, LotId, Money, MoneyError, Plan, PlanError, plan};

/// One row of a stored settlement: what one lot paid of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedDebit {
    /// The lot.
    pub lot: LotId,
    /// The line.
    pub line: LineKey,
    /// The amount.
    pub amount: Money,
}

/// Where a record and the law disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The lot.
    pub lot: LotId,
    /// The line.
    pub line: LineKey,
    /// What the record says the lot paid of the line; zero if it says nothing.
    pub recorded: Money,
    /// What the law says.
    pub recomputed: Money,
}

/// Why a record did not become a plan again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecomputeError {
    /// The recorded lots make no plan.
    #[error("the recorded lots make no plan")]
    Plan(#[from] PlanError),
    /// The recorded amounts cannot be summed.
    #[error("the recorded amounts cannot be summed")]
    Money(#[from] MoneyError),
    /// The record differs from the law, here.
    #[error("the record differs from the law in {} places", .0.len())]
    Differs(Vec<Difference>),
}

impl Plan {
    /// The rows to store: every line debit, in debit order and then invoice order (R7.5).
    #[must_use]
    pub fn recorded(&self) -> Vec<RecordedDebit> {
        let rows = |debit: &crate::LotDebit| {
            let lot = debit.id();
            let row =
                |line: &crate::LineDebit| RecordedDebit { lot, line: line.line(), amount: line.amount() };
            debit.lines().iter().map(row).collect::<Vec<_>>()
        };
        self.debits().flat_map(rows).collect()
    }
}

/// Applies the law to what a settlement saw (the lots with their balances before it) and proves that
/// the record is what it gives (R7.8).
///
/// # Errors
/// [`RecomputeError::Differs`] with every difference, by lot and line.
pub fn recompute(
    due: &Due,
    lots: &[Lot],
    at: Instant,
    recorded: &[RecordedDebit],
) -> Result<Plan, RecomputeError> {
    let plan = plan(due, lots, at)?;
    let zero = Money::zero(due.currency());
    let mut pairs: BTreeMap<(LotId, LineKey), (Money, Money)> = BTreeMap::new();
    for row in recorded {
        let pair = pairs.entry((row.lot, row.line)).or_insert((zero, zero));
        pair.0 = pair.0.checked_add(row.amount)?;
    }
    for row in plan.recorded() {
        pairs.entry((row.lot, row.line)).or_insert((zero, zero)).1 = row.amount;
    }
    let difference = |((lot, line), (recorded, recomputed))| Difference { lot, line, recorded, recomputed };
    let differences = pairs.into_iter().map(difference).filter(|found| found.recorded != found.recomputed);
    let differences = differences.collect::<Vec<_>>();
    if differences.is_empty() { Ok(plan) } else { Err(RecomputeError::Differs(differences)) }
}
