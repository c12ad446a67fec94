//! What credit notes credit (R7.9): golden numbers, and the laws over random corrections.

use proptest::prelude::*;

use super::*;
use crate::domain::{
    credit_note::{Correction, CorrectionError, Earlier, Reduction, correct},
    extent::{Extent, Measure, Portion, reductions},
};

fn reduce(line: u32, minor: i64) -> Reduction {
    Reduction { line, net: eur(minor), quantity: None }
}

fn credited(
    draft: &InvoiceDraft,
    earlier: &Earlier,
    reductions: &[Reduction],
) -> Result<Correction, CorrectionError> {
    correct(&draft.content, &SettlementRecord::of(&draft.plan), earlier, reductions)
}

/// `earlier` with what `correction` gave.
fn then(mut earlier: Earlier, correction: &Correction) -> Earlier {
    for line in &correction.lines {
        earlier.add(line).expect("a sum");
    }
    earlier.tax_lines.extend(correction.tax_lines.iter().cloned());
    earlier.returned.extend(correction.credit.iter().map(|credit| (credit.source(), credit.amount())));
    earlier.net_money = earlier.net_money.checked_add(correction.totals.net_money).expect("a sum");
    earlier
}

#[test]
fn thirds_of_ten_euros_are_credited_with_their_tax_and_leave_nothing() {
    let draft = drafted(bill(1, vec![charge(PlanFamily::Instance, "20", 1000)]), &[]);
    let mut earlier = Earlier::none(Currency::EUR);
    let mut taxes = Vec::new();
    for minor in [333, 333, 334] {
        let note = credited(&draft, &earlier, &[reduce(1, minor)]).expect("credited");
        assert_eq!(note.totals.net_money, eur(minor));
        taxes.push(note.totals.tax_total.minor());
        earlier = then(earlier, &note);
    }
    // 66.6, 133.2, 200 of VAT in all: 67, then 133 - 67, then 200 - 133.
    assert_eq!(taxes, [67, 66, 67]);
    assert_eq!(taxes.iter().sum::<i64>(), draft.content.totals.tax_total.minor());
    let more = credited(&draft, &earlier, &[reduce(1, 1)]);
    assert!(matches!(more, Err(CorrectionError::MoreThanInvoiced { line: 1, left }) if left == eur(0)));
}

#[test]
fn money_comes_back_before_the_credit_that_was_taken_first() {
    let charges = vec![charge(PlanFamily::Instance, "20", 2363)];
    let draft = drafted(bill(1, charges), &story());
    let note = credited(&draft, &Earlier::none(Currency::EUR), &[reduce(1, 563)]).expect("credited");
    // 4.63 were money; then loyalty, which was taken last.
    assert_eq!(note.totals.net_money, eur(463));
    assert_eq!(note.totals.credit_returned, eur(100));
    assert_eq!(note.credit[0].kind(), LotKind::Loyalty);
    assert_eq!(note.totals.tax_total, draft.content.totals.tax_total);
}

#[test]
fn what_is_no_reduction_is_refused() {
    let draft = drafted(bill(1, vec![charge(PlanFamily::Instance, "20", 1000)]), &[]);
    let none = Earlier::none(Currency::EUR);
    let refused = |reductions: &[Reduction]| credited(&draft, &none, reductions).expect_err("refused");
    assert!(matches!(refused(&[]), CorrectionError::Nothing));
    assert!(matches!(refused(&[reduce(0, 1)]), CorrectionError::UnknownLine(0)));
    assert!(matches!(refused(&[reduce(2, 1)]), CorrectionError::UnknownLine(2)));
    assert!(matches!(refused(&[reduce(1, 1), reduce(1, 1)]), CorrectionError::UnknownLine(1)));
    assert!(matches!(refused(&[reduce(1, 0)]), CorrectionError::NotAnAmount(1)));
    assert!(matches!(refused(&[reduce(1, -5)]), CorrectionError::NotAnAmount(1)));
    let francs = Money::new(1, Currency::parse("CHF").expect("a currency"));
    let francs = Reduction { line: 1, net: francs, quantity: None };
    assert!(matches!(refused(&[francs]), CorrectionError::NotAnAmount(1)));
    assert!(matches!(refused(&[reduce(1, 1001)]), CorrectionError::MoreThanInvoiced { line: 1, .. }));
}

const RATES: [&str; 3] = ["20", "5.5", "0"];

