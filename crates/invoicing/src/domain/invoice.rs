//! The invoice: content that never changes (R8.2), and the document it is shown as.
//!
//! Always holds: net total = credit applied + net after credit; amount incl. tax = net after credit +
//! tax. State and payments are not here: see [`super::standing`].

use florin_credit::OrderId;
use florin_platform::id::{AccountId, Id, Kind};
use florin_project::ProjectId;
use florin_settlement::{Currency, FundingKind, Instant, Money, Month, TaxCategory, TaxRate};

use super::{charge::Charge, standing::Standing};

/// Marks ids of invoices.
#[derive(Debug)]
pub enum InvoiceMark {}
impl Kind for InvoiceMark {
    const PREFIX: &'static str = "inv";
}
/// The id of an invoice.
pub type InvoiceId = Id<InvoiceMark>;

/// What an invoice is for (R8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A project's usage of a month.
    Monthly(Month),
    /// A credit order that was paid.
    Purchase(OrderId),
    /// What is charged in advance for the rest of a month, when it becomes due (R5.3).
    ProRata {
        /// The month it is for.
        month: Month,
        /// What became due: one invoice for each.
        cause: CauseId,
    },
    /// Everything of a deleted project that was not invoiced before (R4.6).
    Final,
}

/// The kinds of invoice, without their data: to filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceKind {
    /// A project's usage of a month.
    Monthly,
    /// A credit order.
    Purchase,
    /// What is charged in advance for the rest of a month.
    ProRata,
    /// The last one of a deleted project.
    Final,
}

/// Marks ids of what became due in advance.
#[derive(Debug)]
pub enum CauseMark {}
impl Kind for CauseMark {
    const PREFIX: &'static str = "cause";
}
/// The id of what became due in advance; whoever charges it chooses it, and it is charged once.
pub type CauseId = Id<CauseMark>;

impl Occasion {
    /// Which kind of invoice it makes.
    #[must_use]
    pub const fn kind(self) -> InvoiceKind {
        match self {
            Self::Monthly(_) => InvoiceKind::Monthly,
            Self::Purchase(_) => InvoiceKind::Purchase,
            Self::ProRata { .. } => InvoiceKind::ProRata,
            Self::Final => InvoiceKind::Final,
        }
    }
}

impl InvoiceKind {
    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monthly => "MONTHLY",
            Self::Purchase => "PURCHASE",
            Self::ProRata => "PRO_RATA",
            Self::Final => "FINAL",
        }
    }
}

/// What an invoice says, issued or estimated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What it is for.
    pub occasion: Occasion,
    /// Who pays.
    pub account: AccountId,
    /// For which project.
    pub project: ProjectId,
    /// Who sells.
    pub issuer: String,
    /// The currency of every amount.
    pub currency: Currency,
    /// The instant that decided which lots counted (R7.3).
    pub settlement: Instant,
    /// What is charged, in invoice order: the first is line 1 (R7.5).
    pub lines: Vec<Charge>,
    /// What covered it, in debit order; kinds that paid nothing are left out.
    pub debits: Vec<Debit>,
    /// The VAT per category and rate, on what lots left (R7.4).
    pub tax_lines: Vec<TaxLine>,
    /// Its sums.
    pub totals: Totals,
}

impl Content {
    /// Line `number`, from 1.
    #[must_use]
    pub fn line(&self, number: u32) -> Option<&Charge> {
        self.lines.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}

/// What one funding kind covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debit {
    /// The kind.
    pub kind: FundingKind,
    /// How much of the net total; above zero.
    pub amount: Money,
}

/// The VAT of one category and rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxLine {
    /// The category.
    pub category: TaxCategory,
    /// The rate in percent.
    pub rate: TaxRate,
    /// What is taxed.
    pub base: Money,
    /// The tax, rounded once.
    pub tax: Money,
    /// What has to be said about it; empty when nothing has.
    pub mention: String,
}

/// The sums of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Σ lines.
    pub net_total: Money,
    /// What lots covered.
    pub credit_applied: Money,
    /// What is left to pay in money, without VAT.
    pub net_after_credit: Money,
    /// Σ tax lines.
    pub tax_total: Money,
    /// What is left to pay in money, with VAT.
    pub amount_incl_tax: Money,
}

/// An issued invoice and how far its collection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Its number within its series (R8.3).
    pub number: String,
    /// When it was issued.
    pub issued: Instant,
    /// What it says.
    pub content: Content,
    /// How far its collection is.
    pub standing: Standing,
    /// What credit notes have taken of it before it was paid.
    pub lowered: Money,
}

impl Invoice {
    /// The resource name, also the reference its payments and lot debits carry.
    #[must_use]
    pub fn name(&self) -> String {
        invoice_name(self.content.account, self.id)
    }

    /// What has been paid of it in money, whatever went back since.
    #[must_use]
    pub fn amount_paid(&self) -> Money {
        match self.standing {
            Standing::Paid { .. } => {
                let minor = self.content.totals.amount_incl_tax.minor().saturating_sub(self.lowered.minor());
                Money::new(minor, self.content.currency)
            }
            Standing::Issued
            | Standing::Collecting { .. }
            | Standing::Overdue { .. }
            | Standing::WrittenOff => Money::zero(self.content.currency),
        }
    }
}

/// `accounts/{account}/invoices/{invoice}`.
#[must_use]
pub fn invoice_name(account: AccountId, invoice: InvoiceId) -> String {
    florin_platform::wire::child_name(account, INVOICES, invoice)
}

/// The collection of invoices in resource names.
pub(crate) const INVOICES: &str = "invoices";
