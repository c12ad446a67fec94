use std::time::Duration;

use florin_settlement::Currency;

use super::*;
use crate::domain::{
    life::DeletionCause,
    project::{Funding, Moved, ProjectName},
};

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

fn measured(text: &str) -> Measured {
    Measured::of(Quantity::parse(text).expect("a quantity")).expect("small enough")
}

fn event(instant: &str) -> UsageEvent {
    UsageEvent {
        account: AccountId::from_u128(1),
        project: ProjectId::from_u128(2),
        resource: ResourceId::from_u128(3),
        id: "e1".to_owned(),
        quantity: measured("1"),
        at: at(instant),
        label: String::new(),
    }
}

fn stretch(plan: &str, metered: bool, from: &str, to: Option<&str>) -> Stretch {
    Stretch { plan: PlanCode::parse(plan).expect("a code"), metered, from: at(from), to: to.map(at) }
}

fn project(id: u128) -> Project {
    let name = ProjectName::parse("Web").expect("a name");
    let (account, id) = (AccountId::from_u128(1), ProjectId::from_u128(id));
    Project::active(account, id, name, Funding::Voucher, Currency::EUR, at("2027-01-01T00:00:00Z"))
}

fn now(moved: Moved) -> Project {
    match moved {
        Moved::Now(project) => project,
        Moved::Before(project) | Moved::Impossible(project) => panic!("it did not move: {project:?}"),
    }
}

/// Metered from the 2nd to the 20th of March, by the hour in between.
fn life() -> Life {
    Life {
        project: project(2),
        stretches: vec![
            stretch("egress", true, "2027-03-02T00:00:00Z", Some("2027-03-10T00:00:00Z")),
            stretch("b3-8", false, "2027-03-10T00:00:00Z", Some("2027-03-15T00:00:00Z")),
            stretch("egress-2", true, "2027-03-15T00:00:00Z", Some("2027-03-20T00:00:00Z")),
        ],
        closed: None,
    }
}

fn placed(instant: &str, life: &Life) -> Result<HourKey, Refused> {
    place(&event(instant), Some(life), at("2027-04-01T12:00:00Z"), Acceptance::default())
}

#[test]
fn a_quantity_is_kept_to_its_tenth_decimal_and_sums_carry() {
    let sum = measured("0.9999999999").checked_add(measured("0.0000000002")).expect("fits");
    assert_eq!((sum.units(), sum.fraction()), (1, 1));
    assert_eq!(sum.quantity().expect("fits").value().to_string(), "1.0000000001");
    assert_eq!(Measured::stored(1, 25_000_000_000), Measured::stored(3, 5_000_000_000));
    assert_eq!(Measured::stored(-1, 0), None);
    assert_eq!(Measured::stored(i64::MAX, FRACTIONS), None);
    let most = measured("1000000000000");
    assert_eq!(most.units(), UNITS_MAX);
    assert!(Measured::of(Quantity::parse("1000000000000.0000000001").expect("a quantity")).is_none());
    assert_eq!(measured("3").scaled(1, 2), Some(measured("1.5")));
    assert_eq!(measured("1").scaled(1, 3), Some(measured("0.3333333333")));
    assert_eq!(measured("1").scaled(1, 0), None);
}

#[test]
fn an_event_counts_under_the_plan_held_at_its_instant() {
    let key = placed("2027-03-05T10:59:59Z", &life()).expect("placed");
    assert_eq!((key.plan.as_str(), key.hour), ("egress", at("2027-03-05T10:00:00Z")));
    let key = placed("2027-03-15T00:00:00Z", &life()).expect("placed");
    assert_eq!(key.plan.as_str(), "egress-2");
    let hourly = placed("2027-03-12T00:00:00Z", &life());
    assert_eq!(hourly, Err(Refused::NotMetered(PlanCode::parse("b3-8").expect("a code"))));
    for outside in ["2027-03-01T23:59:59Z", "2027-03-20T00:00:00Z", "2027-03-25T00:00:00Z"] {
        assert_eq!(placed(outside, &life()), Err(Refused::OutsideLifetime), "{outside}");
    }
}

#[test]
fn an_event_belongs_to_its_month_or_to_the_first_open_one() {
    let month = |text: &str| Month::parse(text).expect("a month");
    let of = |closed: Option<&str>| {
        let life = Life { closed: closed.map(month), ..life() };
        placed("2027-03-05T10:00:00Z", &life).expect("placed").billed_with
    };
    assert_eq!(of(None), month("2027-03"));
    assert_eq!(of(Some("2027-02")), month("2027-03"));
    assert_eq!(of(Some("2027-03")), month("2027-04"));
}

