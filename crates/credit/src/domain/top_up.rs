//! Topping up by itself (R6.10).
//!
//! ```text
//! OFF ◄──► ACTIVE ──► STOPPED      a decline, or nothing to charge; configuring it again starts it
//! ```

use std::time::Duration;

use florin_platform::{id::AccountId, violation::Violations};
use florin_settlement::{Currency, Instant, Money};

use super::{order::check_amount, project_ref::ProjectId};

/// What is available is looked at so often.
pub(crate) const LOOK_AFTER_HOURS: u32 = 1;
const INTERVAL_MIN: Duration = Duration::from_secs(3600);
const INTERVAL_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// What a customer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// It buys when what is available falls under this.
    pub threshold: Money,
    /// How much, excluding VAT.
    pub amount: Money,
    /// At most once in this time.
    pub interval: Duration,
    /// At most so much in a calendar month.
    pub ceiling: Money,
}

impl Wish {
    /// Everything that cannot be wished for in `currency`; fields under `top_up.`.
    pub(crate) fn violations(&self, currency: Currency) -> Violations {
        let mut violations = Violations::new();
        for (field, amount) in [
            ("top_up.threshold_amount", self.threshold),
            ("top_up.amount", self.amount),
            ("top_up.monthly_ceiling_amount", self.ceiling),
        ] {
            let fits = amount.currency() == currency && amount.is_positive();
            violations.check(field, fits, format!("must be above zero, in {currency}"));
        }
        let whole = check_amount(self.amount, currency).is_ok();
        violations.check("top_up.amount", whole, "must be a whole number of currency units");
        let covers = self.amount.compare(self.ceiling).is_ok_and(std::cmp::Ordering::is_le);
        violations.check("top_up.monthly_ceiling_amount", covers, "must not be below amount");
        let interval = (INTERVAL_MIN..=INTERVAL_MAX).contains(&self.interval);
        violations.check("top_up.interval", interval, "must be 1 hour to 31 days");
        violations
    }
}

/// Whether it buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TopUpState {
    /// It looks again then.
    Active {
        /// When.
        check: Instant,
    },
    /// It has given up.
    Stopped {
        /// Why, in a word.
        reason: String,
    },
    /// The customer does not want it.
    Off,
}

/// A project's top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopUp {
    /// Whose.
    pub account: AccountId,
    /// For which project.
    pub project: ProjectId,
    /// What is wanted.
    pub wish: Wish,
    /// When the customer asked for immediate supply each time (R6.4).
    pub supply_consent: Option<Instant>,
    /// Whether it buys.
    pub state: TopUpState,
    /// Grows with every change of the customer's, and when it stops.
    pub version: i64,
    /// When it was first configured.
    pub created: Instant,
    /// When it last changed.
    pub updated: Instant,
}

/// What is to be done at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Enough is there, or something is on its way: look again then.
    Again(Instant),
    /// Buy; look again when the interval is over.
    Buy {
        /// When.
        then: Instant,
    },
}

impl TopUp {
    /// What a look at `at` comes to. `available` is what can still be spent, if that is known; `bought` what was bought
    /// in this month, `under_way` whether an order of it is being paid.
    pub(crate) fn look(&self, at: Instant, available: Option<Money>, bought: Money, under_way: bool) -> Look {
        let soon = at.plus_hours(LOOK_AFTER_HOURS);
        let is_short = available.is_some_and(|available| available.minor() < self.wish.threshold.minor());
        if under_way || !is_short {
            return Look::Again(soon);
        }
        if bought.minor().saturating_add(self.wish.amount.minor()) > self.wish.ceiling.minor() {
            return Look::Again(at.start_of_next_month());
        }
        Look::Buy { then: at.plus(self.wish.interval) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    fn wish() -> Wish {
        Wish {
            threshold: eur(1000),
            amount: eur(3000),
            interval: Duration::from_secs(86_400),
            ceiling: eur(7000),
        }
    }

    fn top_up() -> TopUp {
        let at = Instant::parse("2027-01-15T10:00:00Z").expect("an instant");
        TopUp {
            account: AccountId::from_u128(1),
            project: ProjectId::from_u128(2),
            wish: wish(),
            supply_consent: None,
            state: TopUpState::Active { check: at },
            version: 1,
            created: at,
            updated: at,
        }
    }

    #[test]
    fn it_buys_under_the_threshold_once_an_interval_and_within_the_months_ceiling() {
        let at = top_up().created;
        let look =
            |available, bought, under_way| top_up().look(at, Some(eur(available)), eur(bought), under_way);
        let soon = Look::Again(at.plus_hours(1));
        assert_eq!(look(1000, 0, false), soon);
        assert_eq!(look(999, 0, false), Look::Buy { then: at.plus_days(1) });
        assert_eq!(look(-50, 4000, false), Look::Buy { then: at.plus_days(1) });
        assert_eq!(look(0, 0, true), soon, "one is being paid");
        assert_eq!(top_up().look(at, None, eur(0), false), soon, "nobody knows what is available");
        let next_month = Instant::parse("2027-02-01T00:00:00Z").expect("an instant");
        assert_eq!(look(0, 4001, false), Look::Again(next_month));
    }

    #[test]
    fn every_violation_of_a_wish_comes_at_once() {
        let fields = |wish: Wish| {
            let violations = wish.violations(Currency::EUR);
            violations.as_slice().iter().map(|violation| violation.field.clone()).collect::<Vec<_>>()
        };
        assert!(fields(wish()).is_empty());
        let wrong = Wish {
            threshold: eur(0),
            amount: eur(1050),
            interval: Duration::from_secs(3599),
            ceiling: eur(1000),
        };
        let expected =
            ["top_up.threshold_amount", "top_up.amount", "top_up.monthly_ceiling_amount", "top_up.interval"];
        assert_eq!(fields(wrong), expected);
    }
}
