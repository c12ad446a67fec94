//! Movements of money: what the ledger records that is not value of a lot (R14.3).
//!
//! | kind | debit | credit | when |
//! |---|---|---|---|
//! | INVOICED | RECEIVABLES | INCOME | net after credit of usage |
//! | CREDIT_INVOICED | RECEIVABLES | CREDIT_SALES | net of bought credit; its lot goes on to DEFERRED_INCOME |
//! | VAT_INVOICED | RECEIVABLES | VAT_PAYABLE | VAT, per category and rate |
//! | CAPTURED | CASH | CUSTOMER_BALANCE | money came |
//! | APPLIED | CUSTOMER_BALANCE | RECEIVABLES | what is held for the customer pays what is owed |
//! | REFUNDED, TAKEN_BACK | CUSTOMER_BALANCE | CASH | money went back; the bank took it |
//! | CAME_BACK | CASH | CUSTOMER_BALANCE | a dispute was won |
//! | OWED_AGAIN | RECEIVABLES | CUSTOMER_BALANCE | what was taken back is a debt |
//! | CREDITED | INCOME | CUSTOMER_BALANCE | net in money of a credit note |
//! | SALE_CREDITED | CREDIT_SALES | CUSTOMER_BALANCE | the same of bought credit |
//! | VAT_CREDITED | VAT_PAYABLE | CUSTOMER_BALANCE | its VAT |
//! | VAT_RECHARGED | CUSTOMER_BALANCE | VAT_PAYABLE | its VAT, where rounding makes a rate's negative; that of a sale restored |
//! | SALE_RESTORED | CUSTOMER_BALANCE | CREDIT_SALES | a dispute was won, and what it had revoked is supplied again; its VAT: VAT_RECHARGED |
//! | SALE_REVOKED | CREDIT_SALES | CUSTOMER_BALANCE | a dispute revokes what no document sells any more; its VAT: VAT_CREDITED |
//! | WRITTEN_OFF | BAD_DEBTS | RECEIVABLES | a debt is given up |
//! | RECOVERED | CUSTOMER_BALANCE | BAD_DEBTS | and then its money came after all, or a credit note took back the sale it was owed for |
//! | CARRIED_FORWARD | any | any | what there was before movements of money were written |
//!
//! Whatever comes and whatever is owed meet in CUSTOMER_BALANCE, so that each fact is written by who knows it: CASH by
//! what payments did, RECEIVABLES by what documents and debts did. What is left there belongs to the customer.

use florin_account::ledger::{Entry, LedgerAccount};
use florin_platform::id::AccountId;
use florin_settlement::{Instant, Money, MoneyError, TaxCategory, TaxRate, UnknownName};

use super::{
    credit_note::CreditNote,
    invoice::{Content, InvoiceKind, TaxLine},
};

/// Why money, or what is owed, moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MoneyKind {
    Invoiced,
    CreditInvoiced,
    VatInvoiced,
    Captured,
    Applied,
    Refunded,
    TakenBack,
    CameBack,
    OwedAgain,
    Credited,
    SaleCredited,
    VatCredited,
    VatRecharged,
    SaleRestored,
    SaleRevoked,
    WrittenOff,
    Recovered,
    CarriedForward,
}

impl MoneyKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 18] = [
        Self::Invoiced,
        Self::CreditInvoiced,
        Self::VatInvoiced,
        Self::Captured,
        Self::Applied,
        Self::Refunded,
        Self::TakenBack,
        Self::CameBack,
        Self::OwedAgain,
        Self::Credited,
        Self::SaleCredited,
        Self::VatCredited,
        Self::VatRecharged,
        Self::SaleRestored,
        Self::SaleRevoked,
        Self::WrittenOff,
        Self::Recovered,
        Self::CarriedForward,
    ];

    /// The stored form.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Invoiced => "INVOICED",
            Self::CreditInvoiced => "CREDIT_INVOICED",
            Self::VatInvoiced => "VAT_INVOICED",
            Self::Captured => "CAPTURED",
            Self::Applied => "APPLIED",
            Self::Refunded => "REFUNDED",
            Self::TakenBack => "TAKEN_BACK",
            Self::CameBack => "CAME_BACK",
            Self::OwedAgain => "OWED_AGAIN",
            Self::Credited => "CREDITED",
            Self::SaleCredited => "SALE_CREDITED",
            Self::VatCredited => "VAT_CREDITED",
            Self::VatRecharged => "VAT_RECHARGED",
            Self::SaleRestored => "SALE_RESTORED",
            Self::SaleRevoked => "SALE_REVOKED",
            Self::WrittenOff => "WRITTEN_OFF",
            Self::Recovered => "RECOVERED",
            Self::CarriedForward => "CARRIED_FORWARD",
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub(crate) fn parse(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownName("kind of money movement"))
    }

    /// The ledger accounts it debits and credits; what is carried forward may touch any.
    #[must_use]
    pub(crate) const fn entry(self) -> Option<Entry> {
        use LedgerAccount::{BadDebts, Cash, CreditSales, CustomerBalance, Income, Receivables, VatPayable};
        let (debit, credit) = match self {
            Self::Invoiced => (Receivables, Income),
            Self::CreditInvoiced => (Receivables, CreditSales),
            Self::VatInvoiced => (Receivables, VatPayable),
            Self::Captured | Self::CameBack => (Cash, CustomerBalance),
            Self::Applied => (CustomerBalance, Receivables),
            Self::Refunded | Self::TakenBack => (CustomerBalance, Cash),
            Self::OwedAgain => (Receivables, CustomerBalance),
            Self::Credited => (Income, CustomerBalance),
            Self::SaleCredited | Self::SaleRevoked => (CreditSales, CustomerBalance),
            Self::VatCredited => (VatPayable, CustomerBalance),
            Self::VatRecharged => (CustomerBalance, VatPayable),
            Self::SaleRestored => (CustomerBalance, CreditSales),
            Self::WrittenOff => (BadDebts, Receivables),
            Self::Recovered => (CustomerBalance, BadDebts),
            Self::CarriedForward => return None,
        };
        Some(Entry { debit, credit })
    }
}

