//! Budgets and spending controls (R5.7).
//!
//! Owns: what a budget counts, when a threshold of it is reached, and when to look again.
//! Always holds: a threshold is told once a month, and again only after it was no longer reached.
//! Refuses to know: what is used ([`super::rating`]), and stopping anything.

use std::collections::BTreeSet;

use florin_credit::ProjectId;
use florin_platform::{
    id::{AccountId, Id, Kind},
    violation::Violations,
    wire::grandchild_name,
};
use florin_settlement::{Instant, Money, Month, PlanFamily};

use super::{project::NAME_CHARACTERS_MAX, usage::RatedLine};

/// Marks ids of budgets.
#[derive(Debug)]
pub enum BudgetKind {}
impl Kind for BudgetKind {
    const PREFIX: &'static str = "budget";
}
/// The id of a budget.
pub type BudgetId = Id<BudgetKind>;

/// The most budgets of a project.
pub(crate) const BUDGETS_MAX: i64 = 50;
/// The most thresholds of a budget.
const THRESHOLDS_MAX: usize = 10;
/// The highest threshold, in percent.
const THRESHOLD_MAX: i64 = 1000;
/// The thresholds when none are named.
const THRESHOLDS: [i64; 3] = [50, 80, 100];
const LABEL_KEY_CHARACTERS_MAX: usize = 63;
const LABEL_VALUE_CHARACTERS_MAX: usize = 255;
/// A threshold that time alone will reach is looked at so often at least.
const LOOK_HOURS: u32 = 24;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// What is compared with a budget's amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// What was used since the 1st.
    Actual,
    /// What will have been at the month's end.
    Forecast,
}

impl Basis {
    /// The stored form.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Actual => "ACTUAL",
            Self::Forecast => "FORECAST",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Actual, Self::Forecast].into_iter().find(|basis| basis.as_str() == text)
    }
}

/// Which use counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only plans of these families; all when empty.
    pub(crate) families: Vec<PlanFamily>,
    /// Only resources with this label, and with this value of it if one is given.
    pub(crate) label: Option<(String, Option<String>)>,
}

impl Filter {
    /// Whether `line` counts.
    #[must_use]
    pub(crate) fn counts(&self, line: &RatedLine) -> bool {
        let of_family = self.families.is_empty() || self.families.contains(&line.family);
        let labelled = self.label.as_ref().is_none_or(|(key, value)| {
            let given = line.labels.get(key);
            given.is_some_and(|given| value.as_ref().is_none_or(|value| value == given))
        });
        of_family && labelled
    }
}

/// A budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Whose.
    pub(crate) account: AccountId,
    /// Its id.
    pub(crate) id: BudgetId,
    /// Of which project.
    pub(crate) project: ProjectId,
    /// What the customer calls it.
    pub(crate) name: String,
    /// The month's amount.
    pub(crate) amount: Money,
    /// What is compared with it.
    pub(crate) basis: Basis,
    /// At which percentages to tell, rising.
    pub(crate) thresholds: Vec<i64>,
    /// Which use counts.
    pub(crate) filter: Filter,
    /// Grows with every change.
    pub(crate) version: i64,
    /// When it was created.
    pub(crate) created: Instant,
    /// When it was last changed.
    pub(crate) updated: Instant,
}

/// What a customer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewBudget {
    /// What to call it.
    pub(crate) name: String,
    /// The month's amount.
    pub(crate) amount: Money,
    /// What is compared with it.
    pub(crate) basis: Basis,
    /// At which percentages to tell.
    pub(crate) thresholds: Vec<i64>,
    /// Which use counts.
    pub(crate) filter: Filter,
}

/// What a name must be, under `field`.
pub(crate) fn check_name(name: &str, field: &str, violations: &mut Violations) {
    let fits =
        (1..=NAME_CHARACTERS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    violations.check(
        field,
        fits,
        format!("must have 1 to {NAME_CHARACTERS_MAX} characters and no control characters"),
    );
}

/// What an amount must be.
pub(crate) fn check_amount(amount: Money, field: &str, violations: &mut Violations) {
    violations.check(field, amount.is_positive(), "must be above zero");
}

/// The thresholds as they are kept: rising; the usual ones when none are given.
pub(crate) fn thresholds(given: &[i64], field: &str, violations: &mut Violations) -> Vec<i64> {
    let rising: BTreeSet<i64> = given.iter().copied().collect();
    let fits = given.len() <= THRESHOLDS_MAX
        && rising.len() == given.len()
        && rising.iter().all(|percent| (1..=THRESHOLD_MAX).contains(percent));
    violations.check(
        field,
        fits,
        format!("must be at most {THRESHOLDS_MAX} different percentages from 1 to {THRESHOLD_MAX}"),
    );
    if rising.is_empty() { THRESHOLDS.to_vec() } else { rising.into_iter().collect() }
}

/// What a label filter must be.
pub(crate) fn check_label(key: &str, value: &str, prefix: &str, violations: &mut Violations) {
    let fits = |text: &str, max: usize| text.chars().count() <= max && !text.chars().any(char::is_control);
    violations.check(
        &format!("{prefix}label_key"),
        fits(key, LABEL_KEY_CHARACTERS_MAX),
        format!("must have at most {LABEL_KEY_CHARACTERS_MAX} characters and no control characters"),
    );
    violations.check(
        &format!("{prefix}label_value"),
        fits(value, LABEL_VALUE_CHARACTERS_MAX) && (value.is_empty() || !key.is_empty()),
        format!("must have at most {LABEL_VALUE_CHARACTERS_MAX} characters, and needs a label_key"),
    );
}

/// What counts against a budget, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Since the 1st of the month, the hour begun counted.
    pub(crate) actual: i64,
    /// At the month's end, if everything runs on as it does.
    pub(crate) forecast: i64,
}

