use super::*;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

fn rate(price: &str, size: u32) -> HourlyRate {
    let price = UnitPrice::parse(price, Currency::EUR).expect("a price");
    HourlyRate::of(price, Quantity::whole(size)).expect("it fits")
}

/// 30.00 of own credit, 1.11 used up to 09:00, 0.111 an hour.
fn standing() -> Standing {
    Standing {
        account: AccountId::NONE,
        project: ProjectId::from_u128(1),
        state: ProjectState::Active,
        currency: Currency::EUR,
        in_debt: false,
        prepaid_only: false,
        spend_cap: None,
        own: 3_000,
        shared: 0,
        others: 0,
        others_rate: HourlyRate::ZERO,
        unbilled: 111,
        spent: 111,
        reserved: 0,
        accrual: rate("0.111", 1),
        conversion: HourlyRate::ZERO,
        burn: rate("0.111", 1),
        in_use: [1, 0, 0],
        quotas: Quotas::default(),
        restricted: None,
        cap_reached: false,
        exhausted: false,
        unrated: false,
        through: at("2027-03-10T09:00:00Z"),
        valid_until: at("2027-04-01T00:00:00Z"),
    }
}

fn something(estimate: i64) -> Wanted {
    let estimate = Money::new(estimate, Currency::EUR);
    Wanted::Something { family: PlanFamily::Instance, count: 1, estimate }
}

#[test]
fn use_grows_with_every_hour_begun_and_what_is_available_falls_by_it() {
    let standing = standing();
    for (text, hours, used) in [
        ("2027-03-10T08:59:59.999999Z", 0, 111),
        ("2027-03-10T09:00:00Z", 1, 123),
        ("2027-03-10T09:59:59Z", 1, 123),
        ("2027-03-10T18:30:00Z", 10, 222),
    ] {
        assert_eq!(standing.hours_at(at(text)), hours, "{text}");
        assert_eq!(standing.spent_at(at(text)), used, "{text}");
        assert_eq!(standing.available_at(at(text)), 3_000 - used, "{text}");
    }
    assert_eq!(standing.instant_of(10), at("2027-03-10T18:00:00Z"));
}

#[test]
fn a_hold_that_turns_into_use_changes_nothing_of_what_is_available() {
    let held = Standing { reserved: 2_000, conversion: rate("0.111", 1), ..standing() };
    assert_eq!(held.available_at(at("2027-03-10T08:30:00Z")), 889);
    assert_eq!(held.available_at(at("2027-03-10T18:30:00Z")), 889);
    assert_eq!(held.spent_at(at("2027-03-10T18:30:00Z")), 222);
}

#[test]
fn the_runway_is_what_is_available_at_the_present_burn() {
    let now = at("2027-03-10T08:30:00Z");
    assert_eq!(standing().runway_at(now), Some((3_000 - 111) * 3600 * 10 / 111));
    assert_eq!(Standing { own: 50, ..standing() }.runway_at(now), Some(0));
    assert_eq!(Standing { burn: HourlyRate::ZERO, ..standing() }.runway_at(now), None);
}

#[test]
fn what_siblings_need_of_the_shared_credit_cannot_be_counted_on() {
    let now = at("2027-03-10T08:30:00Z");
    let shared = Standing { shared: 1_000, others: 400, ..standing() };
    assert_eq!(shared.available_at(now), 3_000 - 111 + 600);
    let growing = Standing { others_rate: rate("1", 1), ..shared };
    assert_eq!(growing.available_at(at("2027-03-10T10:30:00Z")), 3_000 - 134 + 400);
    // What they need beyond it is theirs to owe.
    assert_eq!(growing.available_at(at("2027-03-10T20:30:00Z")), 3_000 - 245);
}

#[test]
fn every_reason_is_named_at_once() {
    let now = at("2027-03-10T08:30:00Z");
    let all = Standing {
        state: ProjectState::Suspended,
        in_debt: true,
        prepaid_only: true,
        spend_cap: Some(111),
        own: 0,
        quotas: [Some(1), None, None],
        ..standing()
    };
    let denials = denials(&all, &something(266), now);
    let eur = |minor| Money::new(minor, Currency::EUR);
    assert_eq!(
        denials,
        [
            Denial::ProjectNotActive(ProjectState::Suspended),
            Denial::DebtUnpaid,
            Denial::SpendCapReached { spent: eur(111), cap: eur(111) },
            Denial::FundsExhausted { available: eur(-111), estimate: eur(266) },
            Denial::QuotaExceeded { family: PlanFamily::Instance, quota: 1, in_use: 1 },
        ]
    );
}