proptest! {
    /// However an invoice is credited away, piece by piece, in the end exactly what was invoiced has been given
    /// back: net, VAT of every rate, and each lot's debit; and never more on the way.
    #[test]
    fn pieces_sum_up_to_a_full_reversal(
        lines in prop::collection::vec((0_usize..3, 1_i64..5000), 1..5),
        lots in prop::collection::vec(1_i64..4000, 0..4),
        cuts in prop::collection::vec((0_usize..5, 1_i64..2500), 0..8),
    ) {
        let charges: Vec<_> =
            lines.iter().map(|(rate, net)| charge(PlanFamily::Instance, RATES[*rate], *net)).collect();
        let lots: Vec<_> = lots
            .iter()
            .zip(1_u128..)
            .map(|(minor, id)| lot(id, LotKind::CloudCredit, of_project(1), *minor, Restriction::Unrestricted))
            .collect();
        let draft = drafted(bill(1, charges), &lots);
        let mut left: Vec<i64> = draft.content.lines.iter().map(|line| line.net.minor()).collect();
        let mut earlier = Earlier::none(Currency::EUR);
        let mut pieces: Vec<(usize, i64)> = cuts;
        pieces.extend((0..left.len()).map(|line| (line, i64::MAX)));
        let (mut money, mut tax, mut credit) = (0, 0, 0);
        for (line, wanted) in pieces {
            let line = line % left.len();
            let cut = wanted.min(left[line]);
            if cut == 0 {
                continue;
            }
            left[line] -= cut;
            let number = u32::try_from(line).expect("a line") + 1;
            let note = credited(&draft, &earlier, &[reduce(number, cut)]).expect("credited");
            prop_assert_eq!(note.totals.net_total, eur(cut));
            money += note.totals.net_money.minor();
            tax += note.totals.tax_total.minor();
            credit += note.totals.credit_returned.minor();
            prop_assert!(money <= draft.content.totals.net_after_credit.minor());
            prop_assert!(credit <= draft.content.totals.credit_applied.minor());
            earlier = then(earlier, &note);
        }
        prop_assert_eq!(money, draft.content.totals.net_after_credit.minor());
        prop_assert_eq!(credit, draft.content.totals.credit_applied.minor());
        prop_assert_eq!(tax, draft.content.totals.tax_total.minor());
    }
}

/// A charge of so many units at a price, over a divisor.
fn measured(units: u32, price: &str, divisor: u32) -> Charge {
    let unit_price = UnitPrice::parse(price, Currency::EUR).expect("a price");
    let (quantity, divisor) = (Quantity::whole(units), NonZeroU32::new(divisor).expect("a divisor"));
    let net = florin_settlement::rounding::line_net(quantity, unit_price, divisor).expect("a net");
    Charge { quantity, divisor, unit_price, net, ..charge(PlanFamily::Instance, "20", 0) }
}

fn units(count: u32) -> Extent {
    let measure = Measure::Quantity(Quantity::whole(count));
    Extent::Lines(vec![Portion { line: 1, measure }])
}

#[test]
fn units_are_credited_as_what_the_line_is_less_by_them() {
    let draft = drafted(bill(1, vec![measured(200, "0.111", 1)]), &[]);
    let content = &draft.content;
    let mut earlier = Earlier::none(Currency::EUR);
    let net = |earlier: &Earlier, count| reductions(content, earlier, &units(count)).map(|all| all[0].net);
    assert_eq!(net(&earlier, 1).expect("credited"), eur(11));
    assert_eq!(net(&earlier, 200).expect("credited"), eur(2220));
    assert!(
        matches!(net(&earlier, 201), Err(CorrectionError::MoreThanInvoiced { line: 1, left }) if left == eur(2220))
    );
    earlier.add(&Reduction { line: 1, net: eur(2200), quantity: None }).expect("a sum");
    let whole = reductions(content, &earlier, &Extent::Whole).expect("credited");
    assert_eq!(whole, [reduce(1, 20)]);
    earlier.add(&whole[0]).expect("a sum");
    assert!(matches!(reductions(content, &earlier, &Extent::Whole), Err(CorrectionError::NothingLeft)));
}

proptest! {
    /// In whatever portions the units of a line are credited, together they are exactly its net.
    #[test]
    fn portions_of_units_sum_up_to_the_line(
        count in 1_u32..800,
        price in "(0|1|19|93)\\.[0-9]{1,10}",
        divisor in 1_u32..32,
        cuts in prop::collection::vec(1_u32..300, 0..6),
    ) {
        let draft = drafted(bill(1, vec![measured(count, &price, divisor)]), &[]);
        let mut earlier = Earlier::none(Currency::EUR);
        let (mut left, mut sum) = (count, 0);
        for cut in cuts.into_iter().chain([u32::MAX]) {
            let cut = cut.min(left);
            if cut == 0 {
                continue;
            }
            left -= cut;
            let portion = reductions(&draft.content, &earlier, &units(cut)).expect("credited")[0];
            prop_assert!(!portion.net.is_negative());
            sum += portion.net.minor();
            earlier.add(&portion).expect("a sum");
        }
        prop_assert_eq!(sum, draft.content.lines[0].net.minor());
    }
}
