use florin_settlement::{Decimal, PlanFamily};
use proptest::prelude::*;

use super::*;
use crate::domain::plan::{Plan, PriceVersion, Unit};

fn at(text: &str) -> Instant {
    let text = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{}:00Z", text.replace(' ', "T")),
        _ => text.replace(' ', "T") + "Z",
    };
    Instant::parse(&text).expect("an instant")
}

fn code(text: &str) -> PlanCode {
    PlanCode::parse(text).expect("a code")
}

fn size(text: &str) -> Quantity {
    Quantity::parse(text).expect("a quantity")
}

fn month(text: &str) -> Period {
    Month::parse(text).expect("a month").period()
}

/// A plan: code, model, unit, and (effective, euros) of each price version.
type PlanRow = (&'static str, ChargeModel, &'static str, &'static [(&'static str, &'static str)]);

const PLANS: [PlanRow; 9] = [
    ("b3-8", ChargeModel::Hourly, "hour", &[("2020-01-01", "0.111")]),
    ("b3-16", ChargeModel::Hourly, "hour", &[("2020-01-01", "0.222")]),
    ("moving", ChargeModel::Hourly, "hour", &[("2020-01-01", "0.1"), ("2027-03-10 12:00", "0.2")]),
    ("volume", ChargeModel::Hourly, "GiB-hour", &[("2020-01-01", "0.0000555556")]),
    ("vm", ChargeModel::Monthly, "month", &[("2020-01-01", "31")]),
    ("licence", ChargeModel::Monthly, "vCPU-month", &[("2020-01-01", "10"), ("2027-03-15", "20")]),
    ("thirds", ChargeModel::Monthly, "month", &[("2020-01-01", "100")]),
    ("object", ChargeModel::Metered, "GiB-hour", &[("2020-01-01", "0.00001")]),
    ("late", ChargeModel::Hourly, "hour", &[("2028-01-01", "1")]),
];

fn catalogue() -> BTreeMap<PlanCode, PricedPlan> {
    let priced = |(text, model, unit, versions): PlanRow| {
        let plan = Plan {
            code: code(text),
            display_name: text.to_owned(),
            family: PlanFamily::Instance,
            model,
            unit: Unit::parse(unit, model).expect("a unit"),
            retired: None,
        };
        let versions = versions.iter().map(|(effective, euros)| PriceVersion {
            price: UnitPrice::parse(euros, Currency::EUR).expect("a price"),
            effective: at(effective),
        });
        (plan.code.clone(), PricedPlan::new(plan, versions))
    };
    PLANS.into_iter().map(priced).collect()
}

fn held(plan: &str, gib: &str, from: &str, to: &str) -> Held {
    let to = if to.is_empty() { None } else { Some(at(to)) };
    Held { plan: code(plan), size: size(gib), from: at(from), to }
}

fn rated(held: &[Held], period: Period, until: Instant) -> Result<Vec<Rated>, RatingError> {
    rate(held, &Tariff::new(Currency::EUR, &catalogue()), period, until)
}

/// One line as finance would write it: plan quantity[/divisor] × price = net [from, to).
fn written(line: &Rated) -> String {
    let divisor = if line.divisor.get() == 1 { String::new() } else { format!("/{}", line.divisor) };
    let short = |at: Instant| at.to_string()[5..13].replace('T', " ");
    let (from, to) = (short(line.period.from()), short(line.period.to()));
    let Rated { plan, quantity, unit_price, net, .. } = line;
    format!("{plan} {quantity}{divisor} × {} = {} [{from}, {to})", unit_price.amount(), net.to_decimal())
}

/// What a resource held: plan, size, from, to; an empty `to` still runs.
type HeldRow = (&'static str, &'static str, &'static str, &'static str);

/// A law; what one resource held, rated for a month as known at an instant; the lines.
type Case = (&'static str, &'static [HeldRow], &'static str, &'static str, &'static [&'static str]);

const SETTLED: &str = "2027-04-01 06:00";

