//! Dunning: what happens to a debt nobody pays, and when (R9.1, R9.2). A pure state machine.
//!
//! ```text
//!          days 1, 3, 5          7 days              30 days
//! OWED ──► RETRY … ─► WARN ─► SUSPEND ──► SUSPENDED ─► WARN ─► DELETE ──► DELETING
//!   │ a method declined for good: the customer's others, once each, at once
//! ```
//! | question | answer |
//! |---|---|
//! | from when do days count | from the stage's beginning, later by the time a payment was pending: that stops the clock |
//! | what does a late job do | each step once; retries whose days are all over are one retry, never a storm |
//! | may a deletion surprise | no: it comes no sooner than so many days after its warning was sent, however late that was |
//! | what does an operator's hold stop | the deletion and its warning, and nothing else |

use florin_settlement::Instant;

/// How long a debt may wait for what. Days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DunningRules {
    /// On which days a payment that was declined for now is tried again, rising.
    pub retry_days: Vec<u32>,
    /// After how many days projects are suspended.
    pub suspend_after_days: u32,
    /// How many days before that the customer is warned.
    pub suspension_warning_days: u32,
    /// How many days after the suspension projects are deleted.
    pub delete_after_days: u32,
    /// How many days before that, at least, the customer is warned.
    pub deletion_warning_days: u32,
}

impl Default for DunningRules {
    fn default() -> Self {
        Self {
            retry_days: vec![1, 3, 5],
            suspend_after_days: 7,
            suspension_warning_days: 2,
            delete_after_days: 30,
            deletion_warning_days: 7,
        }
    }
}

/// How far the dunning of a debt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is owed, and nothing has happened to the projects.
    Owed,
    /// The account's projects are suspended.
    Suspended,
    /// They are being deleted; nothing further follows.
    Deleting,
}

/// What follows next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The customer is told of the debt.
    Tell,
    /// The customer's other methods are tried, one after the other.
    TryOthers,
    /// The default method is tried again.
    Retry,
    /// The customer is warned of the suspension.
    WarnOfSuspension,
    /// The account's projects are suspended.
    Suspend,
    /// The customer is warned of the deletion.
    WarnOfDeletion,
    /// The account's projects are deleted.
    Delete,
}

/// The next step, and when; no date while a pending payment or a hold stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// What.
    pub step: Step,
    /// When.
    pub at: Option<Instant>,
}

/// What is known of the dunning of an open debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dunning {
    /// How far it is.
    pub stage: Stage,
    /// From when on the days of the stage count.
    pub clock: Instant,
    /// How many retry days are over.
    pub retries_done: u32,
    /// Whether the default method may be tried again: it was declined for now, or is another one since.
    pub retryable: bool,
    /// Since when another method is to be tried.
    pub try_others: Option<Instant>,
    /// Since when there is something to tell the customer.
    pub untold: Option<Instant>,
    /// When the customer was warned of what ends the stage.
    pub warned: Option<Instant>,
    /// Since when a pending payment stops the clock.
    pub paused: Option<Instant>,
}

/// Whether an operator holds the account's deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nobody does.
    Free,
    /// Somebody does.
    Held,
}

impl Dunning {
    /// The dunning of a debt opened at `at`.
    #[must_use]
    pub const fn begin(at: Instant) -> Self {
        Self {
            stage: Stage::Owed,
            clock: at,
            retries_done: 0,
            retryable: false,
            try_others: None,
            untold: Some(at),
            warned: None,
            paused: None,
        }
    }

    /// What follows next under `rules`; nothing once the projects are being deleted.
    #[must_use]
    pub fn next(&self, rules: &DunningRules, hold: Hold) -> Option<NextStep> {
        if let Some(since) = self.untold {
            return Some(NextStep { step: Step::Tell, at: Some(since) });
        }
        let (step, at) = self.scheduled(rules)?;
        let stopped = self.paused.is_some() || (hold == Hold::Held && self.stage == Stage::Suspended);
        Some(NextStep { step, at: (!stopped).then_some(at) })
    }

