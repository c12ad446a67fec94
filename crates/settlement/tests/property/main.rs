//! Laws of the settlement that hold for every input. The number of cases grows with the environment
//! variable `FLORIN_TEST_SCALE`.

mod arbitrary;
mod brute_force;
mod giving_back;

use std::cmp::Ordering;

use arbitrary::{any_case, at, due_of, eligible_case, is_own};
use florin_settlement::{
    Considered, Currency, DEBIT_ORDER, FundingKind, Lot, LotDebit, Money, Restriction, SkipReason, plan,
    recompute,
};
use proptest::prelude::*;

/// So many cases, times `FLORIN_TEST_SCALE`.
#[expect(clippy::disallowed_methods, reason = "the scale of a test run is not a setting of the product")]
pub(crate) fn cases(base: u32) -> ProptestConfig {
    let scale = std::env::var("FLORIN_TEST_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(base.saturating_mul(scale)) }
}

/// The order of R7.1 and R7.2, written a second time and differently.
fn lawful_order(left: &Lot, right: &Lot) -> Ordering {
    let place = |lot: &Lot| DEBIT_ORDER.iter().position(|kind| *kind == lot.kind().funding_kind());
    let expiry = match (left.expires(), right.expires()) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let is_unrestricted = |lot: &Lot| lot.restriction() == Restriction::Unrestricted;
    place(left)
        .cmp(&place(right))
        .then(expiry)
        .then(is_unrestricted(left).cmp(&is_unrestricted(right)))
        .then(left.issued().cmp(&right.issued()))
        .then(left.id().cmp(&right.id()))
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn debits_and_remainder_are_what_was_due(case in any_case(8, 8, 500)) {
        let plan = plan(&case.due(), &case.lots, at()).expect("a plan");
        let sum = |amounts: Vec<Money>| Money::sum(amounts, Currency::EUR).expect("fits");
        let debited = sum(plan.debits().map(LotDebit::amount).collect());
        prop_assert_eq!(sum(vec![debited, plan.remainder()]), plan.due_total());
        prop_assert_eq!(debited, plan.covered());
        prop_assert_eq!(sum(DEBIT_ORDER.map(|kind| plan.covered_by(kind)).to_vec()), plan.due_total());
        prop_assert_eq!(plan.covered_by(FundingKind::PaymentMethod), plan.remainder());
        prop_assert_eq!(sum(plan.tax_bases().iter().map(|base| base.base).collect()), plan.remainder());
        for line in plan.lines() {
            prop_assert_eq!(sum(vec![line.covered(), line.remainder()]), line.net());
            let to_line = plan.recorded().into_iter().filter(|row| row.line == line.key());
            prop_assert_eq!(sum(to_line.map(|row| row.amount).collect()), line.covered());
        }
    }

    #[test]
    fn every_lot_given_is_considered_once_in_debit_order(case in any_case(10, 4, 50)) {
        let plan = plan(&case.due(), &case.lots, at()).expect("a plan");
        let mut lawful = case.lots.clone();
        lawful.sort_by(lawful_order);
        let considered = plan.considered().iter().map(|lot| *lot.lot()).collect::<Vec<_>>();
        prop_assert_eq!(considered, lawful);
    }

    #[test]
    fn the_order_of_lots_and_lines_given_changes_nothing(
        (case, lots, lines) in any_case(8, 8, 100).prop_flat_map(|case| {
            let (lots, lines) = (Just(case.lots.clone()).prop_shuffle(), Just(case.lines.clone()).prop_shuffle());
            (Just(case), lots, lines)
        })
    ) {
        prop_assert_eq!(plan(&case.due(), &case.lots, at()), plan(&due_of(lines), &lots, at()));
    }

    #[test]
    fn no_lot_gives_more_than_it_has_or_pays_what_it_may_not(case in any_case(8, 8, 100)) {
        let plan = plan(&case.due(), &case.lots, at()).expect("a plan");
        for debit in plan.debits() {
            prop_assert!(debit.amount().is_positive() && !debit.after().is_negative());
            prop_assert_eq!(debit.after().checked_add(debit.amount()), Ok(debit.before()));
            prop_assert_eq!(
                Money::sum(debit.lines().iter().map(|line| line.amount()), Currency::EUR),
                Ok(debit.amount())
            );
            for paid in debit.lines() {
                let line = plan.lines().iter().find(|line| line.key() == paid.line()).expect("a known line");
                prop_assert!(paid.amount().is_positive());
                prop_assert!(debit.lot().restriction().allows(line.family()));
            }
        }
    }

    #[test]
    fn expired_foreign_and_unissued_lots_are_untouched(case in any_case(8, 4, 100)) {
        let plan = plan(&case.due(), &case.lots, at()).expect("a plan");
        for considered in plan.considered() {
            let lot = considered.lot();
            let counts = lot.currency() == Currency::EUR && is_own(lot) && lot.is_alive_at(at());
            let reason = considered.skipped();
            prop_assert!(counts || considered.debit().is_none());
            let is_about_the_lot = matches!(
                reason,
                Some(SkipReason::Currency | SkipReason::ForeignOwner | SkipReason::Expired | SkipReason::NotYetIssued)
            );
            prop_assert_eq!(!counts, is_about_the_lot);
            prop_assert_eq!(reason.is_some(), considered.taken().is_zero());
            prop_assert_eq!(reason.is_some(), considered.after() == considered.before());
        }
    }

    #[test]
    fn nothing_remains_due_that_a_lot_with_value_left_may_pay(case in any_case(8, 8, 100)) {
        let plan = plan(&case.due(), &case.lots, at()).expect("a plan");
        let counts = |lot: &&Considered| {
            is_own(lot.lot()) && lot.lot().is_alive_at(at()) && lot.lot().currency() == Currency::EUR
        };
        for rich in plan.considered().iter().filter(counts).filter(|lot| lot.after().is_positive()) {
            for line in plan.lines().iter().filter(|line| rich.lot().restriction().allows(line.family())) {
                prop_assert!(line.remainder().is_zero(), "{:?} could pay line {}", rich.id(), line.key());
            }
        }
    }

    #[test]
    fn a_recorded_settlement_is_recomputed_from_the_record_alone(case in any_case(8, 8, 100)) {
        let plan = plan(&case.due(), &case.lots, at()).expect("a plan");
        let again = recompute(&case.due(), &case.lots, at(), &plan.recorded());
        prop_assert_eq!(again, Ok(plan));
    }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn no_allocation_is_greater_than_the_plan(case in eligible_case(4, 4, 3)) {
        prop_assert_eq!(planned(&case), judged(&case));
    }

    #[test]
    fn no_allocation_is_greater_than_the_plan_of_few_larger_lots(case in eligible_case(3, 3, 7)) {
        prop_assert_eq!(planned(&case), judged(&case));
    }
}

fn planned(case: &arbitrary::Case) -> brute_force::Allocation {
    let due = case.due();
    let plan = plan(&due, &case.lots, at()).expect("a plan");
    let paid = |lot: &Considered, line: &florin_settlement::DueLine| {
        lot.lines().iter().find(|paid| paid.line() == line.key).map_or(0, |paid| paid.amount().minor())
    };
    plan.considered().iter().map(|lot| due.lines().iter().map(|line| paid(lot, line)).collect()).collect()
}

fn judged(case: &arbitrary::Case) -> brute_force::Allocation {
    let due = case.due();
    let mut lots = case.lots.clone();
    lots.sort_by(lawful_order);
    let may_pay = |lot: &Lot| due.lines().iter().map(|line| lot.restriction().allows(line.family)).collect();
    let lots =
        lots.iter().map(|lot| brute_force::Lot { remaining: lot.remaining().minor(), may_pay: may_pay(lot) });
    let lines = due.lines().iter().map(|line| line.net.minor()).collect::<Vec<_>>();
    brute_force::best(&lots.collect::<Vec<_>>(), &lines)
}