/// The VAT a movement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaxOf {
    pub(crate) category: TaxCategory,
    pub(crate) rate: TaxRate,
}

/// A movement of money that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    /// Whose.
    pub(crate) account: AccountId,
    /// Why.
    pub(crate) kind: MoneyKind,
    /// The ledger accounts it debits and credits.
    pub(crate) entry: Entry,
    /// How much, above zero.
    pub(crate) amount: Money,
    /// The VAT it is about, if it is about VAT.
    pub(crate) tax: Option<TaxOf>,
    /// As of when it counts.
    pub(crate) effective: Instant,
    /// What says so: the resource name of an invoice, a credit note, a payment, a debt or a dispute.
    pub(crate) document: String,
}

impl Posting {
    /// So much, as of `effective`, because `document` says so; nothing if it is nothing, or not of the kinds whose
    /// entry is fixed.
    pub(crate) fn of(
        account: AccountId,
        kind: MoneyKind,
        amount: Money,
        effective: Instant,
        document: &str,
    ) -> Option<Self> {
        let entry = kind.entry().filter(|_| amount.is_positive())?;
        let document = document.to_owned();
        Some(Self { account, kind, entry, amount, tax: None, effective, document })
    }

    /// What the invoice called `document`, which says `content`, does to the books.
    pub(crate) fn of_invoice(content: &Content, document: &str) -> Vec<Self> {
        let net = match content.occasion.kind() {
            InvoiceKind::Purchase => MoneyKind::CreditInvoiced,
            InvoiceKind::Monthly | InvoiceKind::ProRata | InvoiceKind::Final => MoneyKind::Invoiced,
        };
        let of = |kind, amount| Self::of(content.account, kind, amount, content.settlement, document);
        let taxed = content.tax_lines.iter().filter_map(|line| {
            let tax = TaxOf { category: line.category, rate: line.rate };
            Some(Self { tax: Some(tax), ..of(MoneyKind::VatInvoiced, line.tax)? })
        });
        of(net, content.totals.net_after_credit).into_iter().chain(taxed).collect()
    }

    /// What VAT of `line` is credited, or charged again where rounding makes it less than nothing.
    ///
    /// # Errors
    /// [`MoneyError`] for a tax that is beyond what can be counted.
    pub(crate) fn of_credited_tax(
        account: AccountId,
        line: &TaxLine,
        at: Instant,
        document: &str,
    ) -> Result<Option<Self>, MoneyError> {
        let (kind, amount) = if line.tax.is_negative() {
            (MoneyKind::VatRecharged, line.tax.checked_neg()?)
        } else {
            (MoneyKind::VatCredited, line.tax)
        };
        let tax = Some(TaxOf { category: line.category, rate: line.rate });
        Ok(Self::of(account, kind, amount, at, document).map(|posting| Self { tax, ..posting }))
    }

    /// What a credit note for an invoice of kind `invoice` does to the books. What lowers a debt is applied to it; of
    /// `lost`, which had been given up, nobody will ever pay anything, and nothing comes back.
    ///
    /// # Errors
    /// [`MoneyError`] for a tax that is beyond what can be counted.
    pub(crate) fn of_credit_note(
        note: &CreditNote,
        invoice: InvoiceKind,
        lost: Money,
    ) -> Result<Vec<Self>, MoneyError> {
        let (document, at) = (note.name(), note.issued);
        let net = match invoice {
            InvoiceKind::Purchase => MoneyKind::SaleCredited,
            InvoiceKind::Monthly | InvoiceKind::ProRata | InvoiceKind::Final => MoneyKind::Credited,
        };
        let of = |kind, amount| Self::of(note.account, kind, amount, at, &document);
        let mut postings: Vec<_> = of(net, note.totals.net_money).into_iter().collect();
        for line in &note.tax_lines {
            postings.extend(Self::of_credited_tax(note.account, line, at, &document)?);
        }
        postings.extend(of(MoneyKind::Applied, note.lowered_debt));
        postings.extend(of(MoneyKind::Recovered, lost));
        Ok(postings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back() {
        for kind in MoneyKind::ALL {
            assert_eq!(MoneyKind::parse(kind.as_str()), Ok(kind));
        }
        assert!(MoneyKind::parse("invoiced").is_err());
    }

    #[test]
    fn each_kind_moves_something_somewhere() {
        for entry in MoneyKind::ALL.into_iter().filter_map(MoneyKind::entry) {
            assert_ne!(entry.debit, entry.credit);
        }
    }

    /// Money and what is owed never meet directly: the one is told by payments, the other by documents.
    #[test]
    fn cash_moves_against_the_customers_balance_alone() {
        for entry in MoneyKind::ALL.into_iter().filter_map(MoneyKind::entry) {
            let sides = [entry.debit, entry.credit];
            let is_cash = sides.contains(&LedgerAccount::Cash);
            assert!(!is_cash || sides.contains(&LedgerAccount::CustomerBalance), "{entry:?}");
        }
    }
}
