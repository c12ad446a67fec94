//! What is due, line by line.
//!
//! Owns: [`Due`] and the order of lines on an invoice (R7.5).
//! Always holds: one currency, no negative line, no line named twice, tax only where the category has
//! tax, and a total that fits; the lines are in invoice order whatever order they came in.
//! Refuses to know: how a line's net came about ([`crate::rounding`]) and what pays it.

use std::cmp::{Ordering, Reverse};

use crate::{
    AccountRef, Currency, LineKey, Money, MoneyError, Period, PlanFamily, ProjectRef, TaxCategory, TaxRate,
};

/// What one project of one account owes before anything is taken (R7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    account: AccountRef,
    project: ProjectRef,
    lines: Vec<DueLine>,
    total: Money,
}

/// One line of what is due. Only within a [`Due`] is it known to be sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueLine {
    /// Names the line within the due, and breaks the last tie of the invoice order.
    pub key: LineKey,
    /// The family of the plan: restricted lots look at nothing else (R7.5).
    pub family: PlanFamily,
    /// The VAT category.
    pub tax_category: TaxCategory,
    /// The VAT rate; zero in every category but [`TaxCategory::Standard`].
    pub tax_rate: TaxRate,
    /// The plan's code.
    pub plan: String,
    /// The resource's id.
    pub resource: String,
    /// When it was used.
    pub period: Period,
    /// The net amount, rounded once (R1.4), zero or more.
    pub net: Money,
}

/// Why lines do not make a due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DueError {
    /// A line is in another currency, or the sum does not fit.
    #[error("lines that cannot be summed")]
    Money(#[from] MoneyError),
    /// A line is below zero; corrections are credit notes (R7.9), never negative lines.
    #[error("line {0} is below zero")]
    NegativeLine(LineKey),
    /// Two lines have one key.
    #[error("two lines have the key {0}")]
    DuplicateLine(LineKey),
    /// A line has a tax rate in a category without tax.
    #[error("line {0} has a tax rate in a category without tax")]
    RateWithoutTax(LineKey),
}

impl Due {
    /// What `project` of `account` owes in `currency`. No lines are nothing due.
    ///
    /// # Errors
    /// [`DueError`].
    pub fn try_new(
        account: AccountRef,
        project: ProjectRef,
        currency: Currency,
        mut lines: Vec<DueLine>,
    ) -> Result<Self, DueError> {
        for line in &lines {
            if line.net.is_negative() {
                return Err(DueError::NegativeLine(line.key));
            }
            if !line.tax_category.is_taxed() && !line.tax_rate.is_zero() {
                return Err(DueError::RateWithoutTax(line.key));
            }
        }
        let total = Money::sum(lines.iter().map(|line| line.net), currency)?;
        let mut keys = lines.iter().map(|line| line.key).collect::<Vec<_>>();
        keys.sort_unstable();
        if let Some((key, _)) = keys.iter().zip(keys.iter().skip(1)).find(|(one, next)| one == next) {
            return Err(DueError::DuplicateLine(*key));
        }
        lines.sort_by(invoice_order);
        Ok(Self { account, project, lines, total })
    }

    /// Who owes.
    #[must_use]
    pub const fn account(&self) -> AccountRef {
        self.account
    }

    /// The project that used it.
    #[must_use]
    pub const fn project(&self) -> ProjectRef {
        self.project
    }

    /// The currency of every line.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.total.currency()
    }

    /// The lines in invoice order (R7.5).
    #[must_use]
    pub fn lines(&self) -> &[DueLine] {
        &self.lines
    }

    /// The sum of the lines, net.
    #[must_use]
    pub const fn total(&self) -> Money {
        self.total
    }
}

/// By VAT category, rate descending, plan, resource, period (R7.5), and then key.
fn invoice_order(left: &DueLine, right: &DueLine) -> Ordering {
    fn place(line: &DueLine) -> impl Ord + '_ {
        let tax = (line.tax_category.place(), Reverse(line.tax_rate));
        (tax, &line.plan, &line.resource, line.period, line.key)
    }
    place(left).cmp(&place(right))
}