impl Budget {
    /// `accounts/{account}/projects/{project}/budgets/{budget}`.
    #[must_use]
    pub(crate) fn resource_name(&self) -> String {
        budget_name(self.account, self.project, self.id)
    }

    /// What of `counted` is compared with the amount.
    #[must_use]
    pub(crate) const fn current(&self, counted: Counted) -> i64 {
        match self.basis {
            Basis::Actual => counted.actual,
            Basis::Forecast => counted.forecast,
        }
    }

    /// Whether `counted` has reached `percent` of the amount.
    #[must_use]
    pub(crate) fn has_reached(&self, percent: i64, counted: Counted) -> bool {
        i128::from(self.current(counted)) * 100 >= i128::from(self.amount.minor()) * i128::from(percent)
    }

    /// When a threshold that is not reached may be: by time alone within the month, or at its end, when
    /// everything begins anew.
    #[must_use]
    pub(crate) fn next_look(&self, counted: Counted, at: Instant) -> Instant {
        let end = Month::of(at).end();
        let next = self.thresholds.iter().copied().find(|percent| !self.has_reached(*percent, counted));
        let (Some(percent), Basis::Actual) = (next, self.basis) else { return end };
        let growth = i128::from(counted.forecast) - i128::from(counted.actual);
        let missing =
            (i128::from(self.amount.minor()) * i128::from(percent) + 99) / 100 - i128::from(counted.actual);
        if growth < missing || growth <= 0 {
            return end;
        }
        // Use grows by the same amount every hour; the hour begun is counted.
        let begun = at.floor_hour();
        let hours = i128::from((end.micros() - begun.micros()) / MICROS_PER_HOUR - 1);
        let after = u32::try_from((missing * hours / growth).clamp(1, i128::from(LOOK_HOURS)));
        begun.plus_hours(after.unwrap_or(LOOK_HOURS)).min(end)
    }
}

/// `accounts/{account}/projects/{project}/budgets/{budget}`.
#[must_use]
pub(crate) fn budget_name(account: AccountId, project: ProjectId, budget: BudgetId) -> String {
    grandchild_name(account, "projects", project, "budgets", budget)
}

/// A project's spend cap, and whether it is prepaid-only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Controls {
    /// The most it is meant to use in a calendar month, in minor units.
    pub(crate) spend_cap: Option<i64>,
    /// Whether it may only start what is paid for.
    pub(crate) prepaid_only: bool,
    /// Grows with every change.
    pub(crate) version: i64,
}

#[cfg(test)]
mod tests {
    use florin_settlement::Currency;

    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    fn budget(basis: Basis) -> Budget {
        Budget {
            account: AccountId::NONE,
            id: BudgetId::from_u128(1),
            project: ProjectId::from_u128(2),
            name: "Web".to_owned(),
            amount: Money::new(10_000, Currency::EUR),
            basis,
            thresholds: vec![50, 80, 100],
            filter: Filter::default(),
            version: 1,
            created: at("2027-03-01T08:00:00Z"),
            updated: at("2027-03-01T08:00:00Z"),
        }
    }

    #[test]
    fn a_threshold_is_reached_at_exactly_its_share() {
        let reached = |actual| budget(Basis::Actual).has_reached(50, Counted { actual, forecast: 0 });
        assert!(!reached(4_999));
        assert!(reached(5_000));
        let foretold = Counted { actual: 0, forecast: 8_000 };
        assert!(budget(Basis::Forecast).has_reached(80, foretold));
        assert!(!budget(Basis::Actual).has_reached(50, foretold));
    }

    #[test]
    fn the_next_look_is_when_time_alone_reaches_a_threshold() {
        let budget = budget(Basis::Actual);
        let now = at("2027-03-30T22:00:00Z");
        // 25 hours beyond the one begun, 100 an hour: 50 % is missing 500.
        let counted = Counted { actual: 4_500, forecast: 7_000 };
        assert_eq!(budget.next_look(counted, now), at("2027-03-31T03:00:00Z"));
        // Nothing grows so far: not before the next month.
        let still = Counted { actual: 4_500, forecast: 4_600 };
        assert_eq!(budget.next_look(still, now), at("2027-04-01T00:00:00Z"));
        // Far away: once a day.
        let slow = Counted { actual: 0, forecast: 7_000 };
        assert_eq!(budget.next_look(slow, at("2027-03-01T08:00:00Z")), at("2027-03-02T08:00:00Z"));
    }

    #[test]
    fn thresholds_rise_and_none_comes_twice() {
        let read = |given: &[i64]| {
            let mut violations = Violations::new();
            let read = thresholds(given, "t", &mut violations);
            violations.finish().map(|()| read)
        };
        assert_eq!(read(&[]), Ok(vec![50, 80, 100]));
        assert_eq!(read(&[100, 25]), Ok(vec![25, 100]));
        for wrong in [&[0][..], &[1001], &[5, 5], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
