//! The credit note: the only way to correct an invoice, which itself never changes (R8.2, R7.9).
//!
//! [`correct`] is pure: the stored settlement and what was credited before, in; what this note credits, out.
//! Always holds: net total = credit returned + net in money; amount incl. tax = net in money + tax; the notes
//! of an invoice together never credit more of a line than was invoiced, and one that credits everything
//! leaves exactly nothing, tax included: the tax of a note is the tax on everything credited so far less the
//! tax credited before.

use std::collections::BTreeMap;

use florin_payment::PaymentId;
use florin_platform::id::{AccountId, Id, Kind};
use florin_project::ProjectId;
use florin_settlement::{
    AccountRef, Currency, Due, DueError, EarlierReturns, GiveBackError, Instant, LotId, Money, MoneyError,
    PlanError, ProjectRef, Quantity, RateError, ReturnedCredit, RoundingError, give_back, plan, rounding,
};

use super::{
    charge::Charge,
    draft::due_line,
    invoice::{Content, InvoiceId, TaxLine},
    record::{ProofError, SettlementRecord, prove},
};

/// Marks ids of credit notes.
#[derive(Debug)]
pub enum CreditNoteMark {}
impl Kind for CreditNoteMark {
    const PREFIX: &'static str = "cn";
}
/// The id of a credit note.
pub type CreditNoteId = Id<CreditNoteMark>;

/// The collection of credit notes in resource names.
pub(crate) const CREDIT_NOTES: &str = "creditNotes";

/// Why something was credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditNoteReason {
    /// Something was invoiced that should not have been.
    Correction,
    /// The payment of bought credit was disputed or bounced (R6.11).
    Dispute,
    /// The customer withdrew from a purchase in time (R6.4).
    Withdrawal,
}

impl CreditNoteReason {
    const ALL: [Self; 3] = [Self::Correction, Self::Dispute, Self::Withdrawal];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Correction => "CORRECTION",
            Self::Dispute => "DISPUTE",
            Self::Withdrawal => "WITHDRAWAL",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// By how much a line is reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// The line's number in the invoice, from 1.
    pub line: u32,
    /// How much of its net; above zero.
    pub net: Money,
    /// How many of its units that is, if it was told in units.
    pub quantity: Option<Quantity>,
}

/// What of a note's money went back of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// The payment.
    pub payment: PaymentId,
    /// How much, with VAT.
    pub amount: Money,
}

/// Credit that was given back to a new lot, in place of the one it was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The lot it was taken from.
    pub source: LotId,
    /// The lot it came back as.
    pub lot: LotId,
    /// How much.
    pub amount: Money,
}

/// The sums of a credit note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditTotals {
    /// Σ lines.
    pub net_total: Money,
    /// What of it came back as credit.
    pub credit_returned: Money,
    /// What of it was money.
    pub net_money: Money,
    /// Σ tax lines.
    pub tax_total: Money,
    /// What was money, with its VAT.
    pub amount_incl_tax: Money,
}

/// An issued credit note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditNote {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: CreditNoteId,
    /// Its number within its series (R8.3).
    pub number: String,
    /// The invoice it corrects.
    pub invoice: InvoiceId,
    /// The project of that invoice.
    pub project: ProjectId,
    /// Who issued both.
    pub issuer: String,
    /// The currency of every amount.
    pub currency: Currency,
    /// Why.
    pub reason: CreditNoteReason,
    /// Why, in words.
    pub explanation: String,
    /// What is credited of each line, by line.
    pub lines: Vec<Reduction>,
    /// The VAT per category and rate.
    pub tax_lines: Vec<TaxLine>,
    /// What came back as credit.
    pub returned: Vec<Returned>,
    /// Its sums.
    pub totals: CreditTotals,
    /// What of the amount lowered what was still unpaid of the invoice.
    pub lowered_debt: Money,
    /// What of the amount goes back through the provider, by payment. What neither lowered a debt nor goes back was
    /// never paid, or the bank had taken it back.
    pub refunds: Vec<Refunded>,
    /// When it was issued.
    pub issued: Instant,
}

impl CreditNote {
    /// The resource name.
    #[must_use]
    pub fn name(&self) -> String {
        credit_note_name(self.account, self.id)
    }

    /// What goes back through the provider, with VAT.
    ///
    /// # Errors
    /// [`MoneyError`], if the rows are corrupt.
    pub fn refunded(&self) -> Result<Money, MoneyError> {
        Money::sum(self.refunds.iter().map(|refund| refund.amount), self.currency)
    }

