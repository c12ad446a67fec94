//! Movements: the append-only rows behind every lot (R6.8, R14.3).

use florin_platform::id::AccountId;
use florin_settlement::{Instant, LotKind, Money, UnknownName};

use super::lot::CreditId;

/// Why a lot's value changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MovementKind {
    /// The lot appeared; the only movement that adds.
    Issued,
    /// It paid for an invoice.
    Debited,
    /// Its time was over.
    Expired,
    /// Its project was deleted, or its account closed.
    Forfeited,
    /// Its payment was disputed or bounced.
    Disputed,
    /// What earned it was undone.
    Clawback,
}

impl MovementKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 6] =
        [Self::Issued, Self::Debited, Self::Expired, Self::Forfeited, Self::Disputed, Self::Clawback];

    /// The stored form.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Debited => "DEBITED",
            Self::Expired => "EXPIRED",
            Self::Forfeited => "FORFEITED",
            Self::Disputed => "DISPUTED",
            Self::Clawback => "CLAWBACK",
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub(crate) fn parse(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownName("movement kind"))
    }

    /// The ledger accounts a movement of a lot of kind `lot` debits and credits: one amount, balanced
    /// by construction (R14.3). Cloud credit is income deferred until it is used; the other kinds are
    /// price reductions, never deferred income (R7.4).
    #[must_use]
    pub(crate) const fn ledger_accounts(self, lot: LotKind) -> Entry {
        let (issued_from, outstanding, used, lapsed) = match lot {
            LotKind::CloudCredit => ("CREDIT_SALES", "DEFERRED_INCOME", "INCOME", "LAPSED_INCOME"),
            LotKind::Voucher | LotKind::LaunchPad | LotKind::Loyalty => (
                "PRICE_REDUCTIONS_OFFERED",
                "PRICE_REDUCTIONS_OUTSTANDING",
                "PRICE_REDUCTIONS_TAKEN",
                "PRICE_REDUCTIONS_OFFERED",
            ),
        };
        match self {
            Self::Issued => Entry { debit: issued_from, credit: outstanding },
            Self::Debited => Entry { debit: outstanding, credit: used },
            Self::Expired | Self::Forfeited => Entry { debit: outstanding, credit: lapsed },
            Self::Disputed | Self::Clawback => Entry { debit: outstanding, credit: issued_from },
        }
    }
}

/// The two ledger accounts of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The account that is debited.
    pub debit: &'static str,
    /// The account that is credited.
    pub credit: &'static str,
}

/// One row of a lot's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    /// Whose.
    pub account: AccountId,
    /// Its place in the account's chain: from 1, in recording order.
    pub sequence: i64,
    /// The lot.
    pub lot: CreditId,
    /// The lot's kind.
    pub lot_kind: LotKind,
    /// What happened.
    pub kind: MovementKind,
    /// How much, above zero: ISSUED adds it, every other kind takes it.
    pub amount: Money,
    /// What remained of the lot afterwards.
    pub remaining_after: Money,
    /// As of when it counts: balances as of an instant go by it.
    pub effective: Instant,
    /// When it was written; later than `effective` for a lapse found late.
    pub recorded: Instant,
    /// What it is about: an invoice, an order; empty for lapses.
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back() {
        for kind in MovementKind::ALL {
            assert_eq!(MovementKind::parse(kind.as_str()), Ok(kind));
        }
        assert!(MovementKind::parse("issued").is_err());
    }

    #[test]
    fn what_is_issued_is_outstanding_until_something_takes_it() {
        for lot in LotKind::ALL {
            let outstanding = MovementKind::Issued.ledger_accounts(lot).credit;
            for kind in MovementKind::ALL.into_iter().filter(|kind| *kind != MovementKind::Issued) {
                assert_eq!(kind.ledger_accounts(lot).debit, outstanding, "{kind:?}");
            }
        }
    }

    #[test]
    fn only_bought_credit_is_deferred_income() {
        for lot in LotKind::ALL {
            let is_deferred = MovementKind::Issued.ledger_accounts(lot).credit == "DEFERRED_INCOME";
            assert_eq!(is_deferred, lot == LotKind::CloudCredit);
        }
    }
}
