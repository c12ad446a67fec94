use florin_settlement::{
    AccountRef, LotId, LotKind, LotOwner, LotParts, Money, Quantity, Restriction, UnitPrice,
};

use super::*;
use crate::domain::plan::PlanCode;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

const NOW: &str = "2027-03-10T08:30:00Z";
const WEB: u128 = 1;
const SHOP: u128 = 2;

fn lot(project: Option<u128>, minor: i64, expires: &str) -> Lot {
    let (kind, owner) = match project {
        Some(project) => (LotKind::CloudCredit, LotOwner::Project(ProjectRef::from_u128(project))),
        None => (LotKind::LaunchPad, LotOwner::Account(AccountRef::from_u128(9))),
    };
    Lot::try_new(LotParts {
        id: LotId::from_u128(7),
        kind,
        owner,
        initial: Money::new(minor, Currency::EUR),
        remaining: Money::new(minor, Currency::EUR),
        issued: at("2027-01-01T00:00:00Z"),
        expires: Some(at(expires)),
        restriction: Restriction::Unrestricted,
    })
    .expect("a lot")
}

fn running(resource: u128, price: &str) -> Running {
    let price = UnitPrice::parse(price, Currency::EUR).expect("a price");
    let rate = HourlyRate::of(price, Quantity::whole(1)).expect("it fits");
    let (resource, family) = (ResourceId::from_u128(resource), PlanFamily::Instance);
    Running { resource, family, accrual: rate, burn: rate, changes: None }
}

fn used(resource: u128, month: &str, net: i64) -> Used {
    let month = Some(Month::parse(month).expect("a month"));
    Used { resource: ResourceId::from_u128(resource), family: PlanFamily::Instance, month, net }
}

fn project(id: u128) -> ProjectFacts {
    ProjectFacts {
        project: ProjectId::from_u128(id),
        state: ProjectState::Active,
        currency: Currency::EUR,
        spend_cap: None,
        prepaid_only: false,
        quotas: Quotas::default(),
        told: Told::default(),
        unbilled_from: at("2027-03-01T00:00:00Z"),
        used: Some(Vec::new()),
        running: Vec::new(),
        holds: Vec::new(),
    }
}

fn account(lots: Vec<Lot>, projects: Vec<ProjectFacts>) -> AccountFacts {
    AccountFacts { account: AccountId::from_u128(9), delay_seconds: 21_600, in_debt: false, lots, projects }
}

fn hold(id: u128, amount: i64, resource: Option<u128>) -> Hold {
    Hold {
        account: AccountId::from_u128(9),
        id: HoldId::from_u128(id),
        project: ProjectId::from_u128(WEB),
        plan: PlanCode::parse("b3-8").expect("a code"),
        family: PlanFamily::Instance,
        size: Quantity::whole(1),
        count: 1,
        used: i64::from(resource.is_some()),
        unit_amount: Money::new(amount, Currency::EUR),
        cover_hours: 24,
        resource: resource.map(ResourceId::from_u128),
        created: at("2027-03-10T08:00:00Z"),
        expires: at("2027-03-11T08:00:00Z"),
        ended: None,
    }
}