    /// What it gives: credit and money together.
    ///
    /// # Errors
    /// [`MoneyError`], if they do not fit.
    pub fn value(&self) -> Result<Money, MoneyError> {
        self.totals.credit_returned.checked_add(self.totals.amount_incl_tax)
    }
}

/// `accounts/{account}/creditNotes/{credit_note}`.
#[must_use]
pub fn credit_note_name(account: AccountId, note: CreditNoteId) -> String {
    florin_platform::wire::child_name(account, CREDIT_NOTES, note)
}

/// What the notes before gave, all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Earlier {
    /// By line.
    pub(crate) lines: BTreeMap<u32, Money>,
    /// In units, by line, where it was told in units.
    pub(crate) quantities: BTreeMap<u32, Quantity>,
    /// By category and rate.
    pub(crate) tax_lines: Vec<TaxLine>,
    /// By lot.
    pub(crate) returned: Vec<(LotId, Money)>,
    /// In money, net.
    pub(crate) net_money: Money,
}

impl Earlier {
    /// Nothing.
    pub(crate) fn none(currency: Currency) -> Self {
        Self {
            lines: BTreeMap::new(),
            quantities: BTreeMap::new(),
            tax_lines: Vec::new(),
            returned: Vec::new(),
            net_money: Money::zero(currency),
        }
    }

    /// With what a note credited of a line.
    pub(crate) fn add(&mut self, reduction: &Reduction) -> Result<(), CorrectionError> {
        let zero = Money::zero(reduction.net.currency());
        let net = self.lines.entry(reduction.line).or_insert(zero);
        *net = net.checked_add(reduction.net)?;
        if let Some(quantity) = reduction.quantity {
            let sum = self.quantities.entry(reduction.line).or_insert(Quantity::ZERO);
            *sum = sum.checked_add(quantity)?;
        }
        Ok(())
    }

    /// What is left to credit of the net of `charge`, which is line `line`.
    pub(crate) fn left_of(&self, line: u32, charge: &Charge) -> Result<Money, MoneyError> {
        self.lines.get(&line).map_or(Ok(charge.net), |credited| charge.net.checked_sub(*credited))
    }

    /// How many units of a line were credited.
    pub(crate) fn quantity_of(&self, line: u32) -> Quantity {
        self.quantities.get(&line).copied().unwrap_or(Quantity::ZERO)
    }
}

/// What a credit note would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Correction {
    pub(crate) lines: Vec<Reduction>,
    pub(crate) tax_lines: Vec<TaxLine>,
    /// What comes back as credit, in debit order.
    pub(crate) credit: Vec<ReturnedCredit>,
    pub(crate) totals: CreditTotals,
}