#[rustfmt::skip]
const CASES: [Case; 31] = [
    // R5.2: every wall-clock hour touched.
    ("the 4th 09:40 to the 12th 16:30 is 200 hours",
        &[("b3-8", "1", "2027-03-04 09:40", "2027-03-12 16:30")], "2027-03", SETTLED,
        &["b3-8 200 × 0.111 = 22.20 [03-04 09, 03-12 17)"]),
    ("250 GiB from the 8th 10:00 to the 12th 16:30 is 103 hours of 250 GiB",
        &[("volume", "250", "2027-03-08 10:00", "2027-03-12 16:30")], "2027-03", SETTLED,
        &["volume 25750 × 0.0000555556 = 1.43 [03-08 10, 03-12 17)"]),
    ("created and removed within an hour is one hour",
        &[("b3-8", "1", "2027-03-04 09:10", "2027-03-04 09:50")], "2027-03", SETTLED,
        &["b3-8 1 × 0.111 = 0.11 [03-04 09, 03-04 10)"]),
    ("created and removed at the same instant is one hour",
        &[("b3-8", "1", "2027-03-04 09:10:30", "2027-03-04 09:10:30")], "2027-03", SETTLED,
        &["b3-8 1 × 0.111 = 0.11 [03-04 09, 03-04 10)"]),
    ("created and removed at the same full hour is one hour",
        &[("b3-8", "1", "2027-03-04 09:00", "2027-03-04 09:00")], "2027-03", SETTLED,
        &["b3-8 1 × 0.111 = 0.11 [03-04 09, 03-04 10)"]),
    ("removed on the hour does not touch the next one",
        &[("b3-8", "1", "2027-03-04 09:00", "2027-03-04 10:00")], "2027-03", SETTLED,
        &["b3-8 1 × 0.111 = 0.11 [03-04 09, 03-04 10)"]),
    ("a second before and after the hour touches two hours",
        &[("b3-8", "1", "2027-03-04 09:59:59", "2027-03-04 10:00:01")], "2027-03", SETTLED,
        &["b3-8 2 × 0.111 = 0.22 [03-04 09, 03-04 11)"]),
    ("a whole month of 31 days is 744 hours, running or stopped",
        &[("b3-8", "1", "2027-01-15", "")], "2027-03", SETTLED,
        &["b3-8 744 × 0.111 = 82.58 [03-01 00, 04-01 00)"]),
    ("a leap February has 696 hours",
        &[("b3-8", "1", "2028-01-15", "")], "2028-02", "2028-03-01 06:00",
        &["b3-8 696 × 0.111 = 77.26 [02-01 00, 03-01 00)"]),
    ("an ordinary February has 672 hours",
        &[("b3-8", "1", "2027-01-15", "")], "2027-02", "2027-03-01 06:00",
        &["b3-8 672 × 0.111 = 74.59 [02-01 00, 03-01 00)"]),
    ("the last hour of a month belongs to it and the first of the next does not",
        &[("b3-8", "1", "2027-03-31 23:30", "2027-04-01 00:30")], "2027-03", SETTLED,
        &["b3-8 1 × 0.111 = 0.11 [03-31 23, 04-01 00)"]),
    ("and the other hour belongs to the next month",
        &[("b3-8", "1", "2027-03-31 23:30", "2027-04-01 00:30")], "2027-04", "2027-05-01 06:00",
        &["b3-8 1 × 0.111 = 0.11 [04-01 00, 04-01 01)"]),
    ("removed at midnight of the 1st is not charged in the new month",
        &[("b3-8", "1", "2027-03-04 09:40", "2027-04-01")], "2027-04", "2027-05-01 06:00", &[]),
    ("nothing is due before it is there",
        &[("b3-8", "1", "2027-04-01", "")], "2027-03", SETTLED, &[]),
    ("what runs is counted up to now, the begun hour included",
        &[("b3-8", "1", "2027-03-04 09:40", "")], "2027-03", "2027-03-04 11:05",
        &["b3-8 3 × 0.111 = 0.33 [03-04 09, 03-04 12)"]),
    ("just created, it is charged its first hour",
        &[("b3-8", "1", "2027-03-04 09:40", "")], "2027-03", "2027-03-04 09:40",
        &["b3-8 1 × 0.111 = 0.11 [03-04 09, 03-04 10)"]),
    // R5.1: the price in force when it happened; one line per price version.
    ("a price that changes mid-month on the hour gives two lines",
        &[("moving", "1", "2027-03-10 09:40", "2027-03-10 14:10")], "2027-03", SETTLED,
        &["moving 3 × 0.1 = 0.30 [03-10 09, 03-10 12)", "moving 3 × 0.2 = 0.60 [03-10 12, 03-10 15)"]),
    ("an old price rates what ended before the new one",
        &[("moving", "1", "2027-03-10 09:40", "2027-03-10 12:00")], "2027-03", SETTLED,
        &["moving 3 × 0.1 = 0.30 [03-10 09, 03-10 12)"]),
    // R5.2: an hour under two plans is charged once, at the dearer.
    ("an hour touched under two plans is charged once, at the dearer",
        &[("b3-8", "1", "2027-03-04 09:00", "2027-03-04 10:30"), ("b3-16", "1", "2027-03-04 10:30", "2027-03-04 12:00")],
        "2027-03", SETTLED,
        &["b3-16 2 × 0.222 = 0.44 [03-04 10, 03-04 12)", "b3-8 1 × 0.111 = 0.11 [03-04 09, 03-04 10)"]),
    ("back and forth within one hour is one hour of the dearer",
        &[("b3-8", "1", "2027-03-04 09:00", "2027-03-04 09:10"), ("b3-16", "1", "2027-03-04 09:10", "2027-03-04 09:20"),
          ("b3-8", "1", "2027-03-04 09:20", "2027-03-04 09:50")],
        "2027-03", SETTLED, &["b3-16 1 × 0.222 = 0.22 [03-04 09, 03-04 10)"]),
    // R5.4: storage at the largest size held in each hour.
    ("storage is charged at the largest size held in each hour",
        &[("volume", "100", "2027-03-08 10:00", "2027-03-08 12:30"), ("volume", "250", "2027-03-08 12:30", "2027-03-08 14:00")],
        "2027-03", SETTLED, &["volume 700 × 0.0000555556 = 0.04 [03-08 10, 03-08 14)"]),
    ("storage that shrinks keeps its size for the hour begun",
        &[("volume", "250", "2027-03-08 10:00", "2027-03-08 12:30"), ("volume", "100", "2027-03-08 12:30", "2027-03-08 14:00")],
        "2027-03", SETTLED, &["volume 850 × 0.0000555556 = 0.05 [03-08 10, 03-08 14)"]),
    ("a size may have decimals",
        &[("volume", "0.5", "2027-03-01", "")], "2027-03", SETTLED,
        &["volume 372 × 0.0000555556 = 0.02 [03-01 00, 04-01 00)"]),
    // R5.3: months.
    ("the month of activation is pro-rated by days, the start day included",
        &[("vm", "1", "2027-03-15 23:59", "")], "2027-03", SETTLED,
        &["vm 17/31 × 31 = 17.00 [03-15 00, 04-01 00)"]),
    ("activated on the 1st, however late, pays the full month",
        &[("vm", "1", "2027-03-01 23:59", "")], "2027-03", SETTLED,
        &["vm 1 × 31 = 31.00 [03-01 00, 04-01 00)"]),
    ("there on the 1st pays the full month, and removal does not reduce it",
        &[("vm", "1", "2027-02-10", "2027-03-02")], "2027-03", SETTLED,
        &["vm 1 × 31 = 31.00 [03-01 00, 04-01 00)"]),
    ("removed in the month of activation still pays its pro-rata",
        &[("vm", "1", "2027-03-15", "2027-03-15")], "2027-03", SETTLED,
        &["vm 17/31 × 31 = 17.00 [03-15 00, 04-01 00)"]),
    ("removed by the 1st pays nothing for the new month",
        &[("vm", "1", "2027-02-10", "2027-03-01")], "2027-03", SETTLED, &[]),
    ("a pro-rata is rounded once, also in a leap February",
        &[("thirds", "1", "2028-02-10", "")], "2028-02", "2028-03-01 06:00",
        &["thirds 20/29 × 100 = 68.97 [02-10 00, 03-01 00)"]),
    ("a monthly size is charged at the price in force on the day it falls due",
        &[("licence", "4", "2027-03-14 12:00", "2027-03-20"), ("licence", "8", "2027-03-20", "")], "2027-03", SETTLED,
        &["licence 72/31 × 10 = 23.23 [03-14 00, 04-01 00)", "licence 96/31 × 20 = 61.94 [03-20 00, 04-01 00)"]),
    // R5.4: what is measured comes as events.
    ("a metered plan is not charged for being there",
        &[("object", "1", "2027-03-01", "")], "2027-03", SETTLED, &[]),
];

