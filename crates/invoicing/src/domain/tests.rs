//! The draft, by golden numbers and by law.

use std::{collections::BTreeMap, num::NonZeroU32};

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_project::ResourceId;
use florin_settlement::{
    AccountRef, Currency, FundingKind, Instant, Lot, LotId, LotKind, LotOwner, LotParts, Money, Month,
    PlanFamily, ProjectRef, Quantity, Restriction, SkipReason, TaxCategory, TaxRate, UnitPrice,
};
use uuid::Uuid;

use super::{
    charge::{Bill, Charge, LineTax, Subject, Usage},
    draft::{InvoiceDraft, draft, settle_in_order},
    invoice::{InvoiceKind, Occasion},
    number::{Block, Series},
    record::{SettlementRecord, prove},
};

mod credit_notes;
mod dunning;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

fn settlement() -> Instant {
    at("2027-04-01T06:00:00Z")
}

fn month() -> Month {
    Month::parse("2027-03").expect("a month")
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn account() -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(1))
}

fn project(number: u128) -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(100 + number))
}

fn charge(family: PlanFamily, rate: &str, net: i64) -> Charge {
    let usage = Usage {
        resource: ResourceId::from_uuid(Uuid::from_u128(7)),
        resource_name: "web".to_owned(),
        plan: format!("{}-1", family.as_str().to_lowercase()),
        family,
        region: String::new(),
        labels: BTreeMap::new(),
    };
    Charge {
        subject: Subject::Usage(usage),
        description: "A plan".to_owned(),
        period: month().period(),
        quantity: Quantity::whole(1),
        divisor: NonZeroU32::MIN,
        unit: "month".to_owned(),
        unit_price: UnitPrice::try_new(eur(net).to_decimal(), Currency::EUR).expect("a price"),
        net: eur(net),
        tax: LineTax {
            category: TaxCategory::Standard,
            rate: TaxRate::parse(rate).expect("a rate"),
            mention: String::new(),
        },
        late: false,
    }
}

fn bill(number: u128, charges: Vec<Charge>) -> Bill {
    Bill {
        account: account(),
        project: project(number),
        issuer: "fr".to_owned(),
        occasion: Occasion::Monthly(month()),
        currency: Currency::EUR,
        charges,
        advance_until: None,
    }
}

fn lot(id: u128, kind: LotKind, owner: LotOwner, minor: i64, restriction: Restriction) -> Lot {
    Lot::try_new(LotParts {
        id: LotId::from_u128(id),
        kind,
        owner,
        initial: eur(minor),
        remaining: eur(minor),
        issued: at("2027-03-01T00:00:00Z"),
        expires: Some(at("2028-04-01T00:00:00Z")),
        restriction,
    })
    .expect("a lot")
}

fn of_project(number: u128) -> LotOwner {
    LotOwner::Project(ProjectRef::from_u128(project(number).as_u128()))
}

fn of_account() -> LotOwner {
    LotOwner::Account(AccountRef::from_u128(account().as_u128()))
}

/// The four lots of the story: voucher 10.00, cloud credit 5.00, LaunchPad 3.00, loyalty 1.00.
fn story() -> Vec<Lot> {
    let free = Restriction::Unrestricted;
    vec![
        lot(4, LotKind::Loyalty, of_account(), 100, free),
        lot(2, LotKind::CloudCredit, of_project(1), 500, free),
        lot(3, LotKind::LaunchPad, of_account(), 300, free),
        lot(1, LotKind::Voucher, of_project(1), 1000, free),
    ]
}

fn drafted(bill: Bill, lots: &[Lot]) -> InvoiceDraft {
    draft(bill, lots, settlement()).expect("a draft")
}

#[test]
fn usage_of_23_63_is_covered_in_debit_order_and_taxed_on_what_remains() {
    let charges = vec![charge(PlanFamily::Instance, "20", 2220), charge(PlanFamily::Storage, "20", 143)];
    let draft = drafted(bill(1, charges), &story());
    let content = &draft.content;
    let debits = content.debits.iter().map(|debit| (debit.kind, debit.amount)).collect::<Vec<_>>();
    assert_eq!(
        debits,
        [
            (FundingKind::Voucher, eur(1000)),
            (FundingKind::CloudCredit, eur(500)),
            (FundingKind::LaunchPad, eur(300)),
            (FundingKind::Loyalty, eur(100)),
            (FundingKind::PaymentMethod, eur(463)),
        ]
    );
    let totals = content.totals;
    assert_eq!(totals.net_total, eur(2363));
    assert_eq!(totals.credit_applied, eur(1900));
    assert_eq!(totals.net_after_credit, eur(463));
    assert_eq!(totals.tax_total, eur(93));
    assert_eq!(totals.amount_incl_tax, eur(556));
}

