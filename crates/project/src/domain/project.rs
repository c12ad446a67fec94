//! Projects: where resources live and usage is billed (R4).
//!
//! Owns: the states of R4.3 and what a project was funded with (R4.2).
//! Always holds: a transition consumes the old project and gives the new one; a project never changes
//! account, currency or funding; CANCELED and DELETED are for good.
//! Refuses to know: how its funding is paid.
//!
//! ```text
//! PENDING_FUNDING ──funding succeeds──► ACTIVE ◄──► SUSPENDED
//!        │                                └────┬───────┘
//!        └──given up, or funding fails         ▼
//!                     ▼                    DELETING ──► DELETED
//!                 CANCELED
//! ```

use std::fmt;

use florin_credit::{OrderId, ProjectId};
use florin_payment::PaymentMethodId;
use florin_platform::{id::AccountId, wire::child_name};
use florin_settlement::{Currency, Instant};

use super::life::{Deletion, Suspension};

/// The longest name, in characters (R4.4).
pub(crate) const NAME_CHARACTERS_MAX: usize = 255;

/// What the customer calls a project: 1 to 255 characters (R4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName(String);

/// What was given cannot name a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {NAME_CHARACTERS_MAX} characters, and no control characters")]
pub struct ProjectNameError;

impl ProjectName {
    /// Reads a name; space around it does not belong to it.
    ///
    /// # Errors
    /// [`ProjectNameError`].
    pub fn parse(text: &str) -> Result<Self, ProjectNameError> {
        let text = text.trim();
        let bounded = (1..=NAME_CHARACTERS_MAX).contains(&text.chars().count());
        if bounded && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ProjectNameError)
        }
    }

    /// The name offered to an account that has had `earlier` projects: "Project N" (R4.4).
    #[must_use]
    pub fn offered(earlier: u64) -> Self {
        Self(format!("Project {}", earlier.saturating_add(1)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a project is (R4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProjectState {
    /// Waits for its credit order to be paid or its payment method to become VALID.
    PendingFunding,
    /// Can hold resources.
    Active,
    /// Stopped; its resources are charged while they exist.
    Suspended,
    /// Metering has stopped; the final invoice is to come.
    Deleting,
    /// Over.
    Deleted,
    /// Never became ACTIVE.
    Canceled,
}

impl ProjectState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::PendingFunding, Self::Active, Self::Suspended, Self::Deleting, Self::Deleted, Self::Canceled];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingFunding => "PENDING_FUNDING",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
            Self::Canceled => "CANCELED",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the project takes one of the places the account's limit allows (R4.1). A pending one does,
    /// or many could become ACTIVE at once.
    #[must_use]
    pub const fn takes_a_place(self) -> bool {
        match self {
            Self::PendingFunding | Self::Active | Self::Suspended | Self::Deleting => true,
            Self::Deleted | Self::Canceled => false,
        }
    }

    /// Whether it has ended for good: nothing is invoiced and no lot used in it any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Deleted | Self::Canceled => true,
            Self::PendingFunding | Self::Active | Self::Suspended | Self::Deleting => false,
        }
    }

    /// Whether credit can still be added to it and used in it: not over, and not about to be.
    #[must_use]
    pub const fn is_live(self) -> bool {
        match self {
            Self::PendingFunding | Self::Active | Self::Suspended => true,
            Self::Deleting | Self::Deleted | Self::Canceled => false,
        }
    }
}

/// What a project was funded with when it was created (R4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funding {
    /// None was asked: an earlier project of the account had become ACTIVE.
    NotAsked,
    /// A payment method, VALID then or to become so.
    PaymentMethod(PaymentMethodId),
    /// Initial cloud credit: this order.
    CreditOrder(OrderId),
    /// A voucher code, redeemed into it.
    Voucher,
    /// A LaunchPad grant of the account.
    LaunchPad,
}

/// Where resources live and usage is billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Whose, for life.
    pub account: AccountId,
    /// Its id.
    pub id: ProjectId,
    /// What the customer calls it.
    pub name: ProjectName,
    /// How far it is.
    pub state: ProjectState,
    /// What it was funded with.
    pub funding: Funding,
    /// The account's currency (R1.1).
    pub currency: Currency,
    /// Grows with every change.
    pub version: i64,
    /// When it was created.
    pub created: Instant,
    /// When it became ACTIVE.
    pub activated: Option<Instant>,
    /// Why it is SUSPENDED; none in any other state.
    pub suspension: Option<Suspension>,
    /// When metering stopped and how long late usage is taken; DELETING and DELETED only.
    pub deletion: Option<Deletion>,
    /// When it last changed.
    pub updated: Instant,
}

/// What became of an attempt to move a project on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It moved just now.
    Now(Project),
    /// It was there already.
    Before(Project),
    /// It cannot go there from where it is.
    Impossible(Project),
}

