//! How often, at most (R3.6): so that nobody tries out stolen cards here, and no bank is asked again and again.

use florin_settlement::Instant;

use super::payment::{Payment, PaymentState};

/// How many methods an account may begin to register in 24 hours.
pub(crate) const REGISTRATIONS_PER_DAY_MAX: u64 = 20;
/// How many of them may have failed or been rejected before the next has to wait.
pub(crate) const REFUSED_REGISTRATIONS_PER_DAY_MAX: u64 = 6;
/// How many cards may be tried through an account's payment links in 24 hours.
pub(crate) const LINK_ATTEMPTS_PER_DAY_MAX: u64 = 20;
/// How many automatic attempts on one method the provider may decline in 24 hours before no other is made.
pub(crate) const AUTOMATIC_DECLINES_PER_DAY_MAX: u64 = 4;
/// The code of an automatic attempt that was not made because there were too many declines.
pub(crate) const STOPPED: &str = "too_many_declines_today";

/// When the 24 hours began that end at `at`.
#[must_use]
pub(crate) fn day_before(at: Instant) -> Instant {
    at.minus_days(1)
}

/// How automatic attempts on a method have gone: what a breaker needs (R6.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutomaticAttempts {
    /// How many were begun in the last 24 hours.
    pub today: u64,
    /// How many of these the provider declined.
    pub declined_today: u64,
    /// Whether the latest one that has an outcome was declined, whenever that was.
    pub last_declined: bool,
}

impl AutomaticAttempts {
    /// Whether another one may be begun today.
    #[must_use]
    pub fn allow_another(&self) -> bool {
        self.declined_today < AUTOMATIC_DECLINES_PER_DAY_MAX
    }
}

/// Whether `latest` was declined.
pub(crate) fn was_declined(latest: Option<&Payment>) -> bool {
    latest.is_some_and(|payment| matches!(payment.state, PaymentState::Declined { .. }))
}