#[test]
fn each_rate_is_taxed_on_what_lots_left_of_its_own_lines() {
    // The higher rate stands first and is paid for first by unrestricted credit (R7.5).
    let charges = vec![charge(PlanFamily::Storage, "5.5", 1000), charge(PlanFamily::Instance, "20", 1000)];
    let lots = [lot(1, LotKind::Voucher, of_project(1), 600, Restriction::Unrestricted)];
    let content = drafted(bill(1, charges), &lots).content;
    let taxed = content.tax_lines.iter().map(|line| (line.rate.to_string(), line.base, line.tax));
    assert_eq!(
        taxed.collect::<Vec<_>>(),
        [("20".to_owned(), eur(400), eur(80)), ("5.5".to_owned(), eur(1000), eur(55))]
    );
    assert_eq!(content.totals.amount_incl_tax, eur(1535));
}

#[test]
fn a_restricted_lot_reduces_the_tax_of_what_it_may_pay_only() {
    let charges = vec![charge(PlanFamily::Storage, "5.5", 1000), charge(PlanFamily::Instance, "20", 1000)];
    let storage = Restriction::only(PlanFamily::Storage, &[]);
    let content = drafted(bill(1, charges), &[lot(1, LotKind::Voucher, of_project(1), 600, storage)]).content;
    let bases = content.tax_lines.iter().map(|line| line.base).collect::<Vec<_>>();
    assert_eq!(bases, [eur(1000), eur(400)]);
}

#[test]
fn what_credit_covers_in_full_leaves_no_tax_and_nothing_to_pay() {
    let lots = [lot(1, LotKind::Voucher, of_project(1), 5000, Restriction::Unrestricted)];
    let content = drafted(bill(1, vec![charge(PlanFamily::Instance, "20", 2363)]), &lots).content;
    assert_eq!(content.totals.net_after_credit, eur(0));
    assert_eq!(content.totals.tax_total, eur(0));
    assert_eq!(content.totals.amount_incl_tax, eur(0));
    assert_eq!(content.debits.len(), 1);
}

#[test]
fn a_project_that_used_nothing_owes_nothing() {
    let draft = drafted(bill(1, Vec::new()), &story());
    assert!(draft.is_nothing_due());
    assert!(draft.plan.considered().iter().all(|lot| lot.skipped() == Some(SkipReason::NothingLeftDue)));
    assert!(drafted(bill(1, vec![charge(PlanFamily::Option, "20", 0)]), &[]).is_nothing_due());
}

#[test]
fn lines_are_numbered_in_invoice_order_whatever_order_they_came_in() {
    let charges = || {
        vec![
            charge(PlanFamily::Storage, "5.5", 3),
            charge(PlanFamily::Storage, "20", 2),
            charge(PlanFamily::Instance, "20", 1),
        ]
    };
    let reversed = charges().into_iter().rev().collect();
    let one = drafted(bill(1, charges()), &story());
    assert_eq!(one.content, drafted(bill(1, reversed), &story()).content);
    assert_eq!(one.content.lines.iter().map(|line| line.net).collect::<Vec<_>>(), [eur(1), eur(2), eur(3)]);
    let keys = one.plan.lines().iter().map(|line| line.key().as_u32()).collect::<Vec<_>>();
    assert_eq!(keys, [1, 2, 3]);
}

#[test]
fn what_one_project_takes_from_a_shared_lot_the_next_does_not_find() {
    let shared = lot(3, LotKind::LaunchPad, of_account(), 1000, Restriction::Unrestricted);
    let bills = vec![
        bill(1, vec![charge(PlanFamily::Instance, "20", 700)]),
        bill(2, vec![charge(PlanFamily::Instance, "20", 700)]),
    ];
    let drafts = settle_in_order(bills, vec![shared], settlement());
    let covered = drafts.into_iter().map(|draft| draft.expect("a draft").content.totals.credit_applied);
    assert_eq!(covered.collect::<Vec<_>>(), [eur(700), eur(300)]);
}

#[test]
fn another_projects_lot_is_not_even_considered() {
    let lots = [lot(1, LotKind::Voucher, of_project(2), 1000, Restriction::Unrestricted)];
    let draft = drafted(bill(1, vec![charge(PlanFamily::Instance, "20", 700)]), &lots);
    assert!(draft.plan.considered().is_empty());
}