fn only(facts: &AccountFacts, now: &str) -> Reckoned {
    let mut all = reckon(facts, at(now));
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn only_lots_that_are_alive_at_the_next_settlement_count() {
    for (expires, counts) in [
        ("2027-03-31T23:59:59Z", 0),
        ("2027-04-01T06:00:00Z", 0),
        ("2027-04-01T06:00:01Z", 500),
        ("2028-03-01T00:00:00Z", 500),
    ] {
        let facts =
            account(vec![lot(Some(WEB), 500, expires), lot(Some(SHOP), 900, expires)], vec![project(WEB)]);
        assert_eq!(only(&facts, NOW).standing.own, counts, "{expires}");
    }
}

#[test]
fn until_a_month_is_invoiced_what_ends_before_the_next_settlement_pays_for_it_and_no_more() {
    let lots = vec![lot(Some(WEB), 500, "2027-04-05T00:00:00Z"), lot(Some(WEB), 300, "2028-01-01T00:00:00Z")];
    let late = |used| account(lots.clone(), vec![ProjectFacts { used: Some(used), ..project(WEB) }]);
    let now = "2027-04-01T02:00:00Z";
    let reckoned = only(&late(vec![used(1, "2027-03", 200)]), now).standing;
    assert_eq!((reckoned.own, reckoned.unbilled, reckoned.spent), (500, 200, 0));
    assert_eq!(reckoned.available_at(at(now)), 300);
    let much = only(&late(vec![used(1, "2027-03", 700), used(1, "2027-04", 50)]), now).standing;
    assert_eq!((much.own, much.unbilled, much.spent), (800, 750, 50));
    assert_eq!(only(&late(Vec::new()), now).standing.own, 300);
}

#[test]
fn what_is_invoiced_is_no_longer_committed_and_still_spent() {
    let facts = ProjectFacts {
        unbilled_from: at("2027-04-01T00:00:00Z"),
        used: Some(vec![used(1, "2027-03", 200)]),
        ..project(WEB)
    };
    let reckoned = only(&account(Vec::new(), vec![facts]), NOW).standing;
    assert_eq!((reckoned.unbilled, reckoned.spent), (0, 200));
}

#[test]
fn a_sibling_draws_on_the_accounts_credit_only_when_its_own_is_used_up() {
    let lots = vec![lot(None, 1_000, "2028-01-01T00:00:00Z"), lot(Some(SHOP), 100, "2028-01-01T00:00:00Z")];
    let shop = ProjectFacts {
        used: Some(vec![used(5, "2027-03", 80)]),
        running: vec![running(5, "0.10")],
        ..project(SHOP)
    };
    let facts = account(lots, vec![project(WEB), shop]);
    let all = reckon(&facts, at(NOW));
    let (web, shop) = (&all[0].standing, &all[1].standing);
    assert_eq!(web.available_at(at(NOW)), 1_000);
    assert_eq!(shop.available_at(at(NOW)), 1_020);
    // Of its 20 left, 2 hours use it up: from the third on it draws on the account's.
    assert_eq!(web.valid_until, web.instant_of(3));
    let later = web.instant_of(3);
    let later_facts = AccountFacts {
        projects: vec![
            project(WEB),
            ProjectFacts { used: Some(vec![used(5, "2027-03", 110)]), ..facts.projects[1].clone() },
        ],
        ..facts
    };
    let web = reckon(&later_facts, later).remove(0).standing;
    assert_eq!((web.others, web.available_at(later)), (10, 990));
    assert_eq!(web.available_at(later.plus_hours(5)), 940);
    assert_eq!(web.valid_until, at("2027-04-01T00:00:00Z"));
}

#[test]
fn what_is_promised_to_all_projects_together_never_exceeds_what_is_there() {
    let lots = vec![lot(None, 1_000, "2028-01-01T00:00:00Z")];
    let holding = |amount| ProjectFacts { holds: vec![hold(3, amount, None)], ..project(SHOP) };
    for amount in [0, 400, 1_000, 1_500] {
        let facts = account(lots.clone(), vec![project(WEB), holding(amount)]);
        let all = reckon(&facts, at(NOW));
        assert_eq!(all[0].standing.available_at(at(NOW)), (1_000 - amount).max(0), "{amount}");
        assert_eq!(all[1].standing.available_at(at(NOW)), 1_000 - amount, "{amount}");
    }
}

#[test]
fn a_hold_turns_into_the_use_of_its_resource_and_ends_when_that_has_come_to_as_much() {
    let facts = |cost| {
        let web = ProjectFacts {
            used: Some(vec![used(4, "2027-03", cost)]),
            running: vec![running(4, "0.10")],
            holds: vec![hold(3, 240, Some(4))],
            ..project(WEB)
        };
        account(vec![lot(Some(WEB), 1_000, "2028-01-01T00:00:00Z")], vec![web])
    };
    let fresh = only(&facts(10), NOW);
    assert_eq!(fresh.standing.reserved, 230);
    assert_eq!(fresh.standing.available_at(at(NOW)), 760);
    assert_eq!(fresh.standing.available_at(at("2027-03-11T06:30:00Z")), 760);
    assert_eq!(fresh.standing.valid_until, at("2027-03-11T08:00:00Z"));
    assert!(fresh.ended.is_empty());
    let done = only(&facts(240), "2027-03-11T07:30:00Z");
    assert_eq!(
        (done.standing.reserved, done.ended.as_slice()),
        (0, &[(HoldId::from_u128(3), HoldEnd::Used)][..])
    );
}

#[test]
fn a_hold_times_out_and_one_whose_resource_is_gone_is_released() {
    let web = ProjectFacts { holds: vec![hold(3, 240, None), hold(4, 100, Some(8))], ..project(WEB) };
    let facts = account(Vec::new(), vec![web]);
    let open = only(&facts, NOW);
    assert_eq!((open.standing.reserved, open.due), (240, at("2027-03-11T08:00:00Z")));
    assert_eq!(open.ended, [(HoldId::from_u128(4), HoldEnd::Removed)]);
    let over = only(&facts, "2027-03-11T08:00:00Z");
    assert_eq!(over.standing.reserved, 0);
    let timed_out = [3, 4].map(|id| (HoldId::from_u128(id), HoldEnd::TimedOut));
    assert_eq!(over.ended, timed_out);
}

#[test]
fn a_crossing_is_told_once_and_again_only_after_it_was_undone() {
    let capped = |told| {
        let cap_reached = told;
        let web = ProjectFacts {
            spend_cap: Some(100),
            told: Told { cap_reached, exhausted: false },
            used: Some(vec![used(1, "2027-03", 100)]),
            ..project(WEB)
        };
        only(&account(Vec::new(), vec![web]), NOW).crossed
    };
    assert_eq!(capped(false), [Crossed::CapReached]);
    assert_eq!(capped(true), []);
    let prepaid = |lots, exhausted| {
        let told = Told { cap_reached: false, exhausted };
        let web = ProjectFacts { prepaid_only: true, told, ..project(WEB) };
        only(&account(lots, vec![web]), NOW).crossed
    };
    let credit = vec![lot(Some(WEB), 1, "2028-01-01T00:00:00Z")];
    assert_eq!(prepaid(Vec::new(), false), [Crossed::Exhausted]);
    assert_eq!(prepaid(Vec::new(), true), []);
    assert_eq!(prepaid(credit.clone(), true), [Crossed::Restored]);
    assert_eq!(prepaid(credit, false), []);
}

#[test]
fn where_nothing_moves_nothing_is_looked_at_again() {
    let still = only(&account(Vec::new(), vec![project(WEB)]), NOW);
    assert_eq!(still.due, Instant::MAX);
    let credit = account(vec![lot(Some(WEB), 1, "2028-01-01T00:00:00Z")], vec![project(WEB)]);
    assert_eq!(only(&credit, NOW).due, at("2027-04-01T00:00:00Z"));
    let unrated = ProjectFacts { used: None, ..project(WEB) };
    let unrated = only(&account(Vec::new(), vec![unrated]), NOW);
    assert!(unrated.standing.unrated);
    assert_eq!(unrated.due, at("2027-03-10T09:30:00Z"));
}

/// Facts with use, holds and a sibling, whose lots are these.
fn busy(lots: Vec<Lot>) -> AccountFacts {
    let web = ProjectFacts {
        used: Some(vec![used(1, "2027-03", 420), used(2, "2027-03", 90)]),
        running: vec![running(1, "0.111"), running(2, "0.02")],
        holds: vec![hold(5, 266, None), hold(6, 700, Some(1))],
        spend_cap: Some(2000),
        ..project(WEB)
    };
    let shop = ProjectFacts {
        used: Some(vec![used(3, "2027-03", 1250)]),
        running: vec![running(3, "0.5")],
        prepaid_only: true,
        ..project(SHOP)
    };
    account(lots, vec![web, shop])
}

fn any_lots() -> impl proptest::strategy::Strategy<Value = Vec<Lot>> {
    use proptest::prelude::*;
    let ends = ["2027-03-20T00:00:00Z", "2027-04-01T06:00:01Z", "2028-01-01T00:00:00Z"];
    let owner = prop_oneof![Just(None), Just(Some(WEB)), Just(Some(SHOP))];
    let any =
        (owner, 1..3000_i64, 0..ends.len()).prop_map(move |(owner, minor, end)| lot(owner, minor, ends[end]));
    proptest::collection::vec(any, 0..6)
}

proptest::proptest! {
    /// What is kept when nothing but lots has changed is what is computed from everything.
    #[test]
    fn keeping_a_standing_after_a_change_of_lots_is_computing_it_anew(before in any_lots(), after in any_lots()) {
        let known = reckon(&busy(before), at(NOW)).into_iter().map(|reckoned| (reckoned.standing, reckoned.due));
        let known: Vec<_> = known.collect();
        let told = |facts: AccountFacts| {
            let projects = facts.projects.into_iter().zip(&known).map(|(project, (known, _))| ProjectFacts {
                told: Told { cap_reached: known.cap_reached, exhausted: known.exhausted },
                ..project
            });
            AccountFacts { projects: projects.collect(), ..facts }
        };
        let computed = reckon(&told(busy(after.clone())), at(NOW));
        let kept = recredit(known.clone(), &after, 21_600, at(NOW)).expect("nothing else has changed");
        for (kept, computed) in kept.iter().zip(&computed) {
            // It may have to be looked at earlier than need be, and never later.
            proptest::prop_assert!(kept.standing.valid_until <= computed.standing.valid_until);
            proptest::prop_assert!(kept.due <= computed.due);
            let valid_until = computed.standing.valid_until;
            let kept_standing = Standing { valid_until, ..kept.standing.clone() };
            proptest::prop_assert_eq!(&kept_standing, &computed.standing);
            proptest::prop_assert_eq!(&kept.crossed, &computed.crossed);
        }
        proptest::prop_assert_eq!(kept.len(), computed.len());
    }
}

#[test]
fn what_lots_alone_do_not_tell_is_computed_from_everything() {
    let known =
        || reckon(&busy(Vec::new()), at(NOW)).into_iter().map(|reckoned| (reckoned.standing, reckoned.due));
    let lots = [lot(Some(WEB), 500, "2028-01-01T00:00:00Z")];
    let told = |known: Vec<(Standing, Instant)>, now| recredit(known, &lots, 21_600, at(now)).is_some();
    assert!(told(known().collect(), NOW));
    assert!(!told(Vec::new(), NOW), "there are no rows");
    assert!(!told(known().collect(), "2027-04-01T02:00:00Z"), "they do not hold any more");
    let late = |(standing, due)| (Standing { spent: 0, ..standing }, due);
    assert!(!told(known().map(late).collect(), NOW), "an earlier month is not invoiced");
    let unrated = |(standing, due)| (Standing { unrated: true, ..standing }, due);
    assert!(!told(known().map(unrated).collect(), NOW));
    let restricted = |(standing, due)| (Standing { restricted: Some(Box::default()), ..standing }, due);
    assert!(!told(known().map(restricted).collect(), NOW));
    let hurried = |(standing, _)| (standing, at("2027-03-10T08:29:00Z"));
    let kept = recredit(known().map(hurried).collect(), &lots, 21_600, at(NOW)).expect("it is enough");
    assert_eq!(kept[0].due, at("2027-03-10T08:29:00Z"), "measured usage still waits to be counted");
}
