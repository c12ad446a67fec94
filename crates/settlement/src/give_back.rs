//! What a correction gives back (R7.9).
//!
//! Owns: [`give_back`], the only source of a [`ReturnedCredit`].
//! Always holds: value returns to the kind it came from, and per source never more than was taken;
//! money never becomes credit, and credit never becomes money (R6.2). What may be given back is a
//! type: nothing else can be turned into a lot.
//! Refuses to know: whether the invoice was paid. Money given back first lowers what is unpaid; that
//! is the caller's to decide.
//!
//! Lowering lines never makes any lot, nor the payment method, pay more: taking one unit out of the
//! lines shifts an alternating path in the flow of R7.5 that ends by freeing exactly one unit, of one
//! lot or of the remainder. So both subtractions below are never negative for honest input.

use std::collections::BTreeMap;

use crate::{
    Instant, LineKey, Lot, LotError, LotId, LotKind, LotOwner, LotParts, Money, MoneyError, Plan,
    PlannedLine, Restriction, TaxBase,
};

/// What earlier credit notes of the same invoice have given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierReturns {
    /// Credit, by source lot; a lot may occur several times.
    pub credit: Vec<(LotId, Money)>,
    /// Money, net of tax.
    pub money: Money,
}

/// What one correction gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveBack {
    credit: Vec<ReturnedCredit>,
    money: Money,
    credited_bases: Vec<TaxBase>,
}

/// Value that was credit and returns as a new lot naming its source (R7.9). Above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnedCredit {
    source: Lot,
    amount: Money,
}

/// Why nothing can be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GiveBackError {
    /// The plans are not of the same project, lots and instant.
    #[error("the reduced plan is not over the same lots at the same instant")]
    OtherSettlement,
    /// A line of the reduced plan is unknown, has another tax or family, or is above its original.
    #[error("line {0} is not a reduction of the invoiced line")]
    NotReduced(LineKey),
    /// More was given back to a lot than this and all earlier corrections may give.
    #[error("more was returned to {0:?} than was taken")]
    CreditExceeded(LotId),
    /// More money was given back than this and all earlier corrections may give.
    #[error("more money was returned than was due")]
    MoneyExceeded,
    /// Amounts that cannot be summed.
    #[error("amounts that cannot be summed")]
    Money(#[from] MoneyError),
}

/// What the reduction of an invoice's lines gives back: the `issued` plan minus the plan of the
/// `reduced` lines over the same lots at the same instant, less what `earlier` credit notes gave (R7.9).
/// Lines missing from `reduced` are credited in full. The reduction is cumulative: it contains that of
/// all earlier credit notes.
///
/// # Errors
/// [`GiveBackError`].
pub fn give_back(issued: &Plan, reduced: &Plan, earlier: &EarlierReturns) -> Result<GiveBack, GiveBackError> {
    same_settlement(issued, reduced)?;
    let reduced_lines = reductions(issued, reduced)?;

    let mut returned: BTreeMap<LotId, Money> = BTreeMap::new();
    for (lot, amount) in &earlier.credit {
        let sum = returned.entry(*lot).or_insert(Money::zero(issued.currency()));
        *sum = sum.checked_add(*amount)?;
    }
    let mut credit = Vec::new();
    for (before, now) in issued.considered().iter().zip(reduced.considered()) {
        let already = returned.remove(&before.id()).unwrap_or(Money::zero(before.taken().currency()));
        let amount = before.taken().checked_sub(now.taken())?.checked_sub(already)?;
        if amount.is_negative() {
            return Err(GiveBackError::CreditExceeded(before.id()));
        }
        if amount.is_positive() {
            credit.push(ReturnedCredit { source: *before.lot(), amount });
        }
    }
    if let Some((unknown, _)) = returned.into_iter().find(|(_, amount)| !amount.is_zero()) {
        return Err(GiveBackError::CreditExceeded(unknown));
    }

    let money = issued.remainder().checked_sub(reduced.remainder())?.checked_sub(earlier.money)?;
    if money.is_negative() {
        return Err(GiveBackError::MoneyExceeded);
    }
    Ok(GiveBack { credit, money, credited_bases: credited_bases(issued, &reduced_lines)? })
}

