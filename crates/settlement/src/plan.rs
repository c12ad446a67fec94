//! The plan of a settlement.
//!
//! Owns: [`Plan`]: what the lots that were considered pay of each line, and what remains for the
//! payment method.
//! Always holds: Σ debits + remainder = due, to the cent (R7.6), for the whole and for every line.
//! Checked when a plan is assembled.
//! Refuses to know: how to be made from outside. There is no public constructor: a plan comes from
//! [`crate::plan`], so only the law can debit a lot.

use crate::{
    AccountRef, Considered, Currency, Due, FundingKind, Instant, LineKey, LotDebit, LotId, Money, MoneyError,
    PlanFamily, ProjectRef, TaxCategory, TaxRate,
};

/// What is taken from where for one [`Due`] (R7.6). Equal inputs give equal plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    at: Instant,
    account: AccountRef,
    project: ProjectRef,
    due_total: Money,
    remainder: Money,
    considered: Vec<Considered>,
    lines: Vec<PlannedLine>,
}

/// A line after settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedLine {
    key: LineKey,
    family: PlanFamily,
    tax_category: TaxCategory,
    tax_rate: TaxRate,
    net: Money,
    covered: Money,
    remainder: Money,
}

/// What remains to be taxed under one category and rate (R7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxBase {
    /// The VAT category.
    pub tax_category: TaxCategory,
    /// The VAT rate.
    pub tax_rate: TaxRate,
    /// The net amount to tax, after lots.
    pub base: Money,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// One lot was given twice: it would pay twice.
    #[error("{0:?} was given twice")]
    DuplicateLot(LotId),
    /// Amounts that cannot be summed.
    #[error("amounts that cannot be summed")]
    Money(#[from] MoneyError),
    /// Debits and remainder do not add up to what is due. A bug, never an outcome.
    #[error("debits and remainder do not add up to what is due")]
    Unbalanced,
}

impl Plan {
    /// Puts a plan together and proves that it balances.
    pub(crate) fn assemble(due: &Due, at: Instant, considered: Vec<Considered>) -> Result<Self, PlanError> {
        let currency = due.currency();
        let mut lines = Vec::with_capacity(due.lines().len());
        for line in due.lines() {
            lines.push(PlannedLine {
                key: line.key,
                family: line.family,
                tax_category: line.tax_category,
                tax_rate: line.tax_rate,
                net: line.net,
                covered: Money::zero(currency),
                remainder: line.net,
            });
        }
        for paid in considered.iter().filter_map(Considered::debit).flat_map(LotDebit::lines) {
            let line = lines.iter_mut().find(|line| line.key == paid.line()).ok_or(PlanError::Unbalanced)?;
            line.covered = line.covered.checked_add(paid.amount())?;
            line.remainder = line.remainder.checked_sub(paid.amount())?;
        }
        let debits = considered.iter().filter_map(Considered::debit).map(LotDebit::amount);
        let debited = Money::sum(debits, currency)?;
        let remainder = Money::sum(lines.iter().map(|line| line.remainder), currency)?;
        let is_balanced = debited.checked_add(remainder)? == due.total()
            && lines.iter().all(|line| !line.remainder.is_negative());
        if !is_balanced {
            return Err(PlanError::Unbalanced);
        }
        Ok(Self {
            at,
            account: due.account(),
            project: due.project(),
            due_total: due.total(),
            remainder,
            considered,
            lines,
        })
    }

    /// The settlement instant (R7.3).
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// Whose lots pay.
    #[must_use]
    pub const fn account(&self) -> AccountRef {
        self.account
    }

    /// The project that is settled.
    #[must_use]
    pub const fn project(&self) -> ProjectRef {
        self.project
    }

    /// The currency of every amount.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.due_total.currency()
    }

    /// Every lot given, in debit order (R7.2, R7.8).
    #[must_use]
    pub fn considered(&self) -> &[Considered] {
        &self.considered
    }

    /// What is taken, in debit order; lots that give nothing are not among them.
    pub fn debits(&self) -> impl Iterator<Item = &LotDebit> {
        self.considered.iter().filter_map(Considered::debit)
    }

    /// The lines in invoice order (R7.5).
    #[must_use]
    pub fn lines(&self) -> &[PlannedLine] {
        &self.lines
    }

    /// What was due, net.
    #[must_use]
    pub const fn due_total(&self) -> Money {
        self.due_total
    }

    /// What lots pay.
    #[must_use]
    pub fn covered(&self) -> Money {
        Money::new(self.due_total.minor() - self.remainder.minor(), self.currency())
    }

    /// What the payment method pays, before its tax (R7.4).
    #[must_use]
    pub const fn remainder(&self) -> Money {
        self.remainder
    }

    /// What one funding kind pays; of the payment method it is the remainder (R7.1).
    #[must_use]
    pub fn covered_by(&self, kind: FundingKind) -> Money {
        let of_kind = |debit: &&LotDebit| debit.kind().funding_kind() == kind;
        let minor = match kind {
            FundingKind::PaymentMethod => self.remainder.minor(),
            FundingKind::Voucher
            | FundingKind::CloudCredit
            | FundingKind::LaunchPad
            | FundingKind::Loyalty => self.debits().filter(of_kind).map(|debit| debit.amount().minor()).sum(),
        };
        Money::new(minor, self.currency())
    }

    /// What remains to be taxed, per category and rate in invoice order (R7.4), zero bases included.
    #[must_use]
    pub fn tax_bases(&self) -> Vec<TaxBase> {
        let mut bases: Vec<TaxBase> = Vec::new();
        for line in &self.lines {
            match bases.last_mut() {
                Some(last) if last.tax_category == line.tax_category && last.tax_rate == line.tax_rate => {
                    last.base = Money::new(last.base.minor() + line.remainder.minor(), self.currency());
                }
                Some(_) | None => bases.push(TaxBase {
                    tax_category: line.tax_category,
                    tax_rate: line.tax_rate,
                    base: line.remainder,
                }),
            }
        }
        bases
    }
}

impl PlannedLine {
    /// The line.
    #[must_use]
    pub const fn key(&self) -> LineKey {
        self.key
    }

    /// The family of its plan.
    #[must_use]
    pub const fn family(&self) -> PlanFamily {
        self.family
    }

    /// Its VAT category.
    #[must_use]
    pub const fn tax_category(&self) -> TaxCategory {
        self.tax_category
    }

    /// Its VAT rate.
    #[must_use]
    pub const fn tax_rate(&self) -> TaxRate {
        self.tax_rate
    }

    /// Its net before lots.
    #[must_use]
    pub const fn net(&self) -> Money {
        self.net
    }

    /// What lots pay of it.
    #[must_use]
    pub const fn covered(&self) -> Money {
        self.covered
    }

    /// What the payment method pays of it, before tax.
    #[must_use]
    pub const fn remainder(&self) -> Money {
        self.remainder
    }
}
