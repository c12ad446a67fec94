//! Whole calendars of debts: what happens on which day, under every kind of interruption (R9.1, R9.2).

use super::at;
use crate::domain::dunning::{Dunning, DunningRules, Hold, NextStep, Stage, Step};

const OPENED: &str = "2027-04-01T06:00:00Z";

/// Takes every step when it is due, until `end`, and says which on which day after the opening.
fn calendar(mut dunning: Dunning, hold: Hold, end_day: u32) -> Vec<(u32, Step)> {
    let rules = DunningRules::default();
    let opened = at(OPENED);
    let mut taken = Vec::new();
    while let Some(NextStep { step, at: Some(due) }) = dunning.next(&rules, hold) {
        if due > opened.plus_days(end_day) {
            break;
        }
        dunning = dunning.took(step, due, &rules);
        let day = due.saturating_since(opened).as_secs() / 86_400;
        taken.push((u32::try_from(day).expect("a day"), step));
    }
    taken
}

fn opened() -> Dunning {
    Dunning::begin(at(OPENED))
}

fn soft() -> Dunning {
    Dunning { retryable: true, ..opened() }
}

#[test]
fn calendars_of_debts_nobody_pays() {
    use Step::{Delete, Retry, Suspend, Tell, TryOthers, WarnOfDeletion, WarnOfSuspension};
    let ending = [(5, WarnOfSuspension), (7, Suspend), (30, WarnOfDeletion), (37, Delete)];
    let with = |first: &[(u32, Step)]| {
        let mut all = first.to_vec();
        all.extend(ending);
        all.sort_by_key(|(day, _)| *day);
        all
    };
    let final_with_others = Dunning { try_others: Some(at(OPENED)), ..opened() };
    #[expect(clippy::type_complexity, reason = "a table reads best as one")]
    let cases: [(&str, Dunning, Hold, u32, Vec<(u32, Step)>); 6] = [
        ("no method, or declined for good", opened(), Hold::Free, 400, with(&[(0, Tell)])),
        (
            "declined for now",
            soft(),
            Hold::Free,
            400,
            vec![
                (0, Tell),
                (1, Retry),
                (3, Retry),
                (5, Retry),
                (5, WarnOfSuspension),
                (7, Suspend),
                (30, WarnOfDeletion),
                (37, Delete),
            ],
        ),
        ("others allowed", final_with_others, Hold::Free, 400, with(&[(0, Tell), (0, TryOthers)])),
        ("held", opened(), Hold::Held, 400, vec![(0, Tell), (5, WarnOfSuspension), (7, Suspend)]),
        ("the day before the suspension", opened(), Hold::Free, 6, vec![(0, Tell), (5, WarnOfSuspension)]),
        (
            "the day before the deletion",
            opened(),
            Hold::Free,
            36,
            vec![(0, Tell), (5, WarnOfSuspension), (7, Suspend), (30, WarnOfDeletion)],
        ),
    ];
    for (name, dunning, hold, end, expected) in cases {
        assert_eq!(calendar(dunning, hold, end), expected, "{name}");
    }
}

#[test]
fn a_pending_payment_stops_the_clock_and_shifts_what_follows() {
    let rules = DunningRules::default();
    let told = opened().took(Step::Tell, at(OPENED), &rules);
    let paused = told.paused(at(OPENED).plus_days(4));
    assert_eq!(
        paused.next(&rules, Hold::Free),
        Some(NextStep { step: Step::WarnOfSuspension, at: None }),
        "the next step is known, its date is not"
    );
    let resumed = paused.resumed(at(OPENED).plus_days(10));
    // Six days do not count: the warning of day 5 comes on day 11, the suspension on day 13.
    assert_eq!(calendar(resumed, Hold::Free, 14), [(11, Step::WarnOfSuspension), (13, Step::Suspend)]);
    assert_eq!(told.resumed(at(OPENED).plus_days(3)), told, "what was not paused is not shifted");
}

#[test]
fn a_late_job_retries_once_and_warns_before_it_deletes() {
    let rules = DunningRules::default();
    let late = at(OPENED).plus_days(6);
    let told = soft().took(Step::Tell, late, &rules);
    let Some(NextStep { step: Step::Retry, .. }) = told.next(&rules, Hold::Free) else { panic!("a retry") };
    let retried = told.took(Step::Retry, late, &rules);
    assert_eq!(retried.retries_done, 3, "days 1, 3 and 5 are over: one retry, not three");

    let suspended = retried.took(Step::Suspend, late.plus_days(1), &rules);
    assert_eq!(suspended.stage, Stage::Suspended);
    let warned = suspended.took(Step::WarnOfDeletion, late.plus_days(90), &rules);
    let next = warned.next(&rules, Hold::Free);
    assert_eq!(next, Some(NextStep { step: Step::Delete, at: Some(late.plus_days(97)) }));
}

#[test]
fn a_hold_stops_the_deletion_and_its_release_lets_it_go_on() {
    let rules = DunningRules::default();
    let suspended = opened().took(Step::Tell, at(OPENED), &rules).took(Step::Suspend, at(OPENED), &rules);
    let held = suspended.next(&rules, Hold::Held);
    assert_eq!(held, Some(NextStep { step: Step::WarnOfDeletion, at: None }));
    let free = suspended.next(&rules, Hold::Free);
    assert_eq!(free, Some(NextStep { step: Step::WarnOfDeletion, at: Some(at(OPENED).plus_days(23)) }));
    let deleting = suspended.took(Step::Delete, at(OPENED), &rules);
    assert_eq!(deleting.next(&rules, Hold::Free), None, "nothing further follows");
}
