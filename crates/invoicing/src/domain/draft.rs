//! From charges and lots to an invoice: ONE pure function, for estimates and for the real thing (R8.5).
//!
//! | step | rule |
//! |---|---|
//! | charges become lines in invoice order, numbered from 1 | R7.5 |
//! | the debit order decides what lots pay: [`florin_settlement::plan`] | R7.1–R7.6 |
//! | VAT per category and rate, on what lots left of each line | R7.4 |
//! | projects of one account one after the other, each seeing what the one before left | R7.7 |

use std::collections::BTreeMap;

use florin_settlement::{
    AccountRef, DEBIT_ORDER, Due, DueError, DueLine, FundingKind, Instant, LineKey, Lot, LotError, LotId,
    LotOwner, LotParts, Money, MoneyError, Plan, PlanError, ProjectRef, RoundingError, plan, rounding,
};

use super::{
    charge::{Bill, Charge},
    invoice::{Content, Debit, TaxLine, Totals},
};

/// An invoice that is not issued: what it says, and the plan that covers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvoiceDraft {
    /// What it says.
    pub content: Content,
    /// What is taken from which lot; the only thing that may debit one (R7.6).
    pub plan: Plan,
    /// Up to when it bills what fell due in advance (R5.3).
    pub advance_until: Option<Instant>,
}