#[test]
fn instants_are_taken_from_the_window_to_a_little_ahead() {
    let open = Life { stretches: vec![stretch("egress", true, "2027-01-01T00:00:00Z", None)], ..life() };
    assert!(placed("2027-04-01T12:01:00Z", &open).is_ok());
    let now = at("2027-04-01T12:00:00Z");
    assert_eq!(placed("2027-04-01T12:01:00.000001Z", &open), Err(Refused::InFuture { now }));
    let since = at("2027-02-25T12:00:00Z");
    assert!(placed("2027-02-25T12:00:00Z", &open).is_ok());
    assert_eq!(placed("2027-02-25T11:59:59.999999Z", &open), Err(Refused::TooOld { since }));
}

#[test]
fn nothing_is_taken_of_what_is_unknown_foreign_or_over() {
    let now = at("2027-03-05T12:00:00Z");
    let event = event("2027-03-05T10:00:00Z");
    assert_eq!(place(&event, None, now, Acceptance::default()), Err(Refused::ResourceUnknown));
    let foreign = Life { project: project(9), ..life() };
    assert_eq!(place(&event, Some(&foreign), now, Acceptance::default()), Err(Refused::ResourceUnknown));
    let stopped = at("2027-03-05T11:00:00Z");
    let deleting = |grace| {
        let moved = project(2).begin_deletion(DeletionCause::Customer, Duration::from_secs(grace), stopped);
        Life { project: self::now(moved), ..life() }
    };
    assert!(
        place(&event, Some(&deleting(3601)), now, Acceptance::default()).is_ok(),
        "late, within the grace"
    );
    let over = Err(Refused::ProjectEnded(UsageClosed::GraceOver(now)));
    assert_eq!(place(&event, Some(&deleting(3600)), now, Acceptance::default()), over);
    let after = UsageEvent { at: stopped, ..event };
    let ended = Err(Refused::ProjectEnded(UsageClosed::MeteringStopped(stopped)));
    assert_eq!(place(&after, Some(&deleting(3601)), now, Acceptance::default()), ended);
}

#[test]
fn ids_and_labels_are_short_and_printable() {
    assert!(is_event_id("0198-abc_DEF/7:é".trim_end_matches('é')));
    for wrong in ["", "a b", "é", "tab\t", &"x".repeat(65)] {
        assert!(!is_event_id(wrong), "{wrong:?}");
    }
    assert!(is_event_id(&"x".repeat(64)) && is_label("") && is_label(&"é".repeat(255)));
    assert!(!is_label(&"x".repeat(256)) && !is_label("line\n"));
}

/// R5.4: hours and months are sums of the same events; what is late is a month of its own on the invoice that carries it.
#[test]
fn events_are_summed_by_hour_and_by_month() {
    let (april, march) = (Month::of(at("2027-04-02T00:00:00Z")), Month::of(at("2027-03-31T00:00:00Z")));
    let place = |hour: &str| HourKey {
        account: AccountId::from_u128(1),
        project: ProjectId::from_u128(2),
        billed_with: april,
        hour: at(hour),
        resource: ResourceId::from_u128(3),
        plan: PlanCode::parse("egress").expect("a code"),
    };
    let (late, first, last) =
        (place("2027-03-31T23:00:00Z"), place("2027-04-01T00:00:00Z"), place("2027-04-02T07:00:00Z"));
    let events = [(&last, "0.9999999999"), (&first, "2"), (&late, "5"), (&last, "0.0000000002")];
    let sums =
        Sums::of(events.iter().map(|(place, quantity)| (*place, measured(quantity)))).expect("it fits");
    let total = |quantity: &str, events| Total { quantity: measured(quantity), events };
    let hours = [(&late, total("5", 1)), (&first, total("2", 1)), (&last, total("1.0000000001", 2))];
    assert!(sums.hours.iter().map(|(key, total)| (key, *total)).eq(hours));
    let months = sums.months.iter().map(|(key, month)| (key.month, month.first, month.last, month.total));
    let expected = [
        (march, late.hour, late.hour, total("5", 1)),
        (april, first.hour, last.hour, total("3.0000000001", 3)),
    ];
    assert!(months.eq(expected), "{:?}", sums.months);
    let most = Measured::stored(i64::MAX, 0).expect("a sum");
    assert_eq!(Sums::of([(&first, most), (&last, most)].into_iter()), None, "a month that does not fit");
}
