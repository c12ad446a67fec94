//! What becomes of a project once it is ACTIVE: it is suspended, resumes, and is deleted (R4.3, R4.6, R9.2).
//!
//! Owns: the causes of a suspension and the two instants of a deletion.
//! Always holds: a cause is lifted by its own act only, so that paying a debt never undoes what an operator
//! did, nor an operator a debt; the project is ACTIVE again when no cause is left; metering stops once.
//! Refuses to know: who owes, and what the final invoice says.

use std::time::Duration;

use florin_settlement::Instant;

use super::project::{Moved, Project, ProjectState};

/// Why a project is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuspensionCause {
    /// An operator decided so; only an operator lifts it.
    Operator,
    /// A debt was not paid in time (R9.2); only its payment lifts it.
    Debt,
}

/// What an operator said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSuspension {
    /// When.
    pub at: Instant,
    /// Why, for the customer.
    pub reason: String,
}

/// A suspension that goes on; at least one of its causes is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Since when the project is not ACTIVE, whatever the causes were in between.
    pub since: Instant,
    /// By an operator.
    pub by_operator: Option<OperatorSuspension>,
    /// For an unpaid debt, since when.
    pub for_debt: Option<Instant>,
}

impl Suspension {
    /// The causes there are.
    pub fn causes(&self) -> impl Iterator<Item = SuspensionCause> {
        let operator = self.by_operator.as_ref().map(|_| SuspensionCause::Operator);
        let debt = self.for_debt.map(|_| SuspensionCause::Debt);
        operator.into_iter().chain(debt)
    }
}

/// That a control plane has stopped what it runs in a suspended project (R9.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// Which service.
    pub(crate) service: String,
    /// Since when the project is suspended.
    pub(crate) since: Instant,
    /// When it said so first.
    pub(crate) at: Instant,
}

/// Who wanted a project deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeletionCause {
    /// The customer, who gave the mailed token back.
    Customer,
    /// An unpaid debt (R9.2).
    Debt,
}

impl DeletionCause {
    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "CUSTOMER",
            Self::Debt => "DEBT",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Customer, Self::Debt].into_iter().find(|cause| cause.as_str() == text)
    }
}

/// A deletion that has begun (R4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Who wanted it.
    pub cause: DeletionCause,
    /// When metering stopped: nothing used at or after this instant is charged.
    pub stopped: Instant,
    /// Until when usage from before [`Deletion::stopped`] may still arrive: the settlement instant of the
    /// final invoice (R7.3).
    pub grace_ends: Instant,
    /// When it was finished.
    pub finished: Option<Instant>,
}

/// Why usage is not taken any more (R4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageClosed {
    /// It was used after metering had stopped.
    MeteringStopped(Instant),
    /// It comes after the grace for late usage.
    GraceOver(Instant),
    /// The project never held anything.
    NeverActive,
}

impl Project {
    /// An operator suspends it for `reason`.
    #[must_use]
    pub fn suspend_by_operator(self, reason: String, at: Instant) -> Moved {
        let cause = OperatorSuspension { at, reason };
        self.suspend(at, |suspension| match &suspension.by_operator {
            Some(_) => None,
            None => Some(Suspension { by_operator: Some(cause), ..suspension.clone() }),
        })
    }

    /// It is suspended because the account owes.
    #[must_use]
    pub fn suspend_for_debt(self, at: Instant) -> Moved {
        self.suspend(at, |suspension| match suspension.for_debt {
            Some(_) => None,
            None => Some(Suspension { for_debt: Some(at), ..suspension.clone() }),
        })
    }

    /// `cause` is over. The project is ACTIVE again if there is no other.
    #[must_use]
    pub fn lift(self, cause: SuspensionCause, at: Instant) -> Moved {
        let Some(suspension) = &self.suspension else {
            return match self.state {
                ProjectState::Active | ProjectState::Suspended => Moved::Before(self),
                ProjectState::PendingFunding
                | ProjectState::Deleting
                | ProjectState::Deleted
                | ProjectState::Canceled => Moved::Impossible(self),
            };
        };
        let left = match cause {
            SuspensionCause::Operator => Suspension { by_operator: None, ..suspension.clone() },
            SuspensionCause::Debt => Suspension { for_debt: None, ..suspension.clone() },
        };
        if left == *suspension {
            return Moved::Before(self);
        }
        let left = Some(left).filter(|left| left.causes().next().is_some());
        let state = if left.is_some() { ProjectState::Suspended } else { ProjectState::Active };
        Moved::Now(Self { suspension: left, ..self.moved(state, at) })
    }