#[test]
fn the_table_of_rating_cases_holds() {
    for (law, intervals, of, until, expected) in CASES {
        let intervals: Vec<_> =
            intervals.iter().map(|(plan, gib, from, to)| held(plan, gib, from, to)).collect();
        let lines = rated(&intervals, month(of), at(until)).expect("everything is priced");
        assert_eq!(lines.iter().map(written).collect::<Vec<_>>(), expected, "{law}");
    }
}

#[test]
fn the_worked_example_comes_to_23_euros_63() {
    let instance = held("b3-8", "1", "2027-03-04 09:40", "2027-03-12 16:30");
    let volume = held("volume", "250", "2027-03-08 10:00", "2027-03-12 16:30");
    let of = |held| rated(&[held], month("2027-03"), at(SETTLED)).expect("priced").remove(0);
    let (instance, volume) = (of(instance), of(volume));
    assert_eq!((instance.quantity, instance.net), (Quantity::whole(200), Money::new(22_20, Currency::EUR)));
    assert_eq!((volume.quantity, volume.net), (Quantity::whole(103 * 250), Money::new(1_43, Currency::EUR)));
    assert_eq!(instance.net.checked_add(volume.net), Ok(Money::new(23_63, Currency::EUR)));
}

#[test]
fn a_switch_from_hours_to_months_keeps_the_hour_of_the_switch_hourly() {
    let before = held("b3-8", "1", "2027-03-14 09:00", "2027-03-14 10:20");
    let after = held("vm", "1", "2027-03-14 10:20", "");
    let lines = rated(&[before, after], month("2027-03"), at(SETTLED)).expect("priced");
    let lines: Vec<_> = lines.iter().map(written).collect();
    assert_eq!(
        lines,
        ["b3-8 2 × 0.111 = 0.22 [03-14 09, 03-14 11)", "vm 18/31 × 31 = 18.00 [03-14 00, 04-01 00)"]
    );
}