#[test]
fn the_record_alone_proves_the_settlement() {
    let charges = vec![charge(PlanFamily::Instance, "20", 2220), charge(PlanFamily::Storage, "5.5", 143)];
    let draft = drafted(bill(1, charges), &story());
    let record = SettlementRecord::of(&draft.plan);
    assert_eq!(prove(&draft.content, &record).expect("proven"), draft.plan);

    let mut short = record.clone();
    short.debits.pop();
    assert!(prove(&draft.content, &short).is_err());
    let mut disordered = record.clone();
    disordered.lots.swap(0, 1);
    assert!(prove(&draft.content, &disordered).is_err());
    let mut other = draft.content.clone();
    other.lines[0].net = eur(2221);
    assert!(prove(&other, &record).is_err());
}

/// R7.4, R7.8: VAT and what each kind covered are part of what is proven.
#[test]
fn other_vat_and_other_funding_than_the_law_gives_is_noticed() {
    let charges = vec![charge(PlanFamily::Instance, "20", 2220), charge(PlanFamily::Storage, "5.5", 143)];
    let draft = drafted(bill(1, charges), &story());
    let record = SettlementRecord::of(&draft.plan);
    let mut taxed = draft.content.clone();
    taxed.tax_lines[0].base = eur(2220);
    assert!(prove(&taxed, &record).is_err());
    let mut total = draft.content.clone();
    total.totals.tax_total = eur(0);
    assert!(prove(&total, &record).is_err());
    let mut exchanged = draft.content.clone();
    exchanged.debits.swap(0, 1);
    assert!(prove(&exchanged, &record).is_err());
}

#[test]
fn a_number_is_series_year_and_six_digits() {
    let block = Block {
        series: Series::of("FR", 0, InvoiceKind::Purchase),
        year: 2027,
        first: 9,
        issued: settlement(),
    };
    let texts = block.numbers().take(2).map(|number| number.text()).collect::<Vec<_>>();
    assert_eq!(texts, ["FR-P-2027-000009", "FR-P-2027-000010"]);
    let monthly = Block { series: Series::of("FR", 1, InvoiceKind::Monthly), first: 1_234_567, ..block };
    assert_eq!(monthly.numbers().next().map(|number| number.text()).as_deref(), Some("FR-2-2027-1234567"));
    assert_eq!(
        [0, 1].map(|ordinal| Series::of_credit_notes("FR", ordinal).as_str().to_owned()),
        ["FR-C", "FR-2-C"]
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn charges() -> impl Strategy<Value = Vec<Charge>> {
        let one = (
            prop::sample::select(PlanFamily::ALL.to_vec()),
            prop::sample::select(vec!["20", "5.5"]),
            0..5000_i64,
        );
        prop::collection::vec(one.prop_map(|(family, rate, net)| charge(family, rate, net)), 0..6)
    }

    fn lots() -> impl Strategy<Value = Vec<Lot>> {
        let owner = prop::sample::select(vec![0_u128, 1, 2]);
        let restriction = prop::sample::select(vec!["", "INSTANCE", "STORAGE,OPTION"]);
        let one = (owner, 1..4000_i64, restriction);
        prop::collection::vec(one, 0..6).prop_map(|parts| {
            let of = |(id, (owner, minor, restriction)): (u128, (u128, i64, &str))| {
                let (kind, owner) = match owner {
                    0 => (LotKind::Loyalty, of_account()),
                    number => (LotKind::Voucher, of_project(number)),
                };
                lot(id, kind, owner, minor, Restriction::parse(restriction).expect("a restriction"))
            };
            (1..).zip(parts).map(of).collect()
        })
    }

    proptest! {
        /// R7.6, R7.8: every draft adds up, is proven by its record, and no lot is spent twice.
        #[test]
        fn every_draft_adds_up_and_is_proven(first in charges(), second in charges(), lots in lots()) {
            let drafts = settle_in_order(vec![bill(1, first), bill(2, second)], lots.clone(), settlement());
            let mut taken: BTreeMap<LotId, i64> = BTreeMap::new();
            for draft in drafts {
                let draft = draft.expect("a draft");
                let totals = draft.content.totals;
                let debits: i64 = draft.content.debits.iter().map(|debit| debit.amount.minor()).sum();
                prop_assert_eq!(debits, totals.net_total.minor());
                let lines: i64 = draft.content.lines.iter().map(|line| line.net.minor()).sum();
                prop_assert_eq!(lines, totals.net_total.minor());
                let bases: i64 = draft.content.tax_lines.iter().map(|line| line.base.minor()).sum();
                prop_assert_eq!(bases, totals.net_after_credit.minor());
                prove(&draft.content, &SettlementRecord::of(&draft.plan)).expect("proven");
                for debit in draft.plan.debits() {
                    *taken.entry(debit.id()).or_default() += debit.amount().minor();
                }
            }
            for lot in lots {
                prop_assert!(taken.get(&lot.id()).copied().unwrap_or_default() <= lot.initial().minor());
            }
        }
    }
}