impl Project {
    /// A project that is ACTIVE at once.
    #[must_use]
    pub fn active(
        account: AccountId,
        id: ProjectId,
        name: ProjectName,
        funding: Funding,
        currency: Currency,
        at: Instant,
    ) -> Self {
        let pending = Self::pending(account, id, name, funding, currency, at);
        Self { state: ProjectState::Active, activated: Some(at), ..pending }
    }

    /// A project that waits for its funding.
    #[must_use]
    pub fn pending(
        account: AccountId,
        id: ProjectId,
        name: ProjectName,
        funding: Funding,
        currency: Currency,
        at: Instant,
    ) -> Self {
        let state = ProjectState::PendingFunding;
        Self {
            account,
            id,
            name,
            state,
            funding,
            currency,
            version: 1,
            created: at,
            activated: None,
            suspension: None,
            deletion: None,
            updated: at,
        }
    }

    /// Its resource name.
    #[must_use]
    pub fn resource_name(&self) -> String {
        project_name(self.account, self.id)
    }

    /// Its funding succeeded. Safe to say twice.
    #[must_use]
    pub fn activate(self, at: Instant) -> Moved {
        match self.state {
            ProjectState::PendingFunding => {
                Moved::Now(Self { activated: Some(at), ..self.moved(ProjectState::Active, at) })
            }
            ProjectState::Active | ProjectState::Suspended => Moved::Before(self),
            ProjectState::Deleting | ProjectState::Deleted | ProjectState::Canceled => {
                Moved::Impossible(self)
            }
        }
    }

    /// It is given up before it became ACTIVE.
    #[must_use]
    pub fn cancel(self, at: Instant) -> Moved {
        match self.state {
            ProjectState::PendingFunding => Moved::Now(self.moved(ProjectState::Canceled, at)),
            ProjectState::Canceled => Moved::Before(self),
            ProjectState::Active
            | ProjectState::Suspended
            | ProjectState::Deleting
            | ProjectState::Deleted => Moved::Impossible(self),
        }
    }

    /// It is called something else (R4.4).
    #[must_use]
    pub fn renamed(self, name: ProjectName, at: Instant) -> Self {
        Self { name, version: self.version + 1, updated: at, ..self }
    }

    pub(super) fn moved(self, state: ProjectState, at: Instant) -> Self {
        Self { state, version: self.version + 1, updated: at, ..self }
    }
}

/// `accounts/{account}/projects/{project}`.
#[must_use]
pub fn project_name(account: AccountId, project: ProjectId) -> String {
    child_name(account, "projects", project)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_micros((1_800_000_000 + seconds) * 1_000_000).expect("in range")
    }

    fn pending() -> Project {
        let name = ProjectName::parse("Web").expect("a name");
        let id = ProjectId::from_uuid(AccountId::NONE.uuid());
        Project::pending(AccountId::NONE, id, name, Funding::Voucher, Currency::EUR, at(0))
    }

    fn in_state(state: ProjectState) -> Project {
        Project { state, ..pending() }
    }

    #[test]
    fn a_name_has_one_to_255_characters() {
        assert_eq!(ProjectName::parse("  Été  ").map(|name| name.to_string()).as_deref(), Ok("Été"));
        assert!(ProjectName::parse(&"é".repeat(255)).is_ok());
        for wrong in ["", "   ", "a\nb", &"é".repeat(256)] {
            assert_eq!(ProjectName::parse(wrong), Err(ProjectNameError), "{wrong:?}");
        }
        assert_eq!(ProjectName::offered(0).as_str(), "Project 1");
    }

    #[test]
    fn only_a_pending_project_becomes_active_and_only_once() {
        let Moved::Now(active) = pending().activate(at(5)) else { panic!("it was pending") };
        assert_eq!((active.state, active.activated, active.version), (ProjectState::Active, Some(at(5)), 2));
        assert_eq!(active.clone().activate(at(6)), Moved::Before(active));
        for state in [ProjectState::Canceled, ProjectState::Deleting, ProjectState::Deleted] {
            assert_eq!(in_state(state).activate(at(5)), Moved::Impossible(in_state(state)));
        }
    }

    #[test]
    fn only_a_pending_project_is_canceled_and_for_good() {
        let Moved::Now(canceled) = pending().cancel(at(5)) else { panic!("it was pending") };
        assert_eq!(canceled.activated, None);
        assert_eq!(canceled.clone().cancel(at(6)), Moved::Before(canceled));
        for state in [ProjectState::Active, ProjectState::Suspended, ProjectState::Deleting] {
            assert_eq!(in_state(state).cancel(at(5)), Moved::Impossible(in_state(state)));
        }
    }

    #[test]
    fn a_place_is_free_again_only_when_the_project_is_over() {
        let taking = ProjectState::ALL.into_iter().filter(|state| state.takes_a_place());
        assert!(taking.eq(ProjectState::ALL.into_iter().take(4)));
        assert!(
            ProjectState::ALL.into_iter().all(|state| ProjectState::parse(state.as_str()) == Some(state))
        );
    }
}