    /// Metering stops at `at`; late usage is taken for `grace` (R4.6).
    #[must_use]
    pub fn begin_deletion(self, cause: DeletionCause, grace: Duration, at: Instant) -> Moved {
        match self.state {
            ProjectState::Active | ProjectState::Suspended => {
                let deletion = Deletion { cause, stopped: at, grace_ends: at.plus(grace), finished: None };
                let moved = self.moved(ProjectState::Deleting, at);
                Moved::Now(Self { suspension: None, deletion: Some(deletion), ..moved })
            }
            ProjectState::Deleting | ProjectState::Deleted => Moved::Before(self),
            ProjectState::PendingFunding | ProjectState::Canceled => Moved::Impossible(self),
        }
    }

    /// It is over: the grace has ended and the final invoice is issued.
    #[must_use]
    pub fn finish_deletion(self, at: Instant) -> Moved {
        match (self.state, self.deletion) {
            (ProjectState::Deleting, Some(deletion)) if deletion.grace_ends <= at => {
                let deletion = Some(Deletion { finished: Some(at), ..deletion });
                Moved::Now(Self { deletion, ..self.moved(ProjectState::Deleted, at) })
            }
            (ProjectState::Deleted, _) => Moved::Before(self),
            (
                ProjectState::Deleting
                | ProjectState::PendingFunding
                | ProjectState::Active
                | ProjectState::Suspended
                | ProjectState::Canceled,
                _,
            ) => Moved::Impossible(self),
        }
    }

    /// Whether usage of the instant `used` is still taken at `now` (R4.6). A suspended project's is: its
    /// resources are charged while they exist (R4.3).
    ///
    /// # Errors
    /// [`UsageClosed`] once it is too late.
    pub fn takes_usage(&self, used: Instant, now: Instant) -> Result<(), UsageClosed> {
        match (self.state, self.deletion) {
            (ProjectState::PendingFunding | ProjectState::Canceled, _) => Err(UsageClosed::NeverActive),
            (_, Some(deletion)) if used >= deletion.stopped => {
                Err(UsageClosed::MeteringStopped(deletion.stopped))
            }
            (_, Some(deletion)) if now >= deletion.grace_ends || deletion.finished.is_some() => {
                Err(UsageClosed::GraceOver(deletion.grace_ends))
            }
            (
                ProjectState::Active
                | ProjectState::Suspended
                | ProjectState::Deleting
                | ProjectState::Deleted,
                _,
            ) => Ok(()),
        }
    }

