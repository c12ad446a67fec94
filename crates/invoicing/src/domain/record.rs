//! The stored record of a settlement, and its proof (R7.8).
//!
//! Always holds: the record alone is enough. What it kept (lines, every lot considered with what it held
//! before, the allocation over lines) gives, through the law, exactly what it says was taken.

use florin_settlement::{
    AccountRef, Due, DueError, Lot, Money, MoneyError, Plan, ProjectRef, RecomputeError, RecordedDebit,
    RoundingError, SkipReason, recompute,
};

use super::{
    draft::{debits, due_line, tax_lines},
    invoice::Content,
};

/// What a settlement saw and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettlementRecord {
    /// Every lot considered, in debit order (R7.2).
    pub lots: Vec<RecordedLot>,
    /// What each lot paid of each line.
    pub debits: Vec<RecordedDebit>,
}

/// One lot a settlement looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedLot {
    /// The lot as it was before.
    pub lot: Lot,
    /// What was taken, in the lot's currency.
    pub taken: Money,
    /// What it held afterwards.
    pub after: Money,
    /// Why nothing was taken, if nothing was.
    pub skipped: Option<SkipReason>,
}

/// Why a record is not what the law gives.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The recorded lines cannot be due.
    #[error("the recorded lines cannot be due")]
    Due(#[from] DueError),
    /// The law gives other debits.
    #[error("the law gives other debits")]
    Differs(#[from] RecomputeError),
    /// The lots considered differ in order, amounts or reasons.
    #[error("the lots considered differ in order, amounts or reasons")]
    Considered,
    /// The document's VAT, or what each kind covered, is not that of the plan.
    #[error("the document's VAT or funding is not that of its plan")]
    Document,
    /// The tax does not fit.
    #[error("the tax is out of range")]
    Rounding(#[from] RoundingError),
    /// The sums do not fit.
    #[error("the sums are out of range")]
    Money(#[from] MoneyError),
    /// The document's sums are not those of the plan.
    #[error("the document's sums are not those of its plan")]
    Totals,
}

impl SettlementRecord {
    /// What is kept of `plan`.
    #[must_use]
    pub(crate) fn of(plan: &Plan) -> Self {
        let lots = plan.considered().iter().map(|considered| RecordedLot {
            lot: *considered.lot(),
            taken: considered.taken(),
            after: considered.after(),
            skipped: considered.skipped(),
        });
        Self { lots: lots.collect(), debits: plan.recorded() }
    }
}

/// Applies the law to what was recorded and proves that it gives the same: lots, funding, VAT, sums (R7.8).
pub(crate) fn prove(content: &Content, record: &SettlementRecord) -> Result<Plan, ProofError> {
    let lines = (1_u32..).zip(&content.lines).map(|(number, line)| due_line(number, line)).collect();
    let due = Due::try_new(
        AccountRef::from_u128(content.account.as_u128()),
        ProjectRef::from_u128(content.project.as_u128()),
        content.currency,
        lines,
    )?;
    let lots = record.lots.iter().map(|recorded| recorded.lot).collect::<Vec<_>>();
    let plan = recompute(&due, &lots, content.settlement, &record.debits)?;
    if SettlementRecord::of(&plan).lots != record.lots {
        return Err(ProofError::Considered);
    }
    let totals = content.totals;
    let tax_lines = tax_lines(&plan, &content.lines)?;
    if tax_lines != content.tax_lines || debits(&plan) != content.debits {
        return Err(ProofError::Document);
    }
    let same = Money::sum(tax_lines.iter().map(|line| line.tax), content.currency)? == totals.tax_total
        && plan.remainder().checked_add(totals.tax_total)? == totals.amount_incl_tax
        && plan.due_total() == totals.net_total
        && plan.covered() == totals.credit_applied
        && plan.remainder() == totals.net_after_credit;
    if same { Ok(plan) } else { Err(ProofError::Totals) }
}