/// Why charges make no invoice. The project is set aside and reported (R8.7).
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The charges cannot be due.
    #[error("the charges cannot be summed up")]
    Due(#[from] DueError),
    /// The lots make no plan.
    #[error("the lots make no plan")]
    Plan(#[from] PlanError),
    /// The tax does not fit.
    #[error("the tax is out of range")]
    Rounding(#[from] RoundingError),
    /// The sums do not fit.
    #[error("the sums are out of range")]
    Money(#[from] MoneyError),
    /// What remains of a lot contradicts the lot.
    #[error("what remains of a lot contradicts it")]
    Lot(#[from] LotError),
    /// More lines than can be numbered.
    #[error("too many lines")]
    TooManyLines,
}

impl InvoiceDraft {
    /// Whether there is nothing to invoice: then no invoice is issued (R8.1).
    #[must_use]
    pub(crate) fn is_nothing_due(&self) -> bool {
        self.content.totals.net_total.is_zero()
    }
}

/// The invoice of `bill`, settled at `at` from those of `lots` that are the project's or its account's.
pub(crate) fn draft(bill: Bill, lots: &[Lot], at: Instant) -> Result<InvoiceDraft, DraftError> {
    let own = lots.iter().filter(|lot| is_own(lot, &bill)).copied().collect::<Vec<_>>();
    let lines = in_invoice_order(&bill)?;
    let due = due(&bill, &lines)?;
    let plan = plan(&due, &own, at)?;
    let tax_lines = tax_lines(&plan, &lines)?;
    let tax_total = Money::sum(tax_lines.iter().map(|line| line.tax), bill.currency)?;
    let totals = Totals {
        net_total: plan.due_total(),
        credit_applied: plan.covered(),
        net_after_credit: plan.remainder(),
        tax_total,
        amount_incl_tax: plan.remainder().checked_add(tax_total)?,
    };
    let content = Content {
        occasion: bill.occasion,
        account: bill.account,
        project: bill.project,
        issuer: bill.issuer,
        currency: bill.currency,
        settlement: at,
        lines,
        debits: debits(&plan),
        tax_lines,
        totals,
    };
    Ok(InvoiceDraft { content, plan, advance_until: bill.advance_until })
}

/// The invoices of one account's projects, in settlement order: what a project takes from a shared lot,
/// the next one no longer finds (R7.7, R8.5). A bill that makes no invoice takes nothing.
pub(crate) fn settle_in_order(
    bills: Vec<Bill>,
    lots: Vec<Lot>,
    at: Instant,
) -> Vec<Result<InvoiceDraft, DraftError>> {
    let mut lots = lots;
    let mut drafts = Vec::with_capacity(bills.len());
    for bill in bills {
        let settled = draft(bill, &lots, at).and_then(|draft| {
            lots = after(&lots, &draft.plan)?;
            Ok(draft)
        });
        drafts.push(settled);
    }
    drafts
}

/// `lots` as the plan leaves them.
fn after(lots: &[Lot], plan: &Plan) -> Result<Vec<Lot>, LotError> {
    let left: BTreeMap<LotId, Money> = plan.debits().map(|debit| (debit.id(), debit.after())).collect();
    let remaining = |lot: &Lot| left.get(&lot.id()).copied().unwrap_or(lot.remaining());
    lots.iter().map(|lot| Lot::try_new(LotParts { remaining: remaining(lot), ..parts(lot) })).collect()
}

fn parts(lot: &Lot) -> LotParts {
    LotParts {
        id: lot.id(),
        kind: lot.kind(),
        owner: lot.owner(),
        initial: lot.initial(),
        remaining: lot.remaining(),
        issued: lot.issued(),
        expires: lot.expires(),
        restriction: lot.restriction(),
    }
}

fn is_own(lot: &Lot, bill: &Bill) -> bool {
    match lot.owner() {
        LotOwner::Project(project) => project == ProjectRef::from_u128(bill.project.as_u128()),
        LotOwner::Account(account) => account == AccountRef::from_u128(bill.account.as_u128()),
    }
}

/// The charges sorted into invoice order, by the one who knows it: [`Due`].
fn in_invoice_order(bill: &Bill) -> Result<Vec<Charge>, DraftError> {
    let due = due(bill, &bill.charges)?;
    let mut charges = bill.charges.iter().cloned().map(Some).collect::<Vec<_>>();
    let mut lines = Vec::with_capacity(charges.len());
    for line in due.lines() {
        let place = usize::try_from(line.key.as_u32()).ok().and_then(|number| number.checked_sub(1));
        let charge = place.and_then(|place| charges.get_mut(place)).and_then(Option::take);
        lines.push(charge.ok_or(DraftError::TooManyLines)?);
    }
    Ok(lines)
}

/// What `charges`, numbered from 1, are to the debit order.
pub(crate) fn due(bill: &Bill, charges: &[Charge]) -> Result<Due, DraftError> {
    let mut lines = Vec::with_capacity(charges.len());
    for (number, charge) in (1_u32..).zip(charges) {
        lines.push(due_line(number, charge));
    }
    if lines.len() < charges.len() {
        return Err(DraftError::TooManyLines);
    }
    let account = AccountRef::from_u128(bill.account.as_u128());
    let project = ProjectRef::from_u128(bill.project.as_u128());
    Ok(Due::try_new(account, project, bill.currency, lines)?)
}

/// The line `number` as the debit order sees it.
pub(crate) fn due_line(number: u32, charge: &Charge) -> DueLine {
    DueLine {
        key: LineKey::from_u32(number),
        family: charge.subject.family(),
        tax_category: charge.tax.category,
        tax_rate: charge.tax.rate,
        plan: charge.subject.plan().to_owned(),
        resource: charge.subject.resource(),
        period: charge.period,
        net: charge.net,
    }
}

/// What each kind covers of `plan`, in debit order.
pub(crate) fn debits(plan: &Plan) -> Vec<Debit> {
    let debit = |kind: FundingKind| Debit { kind, amount: plan.covered_by(kind) };
    DEBIT_ORDER.into_iter().map(debit).filter(|debit| debit.amount.is_positive()).collect()
}

/// The VAT per category and rate on what `plan` leaves of `lines`, in invoice order.
pub(crate) fn tax_lines(plan: &Plan, lines: &[Charge]) -> Result<Vec<TaxLine>, RoundingError> {
    let mut taxed = Vec::new();
    for base in plan.tax_bases() {
        let same = |line: &&Charge| line.tax.category == base.tax_category && line.tax.rate == base.tax_rate;
        let mention = lines.iter().find(same).map(|line| line.tax.mention.clone()).unwrap_or_default();
        taxed.push(TaxLine {
            category: base.tax_category,
            rate: base.tax_rate,
            base: base.base,
            tax: rounding::tax(base.base, base.tax_rate)?,
            mention,
        });
    }
    Ok(taxed)
}
