//! Laws of corrections (R7.9).

use florin_settlement::{
    Currency, DueLine, EarlierReturns, GiveBackError, LotDebit, LotId, Money, Plan, TaxRate, give_back, plan,
    rounding,
};
use proptest::{prelude::*, strategy::ValueTree};

use crate::{
    arbitrary::{Case, any_case, at, due_of},
    cases,
};

fn nothing() -> EarlierReturns {
    EarlierReturns { credit: Vec::new(), money: eur(0) }
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// The lines, each lowered by the percentage at its place.
fn lowered(lines: &[DueLine], percents: &[i64]) -> Vec<DueLine> {
    let lower = |(line, percent): (&DueLine, &i64)| {
        let net = eur(line.net.minor() * (100 - percent) / 100);
        DueLine { net, ..line.clone() }
    };
    lines.iter().zip(percents).map(lower).collect()
}

fn plan_of(case: &Case, lines: Vec<DueLine>) -> Plan {
    plan(&due_of(lines), &case.lots, at()).expect("a plan")
}

fn taken(plan: &Plan) -> Vec<(LotId, Money)> {
    plan.debits().map(|debit: &LotDebit| (debit.id(), debit.amount())).collect()
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_full_reversal_returns_exactly_what_was_taken(case in any_case(8, 6, 200)) {
        let issued = plan_of(&case, case.lines.clone());
        let returned = give_back(&issued, &plan_of(&case, Vec::new()), &nothing()).expect("given back");
        let credit = returned.credit().iter().map(|credit| (credit.source(), credit.amount())).collect::<Vec<_>>();
        prop_assert_eq!(credit, taken(&issued));
        prop_assert_eq!(returned.money(), issued.remainder());
        prop_assert_eq!(returned.credited_bases(), issued.tax_bases());
    }

    #[test]
    fn corrections_one_after_the_other_give_what_one_gives(
        case in any_case(8, 6, 200),
        steps in prop::collection::vec(prop::collection::vec(0_i64..=100, 6), 1..4),
    ) {
        let issued = plan_of(&case, case.lines.clone());
        let mut lines = case.lines.clone();
        let mut earlier = nothing();
        for step in steps {
            lines = lowered(&lines, &step);
            let reduced = plan_of(&case, lines.clone());
            let note = give_back(&issued, &reduced, &earlier).expect("never less than before");
            let returns = note.credit().iter().map(|credit| (credit.source(), credit.amount()));
            earlier.credit.extend(returns);
            earlier.money = earlier.money.checked_add(note.money()).expect("fits");
        }
        let at_once = give_back(&issued, &plan_of(&case, lines.clone()), &nothing()).expect("given back");
        prop_assert_eq!(at_once.money(), earlier.money);
        for credit in at_once.credit() {
            let of_source = earlier.credit.iter().filter(|(source, _)| *source == credit.source());
            prop_assert_eq!(Money::sum(of_source.map(|(_, amount)| *amount), Currency::EUR), Ok(credit.amount()));
        }
        let everything = at_once.credit().iter().map(|credit| credit.amount()).chain([at_once.money()]);
        let lowered_by = issued.due_total().checked_sub(due_of(lines).total()).expect("fits");
        prop_assert_eq!(Money::sum(everything, Currency::EUR), Ok(lowered_by));
    }

    #[test]
    fn what_returns_is_a_lot_of_the_same_sort(case in any_case(6, 4, 100)) {
        let issued = plan_of(&case, case.lines.clone());
        let returned = give_back(&issued, &plan_of(&case, Vec::new()), &nothing()).expect("given back");
        for (credit, debit) in returned.credit().iter().zip(issued.debits()) {
            let lot = credit.lot(LotId::from_u128(99), at().plus_days(700)).expect("a lot");
            let source = debit.lot();
            prop_assert_eq!((lot.kind(), lot.owner()), (source.kind(), source.owner()));
            prop_assert_eq!((lot.restriction(), lot.expires()), (source.restriction(), source.expires()));
            prop_assert_eq!((lot.initial(), lot.remaining()), (debit.amount(), debit.amount()));
            prop_assert_eq!(credit.is_expired_at(lot.issued()), source.expires().is_some());
        }
    }
}

fn simple() -> Case {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = any_case(4, 4, 100).prop_filter("something is taken and something remains", |case| {
        let plan = plan_of(case, case.lines.clone());
        plan.covered().is_positive() && plan.remainder().is_positive()
    });
    strategy.new_tree(&mut runner).expect("such a case exists").current()
}

#[test]
fn more_than_was_taken_is_never_returned() {
    let case = simple();
    let issued = plan_of(&case, case.lines.clone());
    let nothing_left = plan_of(&case, Vec::new());
    let (lot, amount) = taken(&issued)[0];
    let mut earlier = nothing();
    earlier.credit = vec![(lot, amount), (lot, eur(1))];
    assert_eq!(give_back(&issued, &nothing_left, &earlier), Err(GiveBackError::CreditExceeded(lot)));
    let stranger = LotId::from_u128(777);
    earlier.credit = vec![(stranger, eur(1))];
    assert_eq!(give_back(&issued, &nothing_left, &earlier), Err(GiveBackError::CreditExceeded(stranger)));
    earlier.credit.clear();
    earlier.money = issued.remainder().checked_add(eur(1)).expect("fits");
    assert_eq!(give_back(&issued, &nothing_left, &earlier), Err(GiveBackError::MoneyExceeded));
}

#[test]
fn a_reduction_is_of_the_same_lines_lots_and_instant() {
    let case = simple();
    let issued = plan_of(&case, case.lines.clone());
    let mut raised = case.lines.clone();
    raised[0].net = raised[0].net.checked_add(eur(1)).expect("fits");
    let key = raised[0].key;
    let raised = plan_of(&case, raised);
    assert_eq!(give_back(&issued, &raised, &nothing()), Err(GiveBackError::NotReduced(key)));
    let later = plan(&case.due(), &case.lots, at().plus_seconds(1)).expect("a plan");
    assert_eq!(give_back(&issued, &later, &nothing()), Err(GiveBackError::OtherSettlement));
    let other_lots = plan(&case.due(), &case.lots[1..], at()).expect("a plan");
    assert_eq!(give_back(&issued, &other_lots, &nothing()), Err(GiveBackError::OtherSettlement));
}

#[test]
fn a_full_reversal_has_exactly_the_opposite_tax() {
    let case = simple();
    let issued = plan_of(&case, case.lines.clone());
    let returned = give_back(&issued, &plan_of(&case, Vec::new()), &nothing()).expect("given back");
    let tax = |base: Money, rate: TaxRate| rounding::tax(base, rate).expect("fits");
    for (charged, credited) in issued.tax_bases().iter().zip(returned.credited_bases()) {
        assert_eq!(tax(charged.base, charged.tax_rate), tax(credited.base, credited.tax_rate));
    }
}