#[test]
fn only_a_prepaid_only_project_minds_that_too_little_is_available() {
    let now = at("2027-03-10T08:30:00Z");
    let denied = |standing: &Standing, estimate| !denials(standing, &something(estimate), now).is_empty();
    let prepaid = Standing { prepaid_only: true, ..standing() };
    assert!(!denied(&prepaid, 2_889));
    assert!(denied(&prepaid, 2_890));
    assert!(!denied(&standing(), 2_890));
    // What is metered is estimated at nothing, and still needs something to begin with.
    assert!(denied(&Standing { own: 111, ..prepaid.clone() }, 0));
    assert!(!denied(&Standing { own: 112, ..prepaid }, 0));
}

#[test]
fn a_cap_of_nothing_is_reached_at_once_and_a_crossing_is_foretold_to_the_hour() {
    let now = at("2027-03-10T08:30:00Z");
    assert!(Standing { spend_cap: Some(0), spent: 0, ..standing() }.is_capped_at(now));
    for cap in 112..=180 {
        let capped = Standing { spend_cap: Some(cap), ..standing() };
        assert!(!capped.is_capped_at(now));
        let crossing = capped.next_crossing(now).expect("time alone reaches it");
        assert!(capped.is_capped_at(crossing), "{cap}");
        let before = crossing.minus(std::time::Duration::from_micros(1));
        assert!(!capped.is_capped_at(before), "{cap} is not reached before {crossing}");
    }
    for own in 112..=180 {
        let prepaid = Standing { prepaid_only: true, own, ..standing() };
        let crossing = prepaid.next_crossing(now).expect("time alone exhausts it");
        assert!(prepaid.is_exhausted_at(crossing));
        let before = crossing.minus(std::time::Duration::from_micros(1));
        assert!(!prepaid.is_exhausted_at(before), "{own} lasts until {crossing}");
    }
    let far = Standing { spend_cap: Some(i64::MAX), ..standing() };
    assert_eq!(far.next_crossing(now), None);
}

#[test]
fn credit_restricted_to_storage_pays_for_no_instance() {
    let now = at("2027-03-10T08:30:00Z");
    // 10.00 for STORAGE only, 5.00 for anything; 1.11 of instances used.
    let storage = |set| contains(set, place(PlanFamily::Storage));
    let mut own = [500; SETS];
    for (set, amount) in own.iter_mut().enumerate().filter(|(set, _)| storage(*set)) {
        let _ = set;
        *amount += 1_000;
    }
    let restricted = Restricted { own, unbilled: [111, 0, 0], ..Restricted::default() };
    let standing = Standing { own: 1_500, restricted: Some(Box::new(restricted)), ..standing() };
    assert_eq!(standing.available_at(now), 1_389);
    assert_eq!(standing.available_for(PlanFamily::Instance, now), 389);
    assert_eq!(standing.available_for(PlanFamily::Option, now), 389);
    assert_eq!(standing.available_for(PlanFamily::Storage, now), 1_389);
}

#[test]
fn a_rate_is_exact_and_written_without_needless_digits() {
    let volume = rate("0.0000555556", 250);
    assert_eq!(volume.value().map(|value| value.to_string()).as_deref(), Some("0.0138889"));
    assert_eq!(HourlyRate::read(volume.value().expect("it fits")), Some(volume));
    assert_eq!(volume.minor(103, Currency::EUR), 144);
    assert_eq!(volume.minor(0, Currency::EUR), 0);
    assert_eq!(rate("0.01", 1).minor(3, Currency::EUR), 3);
    assert_eq!(rate("0.01", 1).hours(3, Currency::EUR), Some(3));
    assert_eq!(HourlyRate::ZERO.hours(3, Currency::EUR), None);
}
