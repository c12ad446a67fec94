//! The accounts of the ledger, and what one movement does to two of them (R14.3).
//!
//! Double entry without doubling rows: a movement names the ledger account it debits, the one it credits, and
//! one amount, so that it is balanced by construction, and so is any sum of movements.

use florin_settlement::UnknownName;

/// A ledger account. Every customer has each of them; the provider's books are the sums over customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// What customers owe: open invoices and debts.
    Receivables,
    /// What was captured, less what was given or taken back.
    Cash,
    /// What is held for the customer and pays for nothing yet: captured money on its way to an invoice, and money
    /// that has to go back.
    CustomerBalance,
    /// VAT that was invoiced, less what was credited.
    VatPayable,
    /// What was earned: paid for in money, or by credit that was used.
    Income,
    /// Credit that was invoiced and is not supplied yet (R6.4); otherwise in balance.
    CreditSales,
    /// Bought credit that is not used yet (R7.4).
    DeferredIncome,
    /// Bought credit that lapsed unused.
    LapsedIncome,
    /// Price reductions that were promised, less those that lapsed or were taken back.
    PriceReductionsOffered,
    /// Price reductions that may still be used.
    PriceReductionsOutstanding,
    /// Price reductions that were used.
    PriceReductionsTaken,
    /// What was owed and given up.
    BadDebts,
    /// What stood before movements of money were written; the other side of the balances carried forward.
    OpeningBalance,
}

impl LedgerAccount {
    /// Every ledger account.
    pub const ALL: [Self; 13] = [
        Self::Receivables,
        Self::Cash,
        Self::CustomerBalance,
        Self::VatPayable,
        Self::Income,
        Self::CreditSales,
        Self::DeferredIncome,
        Self::LapsedIncome,
        Self::PriceReductionsOffered,
        Self::PriceReductionsOutstanding,
        Self::PriceReductionsTaken,
        Self::BadDebts,
        Self::OpeningBalance,
    ];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receivables => "RECEIVABLES",
            Self::Cash => "CASH",
            Self::CustomerBalance => "CUSTOMER_BALANCE",
            Self::VatPayable => "VAT_PAYABLE",
            Self::Income => "INCOME",
            Self::CreditSales => "CREDIT_SALES",
            Self::DeferredIncome => "DEFERRED_INCOME",
            Self::LapsedIncome => "LAPSED_INCOME",
            Self::PriceReductionsOffered => "PRICE_REDUCTIONS_OFFERED",
            Self::PriceReductionsOutstanding => "PRICE_REDUCTIONS_OUTSTANDING",
            Self::PriceReductionsTaken => "PRICE_REDUCTIONS_TAKEN",
            Self::BadDebts => "BAD_DEBTS",
            Self::OpeningBalance => "OPENING_BALANCE",
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn parse(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|account| account.as_str() == text).ok_or(UnknownName("ledger account"))
    }
}

/// The two ledger accounts of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The one that is debited.
    pub debit: LedgerAccount,
    /// The one that is credited.
    pub credit: LedgerAccount,
}

impl Entry {
    /// What undoes it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { debit: self.credit, credit: self.debit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ledger_account_reads_back() {
        for account in LedgerAccount::ALL {
            assert_eq!(LedgerAccount::parse(account.as_str()), Ok(account));
        }
        assert!(LedgerAccount::parse("cash").is_err());
    }
}
