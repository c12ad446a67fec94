//! How long a settlement takes: a usual one, and one far beyond any customer's.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use florin_settlement::{
    AccountRef, Currency, Due, DueLine, Instant, LineKey, Lot, LotId, LotKind, LotOwner, LotParts, Money,
    Month, PlanFamily, ProjectRef, Restriction, TaxCategory, TaxRate, plan,
};

const ACCOUNT: AccountRef = AccountRef::from_u128(1);
const PROJECT: ProjectRef = ProjectRef::from_u128(2);
const RESTRICTIONS: [&str; 5] = ["", "STORAGE", "INSTANCE,STORAGE", "OPTION", ""];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    settle(&mut criterion, "6 lots, 5 lines", 6, 5);
    settle(&mut criterion, "100 lots, 50 lines", 100, 50);
    prepare(&mut criterion, "50 lines in invoice order", 50);
    criterion.final_summary();
}

fn settle(criterion: &mut Criterion, name: &str, lots: u32, lines: u32) {
    let due = due(line_values(lines));
    // The lots together are worth about three quarters of what is due.
    let cents = due.total().minor() * 3 / 4 / i64::from(lots);
    let lots = (0..lots).rev().map(|index| lot(index, cents)).collect::<Vec<_>>();
    let at = instant("2027-04-01T06:00:00Z");
    criterion.bench_function(name, |bench| {
        bench.iter(|| plan(black_box(&due), black_box(&lots), black_box(at)).expect("a plan"));
    });
}

fn prepare(criterion: &mut Criterion, name: &str, lines: u32) {
    let values = line_values(lines);
    criterion.bench_function(name, |bench| bench.iter_batched(|| values.clone(), due, BatchSize::SmallInput));
}

fn due(lines: Vec<DueLine>) -> Due {
    Due::try_new(ACCOUNT, PROJECT, Currency::EUR, lines).expect("a due")
}

fn line_values(count: u32) -> Vec<DueLine> {
    let family = PlanFamily::ALL.into_iter().cycle();
    let line = |(index, family): (u32, PlanFamily)| DueLine {
        key: LineKey::from_u32(index),
        family,
        tax_category: TaxCategory::Standard,
        tax_rate: TaxRate::parse(if index % 7 == 0 { "5.5" } else { "20" }).expect("a rate"),
        plan: format!("plan-{}", index % 4),
        resource: format!("resource-{}", count - index),
        period: Month::parse("2027-03").expect("a month").period(),
        net: Money::new(1_000 + i64::from(index) * 37, Currency::EUR),
    };
    (0..count).zip(family).map(line).collect()
}

fn lot(index: u32, cents: i64) -> Lot {
    let number = usize::try_from(index).expect("few lots");
    let kind = LotKind::ALL[number % LotKind::ALL.len()];
    let owner = match kind {
        LotKind::Voucher | LotKind::CloudCredit => LotOwner::Project(PROJECT),
        LotKind::LaunchPad | LotKind::Loyalty => LotOwner::Account(ACCOUNT),
    };
    let amount = Money::new(cents, Currency::EUR);
    Lot::try_new(LotParts {
        id: LotId::from_u128(u128::from(index)),
        kind,
        owner,
        initial: amount,
        remaining: amount,
        issued: instant("2027-01-01T00:00:00Z"),
        expires: Some(instant("2028-01-01T00:00:00Z").plus_days(index % 10)),
        restriction: Restriction::parse(RESTRICTIONS[number % RESTRICTIONS.len()]).expect("a restriction"),
    })
    .expect("a lot")
}

fn instant(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}
