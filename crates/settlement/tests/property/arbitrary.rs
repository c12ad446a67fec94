//! Arbitrary settlements: lots and lines of every sort, with few and small values so that they meet.

use florin_settlement::{
    AccountRef, Currency, Due, DueLine, Instant, LineKey, Lot, LotId, LotKind, LotOwner, LotParts, Money,
    Month, PlanFamily, ProjectRef, Restriction, TaxCategory, TaxRate,
};
use proptest::{collection::vec, prelude::*, sample::select};

pub(crate) const ACCOUNT: AccountRef = AccountRef::from_u128(1);
pub(crate) const PROJECT: ProjectRef = ProjectRef::from_u128(2);

/// A settlement to be planned.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) lines: Vec<DueLine>,
    pub(crate) lots: Vec<Lot>,
}

impl Case {
    pub(crate) fn due(&self) -> Due {
        due_of(self.lines.clone())
    }
}

pub(crate) fn due_of(lines: Vec<DueLine>) -> Due {
    Due::try_new(ACCOUNT, PROJECT, Currency::EUR, lines).expect("a due")
}

/// The settlement instant of every case.
pub(crate) fn at() -> Instant {
    instant("2027-04-01T06:00:00Z")
}

fn instant(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

/// Up to so many lots and lines, each of up to so many cents; lots may be foreign, expired or not yet
/// issued, lines may be zero.
pub(crate) fn any_case(lots: usize, lines: usize, cents: i64) -> impl Strategy<Value = Case> {
    let lot = (lot_kind(), owner(), any_currency(), 0..=cents, issued(), expires(), restriction());
    let line = (family(), tax(), select(vec!["a", "b"]), select(vec!["x", "y"]), 0..=cents);
    (vec(lot, 0..=lots), vec(line, 0..=lines)).prop_map(|(lots, lines)| Case {
        lots: lots.into_iter().enumerate().map(|(index, lot)| build_lot(index, lot)).collect(),
        lines: lines.into_iter().enumerate().map(|(index, line)| build_line(index, line)).collect(),
    })
}

/// Only lots that count, so that the brute force has something to judge.
pub(crate) fn eligible_case(lots: usize, lines: usize, cents: i64) -> impl Strategy<Value = Case> {
    let eligible = |case: &Case| {
        case.lots.iter().all(|lot| is_own(lot) && lot.is_alive_at(at()) && lot.currency() == Currency::EUR)
    };
    let lot = (
        lot_kind(),
        Just(Owner::Own),
        Just(Currency::EUR),
        1..=cents,
        Just(ISSUED[0]),
        alive(),
        restriction(),
    );
    let line = (family(), tax(), select(vec!["a", "b"]), Just("x"), 0..=cents);
    (vec(lot, 1..=lots), vec(line, 1..=lines))
        .prop_map(|(lots, lines)| Case {
            lots: lots.into_iter().enumerate().map(|(index, lot)| build_lot(index, lot)).collect(),
            lines: lines.into_iter().enumerate().map(|(index, line)| build_line(index, line)).collect(),
        })
        .prop_filter("every lot counts", eligible)
}

pub(crate) fn is_own(lot: &Lot) -> bool {
    match lot.owner() {
        LotOwner::Project(project) => project == PROJECT,
        LotOwner::Account(account) => account == ACCOUNT,
    }
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Own,
    Foreign,
}

type LotSeed = (LotKind, Owner, Currency, i64, &'static str, Option<&'static str>, Restriction);
type LineSeed = (PlanFamily, (TaxCategory, &'static str), &'static str, &'static str, i64);

const ISSUED: [&str; 3] = ["2027-01-01T00:00:00Z", "2027-04-01T06:00:00Z", "2027-04-01T06:00:00.000001Z"];

fn build_lot(index: usize, seed: LotSeed) -> Lot {
    let (kind, owner, currency, cents, issued, expires, restriction) = seed;
    let number = match owner {
        Owner::Own => 0,
        Owner::Foreign => 40,
    };
    let owner = match kind {
        LotKind::Voucher | LotKind::CloudCredit => LotOwner::Project(ProjectRef::from_u128(number + 2)),
        LotKind::LaunchPad | LotKind::Loyalty => LotOwner::Account(AccountRef::from_u128(number + 1)),
    };
    Lot::try_new(LotParts {
        id: LotId::from_u128(u128::try_from(index).expect("few lots")),
        kind,
        owner,
        initial: Money::new(cents.max(1), currency),
        remaining: Money::new(cents, currency),
        issued: instant(issued),
        expires: expires.map(instant),
        restriction,
    })
    .expect("a lot")
}

fn build_line(index: usize, seed: LineSeed) -> DueLine {
    let (family, (tax_category, rate), plan, resource, cents) = seed;
    DueLine {
        key: LineKey::from_u32(u32::try_from(index).expect("few lines")),
        family,
        tax_category,
        tax_rate: TaxRate::parse(rate).expect("a rate"),
        plan: plan.to_owned(),
        resource: resource.to_owned(),
        period: Month::parse("2027-03").expect("a month").period(),
        net: Money::new(cents, Currency::EUR),
    }
}

fn lot_kind() -> impl Strategy<Value = LotKind> {
    select(LotKind::ALL.to_vec())
}

fn owner() -> impl Strategy<Value = Owner> {
    prop_oneof![4 => Just(Owner::Own), 1 => Just(Owner::Foreign)]
}

fn any_currency() -> impl Strategy<Value = Currency> {
    prop_oneof![6 => Just(Currency::EUR), 1 => Just(Currency::USD)]
}

fn issued() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(ISSUED[0]), 1 => Just(ISSUED[1]), 1 => Just(ISSUED[2])]
}

fn alive() -> impl Strategy<Value = Option<&'static str>> {
    select(vec![None, Some("2027-04-01T06:00:00.000001Z"), Some("2028-01-01T00:00:00Z")])
}

fn expires() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![4 => alive(), 1 => Just(Some("2027-04-01T06:00:00Z")), 1 => Just(Some("2027-03-01T00:00:00Z"))]
}

fn restriction() -> impl Strategy<Value = Restriction> {
    let texts = vec![
        "",
        "",
        "INSTANCE",
        "STORAGE",
        "OPTION",
        "INSTANCE,STORAGE",
        "STORAGE,OPTION",
        "INSTANCE,OPTION",
    ];
    select(texts).prop_map(|text| Restriction::parse(text).expect("a restriction"))
}

fn family() -> impl Strategy<Value = PlanFamily> {
    select(PlanFamily::ALL.to_vec())
}

fn tax() -> impl Strategy<Value = (TaxCategory, &'static str)> {
    select(vec![
        (TaxCategory::Standard, "20"),
        (TaxCategory::Standard, "5.5"),
        (TaxCategory::ReverseCharge, "0"),
        (TaxCategory::OutOfScope, "0"),
    ])
}
