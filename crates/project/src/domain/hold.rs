//! Holds: credit reserved for a launch (R4.8).
//!
//! Owns: what a hold reserves, what it is for, and how it ends.
//! Always holds: a hold is for admission only; it ends by comparing instants, whatever a job has written.
//! Refuses to know: lots and movements. Nothing of a hold reaches them.
//!
//! ```text
//! OPEN ──resource added──► used up, one after the other ──► USED
//!  ├──released──► RELEASED                 │ each has a hold of its own:
//!  └──not taken in time──► TIMED_OUT       ▼
//!                                      ATTACHED ──its use has come to as much──► USED
//!                                        ├──resource removed──► REMOVED
//!                                        └──its cover is over──► TIMED_OUT
//! ```

use florin_credit::ProjectId;
use florin_platform::{
    id::{AccountId, Id, Kind},
    wire::grandchild_name,
};
use florin_settlement::{Instant, Money, MoneyError, PlanFamily, Quantity};

use super::{plan::PlanCode, resource::ResourceId};

/// Marks ids of holds.
#[derive(Debug)]
pub enum HoldKind {}
impl Kind for HoldKind {
    const PREFIX: &'static str = "hold";
}
/// The id of a hold.
pub type HoldId = Id<HoldKind>;

/// The most resources a hold is for.
pub(crate) const COUNT_MAX: i64 = 1000;
/// The longest cover, in hours: a month.
pub(crate) const COVER_HOURS_MAX: i64 = 744;
/// The cover when none is named, in hours.
pub(crate) const COVER_HOURS: i64 = 24;
/// How long a hold waits for its resources when nothing is said, in seconds.
pub(crate) const LIFETIME_SECONDS: u64 = 15 * 60;
/// How long a hold waits at most, in seconds.
pub(crate) const LIFETIME_SECONDS_MAX: u64 = 24 * 3600;

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// It was given back.
    Released,
    /// Nobody took it in time, or its cover was over.
    TimedOut,
    /// All of its resources were added, or its resource has used as much.
    Used,
    /// Its resource was removed.
    Removed,
}

impl HoldEnd {
    const ALL: [Self; 4] = [Self::Released, Self::TimedOut, Self::Used, Self::Removed];

    /// The stored form.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "RELEASED",
            Self::TimedOut => "TIMED_OUT",
            Self::Used => "USED",
            Self::Removed => "REMOVED",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == text)
    }
}

/// What became of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Waits for its resources.
    Open,
    /// Belongs to a resource.
    Attached,
    /// Is over.
    Ended(HoldEnd, Instant),
}

/// Credit reserved for a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Whose.
    pub(crate) account: AccountId,
    /// Its id.
    pub(crate) id: HoldId,
    /// In which project.
    pub(crate) project: ProjectId,
    /// The plan to be started.
    pub(crate) plan: PlanCode,
    /// The plan's family.
    pub(crate) family: PlanFamily,
    /// How much of it each resource is.
    pub(crate) size: Quantity,
    /// How many resources it is for; 1 once it belongs to one.
    pub(crate) count: i64,
    /// How many of them were added.
    pub(crate) used: i64,
    /// What each of them is estimated to cost over the cover.
    pub(crate) unit_amount: Money,
    /// How long that pays for them, in hours.
    pub(crate) cover_hours: i64,
    /// The resource it belongs to.
    pub(crate) resource: Option<ResourceId>,
    /// When it was placed.
    pub(crate) created: Instant,
    /// When it ends at the latest.
    pub(crate) expires: Instant,
    /// How and when it was ended.
    pub(crate) ended: Option<(HoldEnd, Instant)>,
}

/// Why a resource cannot be added on a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRefusal {
    /// It is over, or belongs to a resource.
    NotOpen(HoldState),
    /// It is for another plan or a smaller size.
    DoesNotFit,
}

