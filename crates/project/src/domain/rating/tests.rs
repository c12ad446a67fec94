use florin_settlement::{Decimal, PlanFamily};
use proptest::prelude::*;

use super::*;
use crate::domain::{
    plan::{Plan, PriceVersion, PricedPlan, Unit},
    tariff::{OwnPrice, OwnPrices},
};

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

const PLANS: [PlanRow; 13] = [
    ("b3-8", ChargeModel::Hourly, "hour", &[("2020-01-01", "0.111")]),
    ("b3-16", ChargeModel::Hourly, "hour", &[("2020-01-01", "0.222")]),
    ("moving", ChargeModel::Hourly, "hour", &[("2020-01-01", "0.1"), ("2027-03-10 12:00", "0.2")]),
    ("volume", ChargeModel::Hourly, "GiB-hour", &[("2020-01-01", "0.0000555556")]),
    ("vm", ChargeModel::Monthly, "month", &[("2020-01-01", "31")]),
    ("vm-large", ChargeModel::Monthly, "month", &[("2020-01-01", "62")]),
    ("bare", ChargeModel::Monthly, "month", &[("2020-01-01", "93"), ("2027-03-20", "100")]),
    ("seats", ChargeModel::Monthly, "seat-month", &[("2020-01-01", "31")]),
    ("deal", ChargeModel::Hourly, "hour", &[("2020-01-01", "1")]),
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
            timing: if ["bare", "seats"].contains(&text) { Timing::Advance } else { Timing::Arrears },
            retired: None,
            version: 1,
        };
        let versions = versions.iter().map(|(effective, euros)| PriceVersion {
            price: UnitPrice::parse(euros, Currency::EUR).expect("a price"),
            monthly: None,
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

/// Negotiated with the customer: half the price of `deal` for a while.
fn negotiated() -> OwnPrices {
    let price = UnitPrice::parse("0.5", Currency::EUR).expect("a price");
    let (effective, ends) = (at("2027-02-10 12:00"), Some(at("2027-03-20")));
    OwnPrices::from([(code("deal"), vec![OwnPrice { price, monthly: None, effective, ends }])])
}

fn rated(held: &[Held], period: Period, until: Instant) -> Result<Vec<Rated>, RatingError> {
    rate(held, &Tariff::new(Currency::EUR, &catalogue()).with_own(&negotiated()), period, until)
}

const SETTLED: &str = "2027-04-01 06:00";

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
fn the_end_of_the_calendar_is_rated_too() {
    let held = held("b3-8", "1", "9999-12-31 22:30", "");
    let lines = rated(&[held], month("9999-12"), Instant::MAX).expect("priced");
    assert_eq!(lines.len(), 1);
}

/// Hours and minutes after 2027-01-30: around three month ends and the price changes of `moving` and `licence`.
fn moments() -> impl Strategy<Value = Instant> {
    (0_u32..24 * 70, 0_u64..3600, any::<bool>()).prop_map(|(hours, seconds, full)| {
        let hour = at("2027-01-30").plus_hours(hours);
        if full { hour } else { hour.plus_seconds(seconds) }
    })
}

fn histories() -> impl Strategy<Value = Vec<Held>> {
    let plans = ["b3-8", "b3-16", "moving", "volume", "vm", "vm-large", "licence", "bare", "seats", "deal"];
    let step = (prop::sample::select(plans.to_vec()), 1_u32..500);
    (prop::collection::vec(moments(), 2..7), prop::collection::vec(step, 6), any::<bool>()).prop_map(
        |(mut moments, steps, runs)| {
            moments.sort_unstable();
            let last = moments.len() - 2;
            let stretches = moments.iter().zip(moments.iter().skip(1)).zip(steps).enumerate();
            stretches
                .map(|(index, ((from, to), (plan, gib)))| Held {
                    plan: code(plan),
                    size: if ["volume", "licence", "seats"].contains(&plan) {
                        Quantity::whole(gib)
                    } else {
                        Quantity::whole(1)
                    },
                    from: *from,
                    to: if runs && index == last { None } else { Some(*to) },
                })
                .collect()
        },
    )
}

/// Months of 28, 29, 30 and 31 days have this many parts in common.
const PARTS: u32 = 28 * 29 * 30 * 31;

/// The exact sums of what is charged, per plan, price version and month of the charge, before rounding: in
/// parts of a month's quantity, so that a full month and its days add up alike.
type Totals = BTreeMap<(PlanCode, Instant, Month), Decimal>;

fn quantities(held: &[Held], periods: &[Period], until: Instant) -> Totals {
    let mut totals = Totals::new();
    for period in periods {
        for line in rated(held, *period, until).expect("everything is priced") {
            let share = line.quantity.value() * Decimal::from(PARTS / line.divisor.get());
            *totals.entry((line.plan, line.price_effective, Month::of(line.period.from()))).or_default() +=
                share;
        }
    }
    totals
}

/// The whole time of [`histories`], and more.
fn whole() -> Period {
    Period::try_new(at("2027-01-30"), at("2027-01-30").plus_hours(24 * 75)).expect("not empty")
}

proptest! {
    /// R1.4: wherever it is cut, to the microsecond.
    #[test]
    fn splitting_a_period_anywhere_never_changes_the_sum(
        held in histories(),
        until in moments(),
        cuts in prop::collection::vec((moments(), 0_u64..1_000_000), 0..7),
    ) {
        let whole = whole();
        let mut bounds: Vec<_> = cuts
            .into_iter()
            .map(|(at, micros)| at.plus(std::time::Duration::from_micros(micros)))
            .filter(|at| whole.from() < *at && *at < whole.to())
            .chain([whole.from(), whole.to()])
            .collect();
        bounds.sort_unstable();
        bounds.dedup();
        let parts: Vec<_> = bounds
            .iter()
            .zip(bounds.iter().skip(1))
            .map(|(from, to)| Period::try_new(*from, *to).expect("in order"))
            .collect();
        prop_assert_eq!(quantities(&held, &[whole], until), quantities(&held, &parts, until));
    }

    /// Each month billed as it ends, with what is known then, comes to what is known in the end: nothing is billed
    /// twice, nothing is lost, whenever the next months are looked at.
    #[test]
    fn no_usage_is_billed_twice_or_lost_across_months(held in histories()) {
        let months = ["2027-01", "2027-02", "2027-03", "2027-04"].map(|text| Month::parse(text).expect("a month"));
        let end = months[3].end();
        let mut as_they_end = Totals::new();
        for month in months {
            for (key, share) in quantities(&held, &[month.period()], month.end()) {
                *as_they_end.entry(key).or_default() += share;
            }
        }
        let all = Period::try_new(months[0].start(), end).expect("in order");
        prop_assert_eq!(as_they_end, quantities(&held, &[all], end));
    }

    #[test]
    fn the_order_of_intervals_changes_nothing(
        (held, shuffled) in histories().prop_flat_map(|held| (Just(held.clone()), Just(held).prop_shuffle())),
        until in moments(),
    ) {
        prop_assert_eq!(rated(&held, whole(), until), rated(&shuffled, whole(), until));
    }

    #[test]
    fn no_hour_of_a_resource_is_charged_twice(held in histories(), until in moments()) {
        let hourly = ["b3-8", "b3-16", "moving", "deal"];
        let held: Vec<_> = held.into_iter().filter(|held| hourly.contains(&held.plan.as_str())).collect();
        let charged: Decimal = rated(&held, whole(), until)
            .expect("priced")
            .into_iter()
            .map(|line| line.quantity.value())
            .sum();
        let from = whole().from();
        let touched = (0..24 * 75).map(|hour| from.plus_hours(hour)).filter(|hour| {
            held.iter().filter(|held| held.from <= until).any(|held| {
                let end = held.to.unwrap_or(until).min(until).max(held.from);
                held.from.floor_hour() == *hour || (held.from < hour.plus_hours(1) && *hour < end)
            })
        });
        prop_assert_eq!(charged, Decimal::from(touched.count()));
    }

    /// R5.3: whatever it is resized to, a day of something charged by the month is charged once, from the first
    /// day due on.
    #[test]
    fn no_day_of_a_resource_is_charged_twice(held in histories()) {
        let monthly = ["vm", "vm-large"];
        let held: Vec<_> = held.into_iter().filter(|held| monthly.contains(&held.plan.as_str())).collect();
        let end = whole().to();
        let charged: Decimal = quantities(&held, &[whole()], end).into_values().sum();
        let expected: Decimal = ["2027-01", "2027-02", "2027-03", "2027-04"]
            .map(|text| Month::parse(text).expect("a month"))
            .into_iter()
            .map(|month| {
                let due = held.iter().filter_map(|held| {
                    let there = held.from < month.start() && held.to.is_none_or(|to| month.start() < to);
                    let starts = Month::of(held.from) == month;
                    if there { Some(1) } else { starts.then(|| held.from.day_of_month()) }
                });
                let days = month.days().get();
                let until_end = (end.micros() - month.start().micros()).div_euclid(86_400_000_000);
                let last = days.min(u32::try_from(until_end).expect("the months begin before the end"));
                due.min().map_or(0, |first| (last + 1).saturating_sub(first)) * (PARTS / days)
            })
            .map(Decimal::from)
            .sum();
        prop_assert_eq!(charged, expected);
    }

    /// In advance: what falls due at once within a month is never more than the month of the largest size.
    #[test]
    fn what_is_due_at_once_in_a_month_never_exceeds_the_month_of_the_largest_size(
        days in prop::collection::vec(0_u32..31, 1..6),
        sizes in prop::collection::vec(1_u32..9, 6),
    ) {
        let mut days = days;
        days.sort_unstable();
        let from = |day: u32| at("2027-03-01").plus_days(day).plus_hours(7);
        let held: Vec<_> = days
            .iter()
            .enumerate()
            .zip(&sizes)
            .map(|((index, day), size)| Held {
                plan: code("seats"),
                size: Quantity::whole(*size),
                from: from(*day),
                to: days.get(index + 1).map(|next| from(*next)),
            })
            .collect();
        let plans = catalogue();
        let tariff = Tariff::new(Currency::EUR, &plans);
        let mut charged = Decimal::ZERO;
        for (index, new) in held.iter().enumerate() {
            if let Some(due) = due_at_once(&held[..index], new, &tariff).expect("priced") {
                charged += due.quantity.value() * Decimal::from(31 / due.divisor.get());
            }
        }
        let largest = sizes[..held.len()].iter().max().copied().unwrap_or_default();
        prop_assert!(charged <= Decimal::from(31 * largest));
        prop_assert!(charged >= Decimal::from(sizes[0] * (31 - days[0])));
    }
}

#[test]
fn what_runs_burns_by_the_hour() {
    let plans = catalogue();
    let tariff = Tariff::new(Currency::EUR, &plans);
    let running = [(&code("b3-8"), Quantity::whole(1)), (&code("volume"), Quantity::whole(250))];
    let now = at("2027-03-04 09:40");
    let burn = burn_per_hour(running, &tariff, now).expect("priced");
    // 0.111 + 250 × 0.0000555556 = 0.1248889 an hour.
    assert_eq!(burn.for_hours(1000).expect("fits"), Money::new(12_489, Currency::EUR));
    assert_eq!(burn.for_hours(1).expect("fits"), Money::new(13, Currency::EUR), "rounded up");
    assert_eq!(burn.hours_lasting(Money::new(10_00, Currency::EUR)), Some(80));
    assert_eq!(burn.hours_lasting(Money::new(-1, Currency::EUR)), Some(0));
    assert_eq!(Burn::none(Currency::EUR).hours_lasting(Money::new(1, Currency::EUR)), None);
    // 31 euros over the 744 hours of March; nothing for what is measured.
    let monthly = [(&code("vm"), Quantity::whole(1)), (&code("object"), Quantity::whole(1))];
    let burn = burn_per_hour(monthly, &tariff, now).expect("priced");
    assert_eq!(burn.for_hours(744).expect("fits"), Money::new(31_01, Currency::EUR));
}

#[test]
fn starting_a_plan_costs_its_first_hour_or_the_days_to_the_month_end_at_once() {
    let plans = catalogue();
    let tariff = Tariff::new(Currency::EUR, &plans);
    let cost = |plan, size| {
        let cost = cost_of_starting(&code(plan), Quantity::whole(size), &tariff, at("2027-03-15 10:00"));
        let cost = cost.expect("priced");
        (cost.per_month.to_decimal().to_string(), cost.at_once.to_decimal().to_string())
    };
    assert_eq!(cost("b3-8", 1), ("79.92".to_owned(), "0.12".to_owned()));
    assert_eq!(cost("vm", 1), ("31.00".to_owned(), "17.00".to_owned()));
    assert_eq!(cost("seats", 3), ("93.00".to_owned(), "51.00".to_owned()));
    assert_eq!(cost("object", 1), ("0.00".to_owned(), "0.00".to_owned()));
}