    fn suspend(self, at: Instant, add: impl FnOnce(&Suspension) -> Option<Suspension>) -> Moved {
        let before = match self.state {
            ProjectState::Active | ProjectState::Suspended => self.suspension.clone(),
            ProjectState::PendingFunding
            | ProjectState::Deleting
            | ProjectState::Deleted
            | ProjectState::Canceled => return Moved::Impossible(self),
        };
        let before = before.unwrap_or(Suspension { since: at, by_operator: None, for_debt: None });
        match add(&before) {
            Some(suspension) => {
                Moved::Now(Self { suspension: Some(suspension), ..self.moved(ProjectState::Suspended, at) })
            }
            None => Moved::Before(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use florin_credit::ProjectId;
    use florin_platform::id::AccountId;
    use florin_settlement::Currency;

    use super::*;
    use crate::domain::project::{Funding, ProjectName};

    fn at(seconds: i64) -> Instant {
        Instant::from_micros((1_800_000_000 + seconds) * 1_000_000).expect("in range")
    }

    fn active() -> Project {
        let name = ProjectName::parse("Web").expect("a name");
        let id = ProjectId::from_uuid(AccountId::NONE.uuid());
        Project::active(AccountId::NONE, id, name, Funding::Voucher, Currency::EUR, at(0))
    }

    fn now(moved: Moved) -> Project {
        match moved {
            Moved::Now(project) => project,
            Moved::Before(project) | Moved::Impossible(project) => panic!("it did not move: {project:?}"),
        }
    }

    fn grace() -> Duration {
        Duration::from_secs(100)
    }

    #[test]
    fn each_cause_is_lifted_by_its_own_act_and_the_last_one_makes_it_active() {
        let by_debt = now(active().suspend_for_debt(at(1)));
        assert_eq!(by_debt.state, ProjectState::Suspended);
        assert_eq!(by_debt.clone().suspend_for_debt(at(2)), Moved::Before(by_debt.clone()));
        assert_eq!(by_debt.clone().lift(SuspensionCause::Operator, at(2)), Moved::Before(by_debt.clone()));
        let both = now(by_debt.suspend_by_operator("abuse".to_owned(), at(3)));
        let suspension = both.suspension.clone().expect("suspended");
        assert_eq!(suspension.since, at(1));
        assert_eq!(
            suspension.causes().collect::<Vec<_>>(),
            [SuspensionCause::Operator, SuspensionCause::Debt]
        );
        let paid = now(both.clone().lift(SuspensionCause::Debt, at(4)));
        assert_eq!(paid.state, ProjectState::Suspended);
        assert_eq!(paid.suspension.as_ref().map(|still| still.since), Some(at(1)));
        let resumed = now(paid.lift(SuspensionCause::Operator, at(5)));
        assert_eq!((resumed.state, resumed.suspension.clone()), (ProjectState::Active, None));
        assert_eq!(resumed.clone().lift(SuspensionCause::Debt, at(6)), Moved::Before(resumed));
        let forgiven = now(both.lift(SuspensionCause::Operator, at(4)));
        assert_eq!(forgiven.state, ProjectState::Suspended);
    }

    #[test]
    fn only_an_active_or_suspended_project_is_suspended_or_deleted() {
        let deleting = now(active().begin_deletion(DeletionCause::Customer, grace(), at(1)));
        for state in [ProjectState::PendingFunding, ProjectState::Canceled] {
            let project = Project { state, ..active() };
            let moved = project.clone().begin_deletion(DeletionCause::Debt, grace(), at(1));
            assert_eq!(moved, Moved::Impossible(project.clone()));
            assert_eq!(project.clone().suspend_for_debt(at(1)), Moved::Impossible(project));
        }
        assert_eq!(deleting.clone().suspend_for_debt(at(2)), Moved::Impossible(deleting.clone()));
        assert_eq!(deleting.clone().lift(SuspensionCause::Debt, at(2)), Moved::Impossible(deleting));
    }

    #[test]
    fn a_deletion_is_finished_after_its_grace_and_begun_once() {
        let suspended = now(active().suspend_for_debt(at(1)));
        let deleting = now(suspended.begin_deletion(DeletionCause::Debt, grace(), at(10)));
        assert_eq!(deleting.suspension, None);
        let again = deleting.clone().begin_deletion(DeletionCause::Customer, grace(), at(20));
        assert_eq!(again, Moved::Before(deleting.clone()));
        assert_eq!(deleting.clone().finish_deletion(at(109)), Moved::Impossible(deleting.clone()));
        let deleted = now(deleting.finish_deletion(at(110)));
        assert_eq!(deleted.deletion.and_then(|deletion| deletion.finished), Some(at(110)));
        assert_eq!(deleted.clone().finish_deletion(at(111)), Moved::Before(deleted));
    }

    #[test]
    fn late_usage_is_taken_until_the_grace_ends_and_nothing_used_after_the_stop() {
        let running = active();
        assert_eq!(running.takes_usage(at(5), at(6)), Ok(()));
        assert_eq!(now(running.clone().suspend_for_debt(at(1))).takes_usage(at(5), at(6)), Ok(()));
        let deleting = now(running.begin_deletion(DeletionCause::Customer, grace(), at(10)));
        assert_eq!(deleting.takes_usage(at(9), at(109)), Ok(()));
        assert_eq!(deleting.takes_usage(at(10), at(11)), Err(UsageClosed::MeteringStopped(at(10))));
        assert_eq!(deleting.takes_usage(at(9), at(110)), Err(UsageClosed::GraceOver(at(110))));
        let deleted = now(deleting.finish_deletion(at(110)));
        assert_eq!(deleted.takes_usage(at(9), at(111)), Err(UsageClosed::GraceOver(at(110))));
    }
}