impl Hold {
    /// `accounts/{account}/projects/{project}/holds/{hold}`.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        hold_name(self.account, self.project, self.id)
    }

    /// What it reserved when it was placed, for all of its resources.
    pub(crate) fn amount(&self) -> Result<Money, MoneyError> {
        times(self.unit_amount, self.count)
    }

    /// What became of it by `at`.
    #[must_use]
    pub(crate) fn state_at(&self, at: Instant) -> HoldState {
        match (self.ended, self.resource) {
            (Some((end, ended)), _) => HoldState::Ended(end, ended),
            (None, _) if self.expires <= at => HoldState::Ended(HoldEnd::TimedOut, self.expires),
            (None, Some(_)) => HoldState::Attached,
            (None, None) => HoldState::Open,
        }
    }

    /// The hold once one of its resources is added, and the part of it that belongs to the resource.
    pub(crate) fn taken_by(
        self,
        part: HoldId,
        resource: ResourceId,
        plan: &PlanCode,
        size: Quantity,
        at: Instant,
    ) -> Result<(Self, Self), HoldRefusal> {
        let state = self.state_at(at);
        if state != HoldState::Open {
            return Err(HoldRefusal::NotOpen(state));
        }
        if self.plan != *plan || self.size < size {
            return Err(HoldRefusal::DoesNotFit);
        }
        let used = self.used + 1;
        let ended = (used == self.count).then_some((HoldEnd::Used, at));
        let attached = Self {
            id: part,
            size,
            count: 1,
            used: 1,
            resource: Some(resource),
            created: at,
            expires: covered_until(at, self.cover_hours),
            ended: None,
            ..self.clone()
        };
        Ok((Self { used, ended, ..self }, attached))
    }
}

/// Until when a cover of so many hours pays for what begins at `at`: the hour begun counts.
#[must_use]
pub(crate) fn covered_until(at: Instant, hours: i64) -> Instant {
    at.floor_hour().plus_hours(u32::try_from(hours).unwrap_or(u32::MAX))
}

/// `amount`, `count` times.
pub(crate) fn times(amount: Money, count: i64) -> Result<Money, MoneyError> {
    let minor = amount.minor().checked_mul(count).ok_or(MoneyError::Overflow)?;
    Ok(Money::new(minor, amount.currency()))
}

/// `accounts/{account}/projects/{project}/holds/{hold}`.
#[must_use]
pub(crate) fn hold_name(account: AccountId, project: ProjectId, hold: HoldId) -> String {
    grandchild_name(account, "projects", project, "holds", hold)
}

#[cfg(test)]
mod tests {
    use florin_settlement::Currency;

    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    fn hold(count: i64) -> Hold {
        Hold {
            account: AccountId::NONE,
            id: HoldId::from_u128(1),
            project: ProjectId::from_u128(2),
            plan: PlanCode::parse("b3-8").expect("a code"),
            family: PlanFamily::Instance,
            size: Quantity::whole(10),
            count,
            used: 0,
            unit_amount: Money::new(240, Currency::EUR),
            cover_hours: 24,
            resource: None,
            created: at("2027-03-01T08:00:00Z"),
            expires: at("2027-03-01T08:15:00Z"),
            ended: None,
        }
    }

    #[test]
    fn a_hold_for_two_is_used_by_two_resources_and_no_third() {
        let take = |hold: Hold, n| {
            let plan = hold.plan.clone();
            let now = at("2027-03-01T08:10:00Z");
            hold.taken_by(HoldId::from_u128(n), ResourceId::from_u128(n), &plan, Quantity::whole(5), now)
        };
        let (rest, first) = take(hold(2), 7).expect("taken");
        assert_eq!((rest.used, rest.ended), (1, None));
        assert_eq!(first.expires, at("2027-03-02T08:00:00Z"));
        assert_eq!(first.state_at(at("2027-03-02T07:59:59Z")), HoldState::Attached);
        let (rest, _) = take(rest, 8).expect("taken");
        let used = HoldState::Ended(HoldEnd::Used, at("2027-03-01T08:10:00Z"));
        assert_eq!(rest.state_at(at("2027-03-01T08:10:00Z")), used);
        assert_eq!(take(rest, 9), Err(HoldRefusal::NotOpen(used)));
    }

    #[test]
    fn a_hold_ends_at_its_instant_and_fits_its_plan_and_size_only() {
        let timed_out = HoldState::Ended(HoldEnd::TimedOut, at("2027-03-01T08:15:00Z"));
        assert_eq!(hold(1).state_at(at("2027-03-01T08:14:59.999999Z")), HoldState::Open);
        assert_eq!(hold(1).state_at(at("2027-03-01T08:15:00Z")), timed_out);
        let other = PlanCode::parse("b3-16").expect("a code");
        let (part, resource, now) =
            (HoldId::from_u128(7), ResourceId::from_u128(7), at("2027-03-01T08:01:00Z"));
        let larger = hold(1).taken_by(part, resource, &hold(1).plan, Quantity::whole(11), now);
        assert_eq!(larger, Err(HoldRefusal::DoesNotFit));
        let another = hold(1).taken_by(part, resource, &other, Quantity::whole(1), now);
        assert_eq!(another, Err(HoldRefusal::DoesNotFit));
        assert_eq!(hold(3).amount().map(Money::minor), Ok(720));
    }

    #[test]
    fn every_end_reads_back() {
        assert!(HoldEnd::ALL.into_iter().all(|end| HoldEnd::parse(end.as_str()) == Some(end)));
    }
}
