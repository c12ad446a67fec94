//! The law: in which order money is taken (R7.1, R7.2).
//!
//! Owns: [`DEBIT_ORDER`] and the total order of lots.
//! Always holds: every funding kind is placed exactly once, or this file does not compile; two
//! different lots are never equal in the order, so one input has one outcome on every machine.
//! Refuses to know: amounts. Who pays first never depends on how much there is.

use std::cmp::Ordering;

use crate::{FundingKind, Instant, Lot, LotId, LotKind, Restriction};

/// What is due is taken in this order and no other (R7.1).
pub const DEBIT_ORDER: [FundingKind; FundingKind::COUNT] = [
    FundingKind::Voucher,
    FundingKind::CloudCredit,
    FundingKind::LaunchPad,
    FundingKind::Loyalty,
    FundingKind::PaymentMethod,
];

/// The place of a kind in [`DEBIT_ORDER`]. Each arm is computed by the compiler: a kind that is
/// missing from the table, or stands there twice, is a compile error.
const fn place(kind: FundingKind) -> usize {
    match kind {
        FundingKind::Voucher => const { only_place_of(FundingKind::Voucher) },
        FundingKind::CloudCredit => const { only_place_of(FundingKind::CloudCredit) },
        FundingKind::LaunchPad => const { only_place_of(FundingKind::LaunchPad) },
        FundingKind::Loyalty => const { only_place_of(FundingKind::Loyalty) },
        FundingKind::PaymentMethod => const { only_place_of(FundingKind::PaymentMethod) },
    }
}

const _: () = assert!(
    place(FundingKind::PaymentMethod) == FundingKind::COUNT - 1,
    "the payment method pays what every lot has left over, so it comes last"
);

const fn only_place_of(kind: FundingKind) -> usize {
    let mut found = None;
    let mut index = 0;
    while index < DEBIT_ORDER.len() {
        // Discriminants, because `==` on an enum is not const.
        if DEBIT_ORDER[index] as usize == kind as usize {
            assert!(found.is_none(), "a funding kind is placed twice in DEBIT_ORDER");
            found = Some(index);
        }
        index += 1;
    }
    match found {
        Some(index) => index,
        None => panic!("a funding kind is missing from DEBIT_ORDER"),
    }
}

/// The total order of lots: by kind (R7.1), then earliest expiry with never-expiring last, then
/// restricted before unrestricted, then earliest issued, then id (R7.2).
pub(crate) fn compare(left: &Lot, right: &Lot) -> Ordering {
    rank(left).cmp(&rank(right))
}

type Rank = (usize, bool, Option<Instant>, bool, Instant, LotId);

fn rank(lot: &Lot) -> Rank {
    let kind: LotKind = lot.kind();
    let expires = lot.expires();
    let is_unrestricted = match lot.restriction() {
        Restriction::Only(_) => false,
        Restriction::Unrestricted => true,
    };
    (place(kind.funding_kind()), expires.is_none(), expires, is_unrestricted, lot.issued(), lot.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voucher_then_cloud_credit_then_launchpad_then_loyalty_then_the_payment_method() {
        let names = DEBIT_ORDER.map(FundingKind::as_str);
        assert_eq!(names, ["VOUCHER", "CLOUD_CREDIT", "LAUNCHPAD", "LOYALTY", "PAYMENT_METHOD"]);
    }

    #[test]
    fn every_kind_stands_where_the_table_says() {
        for (index, kind) in DEBIT_ORDER.into_iter().enumerate() {
            assert_eq!(place(kind), index);
        }
    }
}