#[test]
fn usage_without_a_price_is_an_error_and_never_free() {
    let late = held("late", "1", "2027-03-14 09:00", "");
    let refused = rated(&[late], month("2027-03"), at(SETTLED));
    assert!(matches!(refused, Err(RatingError::Unpriced { .. })), "{refused:?}");
    let unknown = held("gone", "1", "2027-03-14 09:00", "");
    assert_eq!(rated(&[unknown], month("2027-03"), at(SETTLED)), Err(RatingError::UnknownPlan(code("gone"))));
}

#[test]
fn the_end_of_the_calendar_is_rated_too() {
    let held = held("b3-8", "1", "9999-12-31 22:30", "");
    let lines = rated(&[held], month("9999-12"), Instant::MAX).expect("priced");
    assert_eq!(lines.len(), 1);
}

/// Hours and minutes after 2027-01-30: around two month ends and the price change of `moving`.
fn moments() -> impl Strategy<Value = Instant> {
    (0_u32..24 * 70, 0_u64..3600)
        .prop_map(|(hours, seconds)| at("2027-01-30").plus_hours(hours).plus_seconds(seconds))
}

fn histories() -> impl Strategy<Value = Vec<Held>> {
    let step = (prop::sample::select(vec!["b3-8", "b3-16", "moving", "volume", "vm", "licence"]), 1_u32..500);
    (prop::collection::vec(moments(), 2..6), prop::collection::vec(step, 5), any::<bool>()).prop_map(
        |(mut moments, steps, runs)| {
            moments.sort_unstable();
            let last = moments.len() - 2;
            let stretches = moments.iter().zip(moments.iter().skip(1)).zip(steps).enumerate();
            stretches
                .map(|(index, ((from, to), (plan, gib)))| Held {
                    plan: code(plan),
                    size: if plan == "volume" { Quantity::whole(gib) } else { Quantity::whole(1) },
                    from: *from,
                    to: if runs && index == last { None } else { Some(*to) },
                })
                .collect()
        },
    )
}

type Totals = BTreeMap<(PlanCode, Instant, NonZeroU32), Decimal>;

fn quantities(held: &[Held], periods: &[Period], until: Instant) -> Totals {
    let mut totals = Totals::new();
    for period in periods {
        for line in rated(held, *period, until).expect("everything is priced") {
            *totals.entry((line.plan, line.price_effective, line.divisor)).or_default() +=
                line.quantity.value();
        }
    }
    totals
}

proptest! {
    #[test]
    fn splitting_a_period_on_the_hour_never_changes_the_summed_quantity(
        held in histories(),
        until in moments(),
        mut cuts in prop::collection::vec(1_u32..24 * 69, 0..6),
    ) {
        let (from, to) = (at("2027-01-30"), at("2027-01-30").plus_hours(24 * 70));
        cuts.sort_unstable();
        cuts.dedup();
        let inner = cuts.iter().map(|hours| from.plus_hours(*hours));
        let bounds: Vec<_> = [from].into_iter().chain(inner).chain([to]).collect();
        let parts: Vec<_> = bounds
            .iter()
            .zip(bounds.iter().skip(1))
            .map(|(from, to)| Period::try_new(*from, *to).expect("in order"))
            .collect();
        let whole = Period::try_new(from, to).expect("not empty");
        prop_assert_eq!(quantities(&held, &[whole], until), quantities(&held, &parts, until));
    }

    #[test]
    fn no_hour_of_a_resource_is_charged_twice(held in histories(), until in moments()) {
        let hourly = ["b3-8", "b3-16", "moving"];
        let held: Vec<_> = held.into_iter().filter(|held| hourly.contains(&held.plan.as_str())).collect();
        let (from, to) = (at("2027-01-30"), at("2027-01-30").plus_hours(24 * 71));
        let charged: Decimal = quantities(&held, &[Period::try_new(from, to).expect("not empty")], until).into_values().sum();
        let touched = (0..24 * 71).map(|hour| from.plus_hours(hour)).filter(|hour| {
            held.iter().filter(|held| held.from <= until).any(|held| {
                let end = held.to.unwrap_or(until).min(until).max(held.from);
                held.from.floor_hour() == *hour || (held.from < hour.plus_hours(1) && *hour < end)
            })
        });
        prop_assert_eq!(charged, Decimal::from(touched.count()));
    }
}