    fn scheduled(&self, rules: &DunningRules) -> Option<(Step, Instant)> {
        if let Some(since) = self.try_others {
            return Some((Step::TryOthers, since));
        }
        let day = |days: u32| self.clock.plus_days(days);
        match (self.stage, self.warned) {
            (Stage::Owed, warned) => {
                let ending = match warned {
                    None => {
                        (Step::WarnOfSuspension, day(rules.suspend_after_days - rules.warns_of_suspension()))
                    }
                    Some(_) => (Step::Suspend, day(rules.suspend_after_days)),
                };
                let retry = self.retry_day(rules).map(|days| (Step::Retry, day(days)));
                Some(match retry {
                    Some(retry) if retry.1 <= ending.1 => retry,
                    Some(_) | None => ending,
                })
            }
            (Stage::Suspended, None) => {
                let before = rules.deletion_warning_days.min(rules.delete_after_days);
                Some((Step::WarnOfDeletion, day(rules.delete_after_days - before)))
            }
            (Stage::Suspended, Some(warned)) => {
                let warning_over = warned.plus_days(rules.deletion_warning_days);
                Some((Step::Delete, day(rules.delete_after_days).max(warning_over)))
            }
            (Stage::Deleting, _) => None,
        }
    }

    fn retry_day(&self, rules: &DunningRules) -> Option<u32> {
        let done = usize::try_from(self.retries_done).ok()?;
        rules.retry_days.get(done).copied().filter(|_| self.retryable)
    }

    /// The dunning once `step` was taken at `at`.
    #[must_use]
    pub fn took(self, step: Step, at: Instant, rules: &DunningRules) -> Self {
        match step {
            Step::Tell => Self { untold: None, ..self },
            Step::TryOthers => Self { try_others: None, ..self },
            Step::Retry => {
                let over = |days: &&u32| self.clock.plus_days(**days) <= at;
                let over = rules.retry_days.iter().take_while(over).count();
                let retries_done = u32::try_from(over).unwrap_or(u32::MAX).max(self.retries_done + 1);
                Self { retries_done, ..self }
            }
            Step::WarnOfSuspension | Step::WarnOfDeletion => Self { warned: Some(at), ..self },
            Step::Suspend => Self { stage: Stage::Suspended, clock: at, warned: None, ..self },
            Step::Delete => Self { stage: Stage::Deleting, clock: at, warned: None, ..self },
        }
    }

    /// A payment is pending since `since`: the clock stands still.
    #[must_use]
    pub fn paused(self, since: Instant) -> Self {
        Self { paused: self.paused.or(Some(since.max(self.clock))), ..self }
    }

    /// No payment is pending any more: the clock goes on where it stood.
    #[must_use]
    pub fn resumed(self, at: Instant) -> Self {
        let Some(since) = self.paused else { return self };
        let later = |instant: Instant| instant.plus(at.saturating_since(since));
        Self { paused: None, clock: later(self.clock), warned: self.warned.map(later), ..self }
    }
}

impl DunningRules {
    fn warns_of_suspension(&self) -> u32 {
        self.suspension_warning_days.min(self.suspend_after_days)
    }
}

impl Step {
    const ALL: [Self; 7] = [
        Self::Tell,
        Self::TryOthers,
        Self::Retry,
        Self::WarnOfSuspension,
        Self::Suspend,
        Self::WarnOfDeletion,
        Self::Delete,
    ];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tell => "TELL",
            Self::TryOthers => "TRY_OTHERS",
            Self::Retry => "RETRY",
            Self::WarnOfSuspension => "WARN_OF_SUSPENSION",
            Self::Suspend => "SUSPEND",
            Self::WarnOfDeletion => "WARN_OF_DELETION",
            Self::Delete => "DELETE",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

impl Stage {
    const ALL: [Self; 3] = [Self::Owed, Self::Suspended, Self::Deleting];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owed => "OWED",
            Self::Suspended => "SUSPENDED",
            Self::Deleting => "DELETING",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}