/// Why something cannot be credited.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    /// Nothing is credited.
    #[error("nothing is credited")]
    Nothing,
    /// Notes before have credited everything.
    #[error("everything is credited already")]
    NothingLeft,
    /// Bought credit is not given back as money (R6.2): an order's payment is disputed or withdrawn from.
    #[error("bought credit is not refundable")]
    BoughtCredit,
    /// With the VAT of what moved to another rate it would come to less than nothing, by rounding.
    #[error("with its VAT it comes to less than nothing; credit more at once")]
    BelowZero,
    /// The invoice has no such line, or it is named twice.
    #[error("the invoice has no line {0}, or it is named twice")]
    UnknownLine(u32),
    /// A line is reduced by nothing, or in another currency.
    #[error("line {0} must be reduced by an amount above zero in the invoice's currency")]
    NotAnAmount(u32),
    /// More is credited of a line than was invoiced and not credited before.
    #[error("of line {line} at most {left} is left to credit")]
    MoreThanInvoiced {
        /// The line.
        line: u32,
        /// What can still be credited.
        left: Money,
    },
    /// The stored settlement is not what the law gives.
    #[error("the stored settlement is not what the law gives")]
    Proof(#[from] ProofError),
    /// What is left of the lines cannot be due.
    #[error("what is left of the lines cannot be due")]
    Due(#[from] DueError),
    /// What is left of the lines cannot be planned.
    #[error("what is left of the lines cannot be planned")]
    Plan(#[from] PlanError),
    /// It cannot be given back.
    #[error("it cannot be given back")]
    GiveBack(#[from] GiveBackError),
    /// The tax, or what so many units come to, does not fit.
    #[error("the tax or the net is out of range")]
    Rounding(#[from] RoundingError),
    /// The units do not fit.
    #[error("the units are out of range")]
    Quantity(#[from] RateError),
    /// The sums do not fit.
    #[error("the sums are out of range")]
    Money(#[from] MoneyError),
}

/// What reducing the lines of `content` by `reductions` credits, after what `earlier` notes gave: the stored
/// plan minus the plan of the reduced lines over the same lots at the same instant (R7.9).
pub(crate) fn correct(
    content: &Content,
    record: &SettlementRecord,
    earlier: &Earlier,
    reductions: &[Reduction],
) -> Result<Correction, CorrectionError> {
    let lines = checked(content, earlier, reductions)?;
    let issued = prove(content, record)?;
    let due = Due::try_new(
        AccountRef::from_u128(content.account.as_u128()),
        ProjectRef::from_u128(content.project.as_u128()),
        content.currency,
        left(content, earlier, &lines)?,
    )?;
    let lots = record.lots.iter().map(|recorded| recorded.lot).collect::<Vec<_>>();
    let reduced = plan(&due, &lots, content.settlement)?;
    let before = EarlierReturns { credit: earlier.returned.clone(), money: earlier.net_money };
    let given = give_back(&issued, &reduced, &before)?;

    let mut tax_lines = Vec::new();
    for cumulative in given.credited_bases() {
        let same =
            |line: &&TaxLine| line.category == cumulative.tax_category && line.rate == cumulative.tax_rate;
        let zero = Money::zero(content.currency);
        let of_earlier = earlier.tax_lines.iter().filter(same).collect::<Vec<_>>();
        let base = Money::sum(of_earlier.iter().map(|line| line.base), content.currency)?;
        let tax = Money::sum(of_earlier.iter().map(|line| line.tax), content.currency)?;
        let line = TaxLine {
            category: cumulative.tax_category,
            rate: cumulative.tax_rate,
            base: cumulative.base.checked_sub(base)?,
            tax: rounding::tax(cumulative.base, cumulative.tax_rate)?.checked_sub(tax)?,
            mention: content.tax_lines.iter().find(same).map(|line| line.mention.clone()).unwrap_or_default(),
        };
        if line.base != zero || line.tax != zero {
            tax_lines.push(line);
        }
    }
    let net_money = given.money();
    let tax_total = Money::sum(tax_lines.iter().map(|line| line.tax), content.currency)?;
    let totals = CreditTotals {
        net_total: Money::sum(lines.iter().map(|line| line.net), content.currency)?,
        credit_returned: Money::sum(given.credit().iter().map(ReturnedCredit::amount), content.currency)?,
        net_money,
        tax_total,
        amount_incl_tax: net_money.checked_add(tax_total)?,
    };
    if totals.amount_incl_tax.is_negative() {
        return Err(CorrectionError::BelowZero);
    }
    Ok(Correction { lines, tax_lines, credit: given.credit().to_vec(), totals })
}

/// `reductions` by line, each of a line there is, and of no more than is left of it.
fn checked(
    content: &Content,
    earlier: &Earlier,
    reductions: &[Reduction],
) -> Result<Vec<Reduction>, CorrectionError> {
    let mut lines: Vec<Reduction> = Vec::with_capacity(reductions.len());
    for reduction in reductions {
        let line = reduction.line;
        let charge = content.line(line).ok_or(CorrectionError::UnknownLine(line))?;
        if lines.iter().any(|other| other.line == line) {
            return Err(CorrectionError::UnknownLine(line));
        }
        if !reduction.net.is_positive() || reduction.net.currency() != content.currency {
            return Err(CorrectionError::NotAnAmount(line));
        }
        let left = earlier.left_of(line, charge)?;
        if reduction.net.compare(left)?.is_gt() {
            return Err(CorrectionError::MoreThanInvoiced { line, left });
        }
        lines.push(*reduction);
    }
    if lines.is_empty() {
        return Err(CorrectionError::Nothing);
    }
    lines.sort_by_key(|reduction| reduction.line);
    Ok(lines)
}

/// What is left of the lines once they are reduced; those of which nothing is left are left out.
fn left(
    content: &Content,
    earlier: &Earlier,
    reductions: &[Reduction],
) -> Result<Vec<florin_settlement::DueLine>, CorrectionError> {
    let mut lines = Vec::with_capacity(content.lines.len());
    for (number, charge) in (1_u32..).zip(&content.lines) {
        let mut line = due_line(number, charge);
        line.net = earlier.left_of(number, charge)?;
        if let Some(reduction) = reductions.iter().find(|reduction| reduction.line == number) {
            line.net = line.net.checked_sub(reduction.net)?;
        }
        // A line that was nothing from the start stays: it is not reduced.
        if !line.net.is_zero() || charge.net.is_zero() {
            lines.push(line);
        }
    }
    Ok(lines)
}