impl GiveBack {
    /// What returns as credit, in debit order.
    #[must_use]
    pub fn credit(&self) -> &[ReturnedCredit] {
        &self.credit
    }

    /// What returns as money, net of tax: it first lowers what is unpaid.
    #[must_use]
    pub const fn money(&self) -> Money {
        self.money
    }

    /// The base credited so far per category and rate, earlier credit notes included. The tax of this
    /// correction is the tax of these less the tax already credited (R7.9). A base can be below zero
    /// where lots moved to lines of another rate.
    #[must_use]
    pub fn credited_bases(&self) -> &[TaxBase] {
        &self.credited_bases
    }
}

impl ReturnedCredit {
    /// The lot it was taken from.
    #[must_use]
    pub const fn source(&self) -> LotId {
        self.source.id()
    }

    /// The kind it returns as: that of its source.
    #[must_use]
    pub const fn kind(&self) -> LotKind {
        self.source.kind()
    }

    /// Who gets it: the owner of its source.
    #[must_use]
    pub const fn owner(&self) -> LotOwner {
        self.source.owner()
    }

    /// What it may pay for: what its source might.
    #[must_use]
    pub const fn restriction(&self) -> Restriction {
        self.source.restriction()
    }

    /// When it expires: when its source does.
    #[must_use]
    pub const fn expires(&self) -> Option<Instant> {
        self.source.expires()
    }

    /// How much returns, above zero.
    #[must_use]
    pub const fn amount(&self) -> Money {
        self.amount
    }

    /// Whether the new lot is born expired and lapses in the transaction that issues it (R7.9).
    #[must_use]
    pub fn is_expired_at(&self, at: Instant) -> bool {
        self.source.is_expired_at(at)
    }

    /// The new lot, issued at `issued`.
    ///
    /// # Errors
    /// [`LotError`], if the source was no lot.
    pub fn lot(&self, id: LotId, issued: Instant) -> Result<Lot, LotError> {
        Lot::try_new(LotParts {
            id,
            kind: self.kind(),
            owner: self.owner(),
            initial: self.amount,
            remaining: self.amount,
            issued,
            expires: self.expires(),
            restriction: self.restriction(),
        })
    }
}

fn same_settlement(issued: &Plan, reduced: &Plan) -> Result<(), GiveBackError> {
    let lots = |plan: &Plan| plan.considered().iter().map(|lot| *lot.lot()).collect::<Vec<_>>();
    let parties = |plan: &Plan| (plan.at(), plan.account(), plan.project(), plan.currency());
    if parties(issued) == parties(reduced) && lots(issued) == lots(reduced) {
        Ok(())
    } else {
        Err(GiveBackError::OtherSettlement)
    }
}

type Lines<'plan> = BTreeMap<LineKey, &'plan PlannedLine>;

fn reductions<'plan>(issued: &Plan, reduced: &'plan Plan) -> Result<Lines<'plan>, GiveBackError> {
    let originals = by_key(issued);
    for line in reduced.lines() {
        let original = originals.get(&line.key()).ok_or(GiveBackError::NotReduced(line.key()))?;
        let nature = |line: &PlannedLine| (line.family(), line.tax_category(), line.tax_rate());
        if nature(line) != nature(original) || line.net().compare(original.net())?.is_gt() {
            return Err(GiveBackError::NotReduced(line.key()));
        }
    }
    Ok(by_key(reduced))
}

fn by_key(plan: &Plan) -> Lines<'_> {
    plan.lines().iter().map(|line| (line.key(), line)).collect()
}

fn credited_bases(issued: &Plan, reduced: &Lines<'_>) -> Result<Vec<TaxBase>, MoneyError> {
    let mut bases = issued.tax_bases();
    for line in reduced.values() {
        let same = |base: &&mut TaxBase| {
            base.tax_category == line.tax_category() && base.tax_rate == line.tax_rate()
        };
        if let Some(base) = bases.iter_mut().find(same) {
            base.base = base.base.checked_sub(line.remainder())?;
        }
    }
    Ok(bases)
}
