//! Movements: the append-only rows behind every lot (R6.8, R14.3).

use florin_account::ledger::{Entry, LedgerAccount, Link};
use florin_platform::id::AccountId;
use florin_settlement::{Instant, LotKind, Money, UnknownName};

use super::lot::{CreditId, Origin, ReturnCause, Returned};

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

    /// The ledger accounts a movement of a lot of kind `lot`, which was issued `issued`, debits and credits: one
    /// amount, balanced by construction (R14.3).
    #[must_use]
    pub(crate) const fn entry(self, lot: LotKind, issued: IssuedFor) -> Entry {
        let Books { sold, outstanding, used, lapsed } = books(lot);
        match (self, issued) {
            (Self::Issued, IssuedFor::Sale) => Entry { debit: sold, credit: outstanding },
            (Self::Issued, IssuedFor::CreditedUse) => Entry { debit: used, credit: outstanding },
            (Self::Debited, _) => Entry { debit: outstanding, credit: used },
            (Self::Expired | Self::Forfeited, _) => Entry { debit: outstanding, credit: lapsed },
            (Self::Disputed | Self::Clawback, _) => Entry { debit: outstanding, credit: sold },
        }
    }
}

/// Why a lot is issued: what the other side of its ISSUED movement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssuedFor {
    /// It is bought, promised or earned; or it replaces what a dispute, which was won, had revoked.
    Sale,
    /// What it holds had been used, and a credit note undoes the use (R7.9).
    CreditedUse,
}

impl From<&Origin> for IssuedFor {
    fn from(origin: &Origin) -> Self {
        match origin {
            Origin::Returned(Returned { cause: ReturnCause::CreditNote, .. }) => Self::CreditedUse,
            Origin::Returned(Returned { cause: ReturnCause::DisputeWon, .. })
            | Origin::CreditOrder(_)
            | Origin::VoucherCode { .. }
            | Origin::Grant(_)
            | Origin::Earning { .. } => Self::Sale,
        }
    }
}

/// What lots of a kind mean to the books: cloud credit is income deferred until it is used; the other kinds are
/// price reductions, never deferred income (R7.4).
struct Books {
    sold: LedgerAccount,
    outstanding: LedgerAccount,
    used: LedgerAccount,
    lapsed: LedgerAccount,
}

const fn books(lot: LotKind) -> Books {
    match lot {
        LotKind::CloudCredit => Books {
            sold: LedgerAccount::CreditSales,
            outstanding: LedgerAccount::DeferredIncome,
            used: LedgerAccount::Income,
            lapsed: LedgerAccount::LapsedIncome,
        },
        LotKind::Voucher | LotKind::LaunchPad | LotKind::Loyalty => Books {
            sold: LedgerAccount::PriceReductionsOffered,
            outstanding: LedgerAccount::PriceReductionsOutstanding,
            used: LedgerAccount::PriceReductionsTaken,
            lapsed: LedgerAccount::PriceReductionsOffered,
        },
    }
}

/// One row of a lot's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    /// Its place in the account's chain.
    pub link: Link,
    /// What it records.
    pub fact: Fact,
}

/// What a movement records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Whose.
    pub account: AccountId,
    /// The lot.
    pub lot: CreditId,
    /// The lot's kind.
    pub lot_kind: LotKind,
    /// What happened.
    pub kind: MovementKind,
    /// The ledger accounts it debits and credits.
    pub entry: Entry,
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

    const ISSUED_FOR: [IssuedFor; 2] = [IssuedFor::Sale, IssuedFor::CreditedUse];

    #[test]
    fn what_is_issued_is_outstanding_until_something_takes_it() {
        for (lot, issued) in LotKind::ALL.into_iter().flat_map(|lot| ISSUED_FOR.map(|issued| (lot, issued))) {
            let outstanding = MovementKind::Issued.entry(lot, issued).credit;
            for kind in MovementKind::ALL.into_iter().filter(|kind| *kind != MovementKind::Issued) {
                assert_eq!(kind.entry(lot, issued).debit, outstanding, "{kind:?}");
            }
            assert_eq!(outstanding == LedgerAccount::DeferredIncome, lot == LotKind::CloudCredit);
        }
    }

    #[test]
    fn what_a_credit_note_gives_back_undoes_the_debit_and_what_a_won_dispute_does_the_dispute() {
        let source = CreditId::from_u128(1);
        let returned =
            |cause| Origin::Returned(Returned { source, root: source, cause, document: String::new() });
        for lot in LotKind::ALL {
            let issued = |cause| MovementKind::Issued.entry(lot, IssuedFor::from(&returned(cause)));
            let taken = |kind: MovementKind| kind.entry(lot, IssuedFor::Sale).reversed();
            assert_eq!(issued(ReturnCause::CreditNote), taken(MovementKind::Debited));
            assert_eq!(issued(ReturnCause::DisputeWon), taken(MovementKind::Disputed));
        }
    }
}
