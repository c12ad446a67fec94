//! Measured usage: what an event is, and whether and where it counts (R5.4, R5.5).
//!
//! Owns: exact quantities and their sums, the refusals of events, and which invoice an event belongs to.
//! Always holds: an event is judged by what its resource was at the event's own instant, never by what it is
//! now; it is billed with the month it happened in, or, when that month is closed, with the first open one.
//! Refuses to know: prices, and how events are kept.

use std::collections::{BTreeMap, HashMap};

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_settlement::{Decimal, Instant, Month, Quantity, RateError};

use super::{life::UsageClosed, plan::PlanCode, project::Project, resource::ResourceId};

/// The longest id of an event, in characters.
pub(crate) const EVENT_ID_CHARACTERS_MAX: usize = 64;
/// The longest label of an event, in characters.
pub(crate) const LABEL_CHARACTERS_MAX: usize = 255;
/// The most whole units one event may measure.
pub(crate) const UNITS_MAX: i64 = 1_000_000_000_000;
/// The most events of one batch.
pub(crate) const BATCH_EVENTS_MAX: usize = 5000;
/// The decimals of a quantity (R1.2).
const SCALE: u32 = 10;
/// 10⁻¹⁰ parts of a unit.
const FRACTIONS: i64 = 10_000_000_000;

/// How much was measured, exactly: whole units and 10⁻¹⁰ parts of one, so that a database can sum both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Measured {
    units: i64,
    fraction: i64,
}

impl Measured {
    /// The quantity; none if it is larger than an event may be.
    pub(crate) fn of(quantity: Quantity) -> Option<Self> {
        let value = quantity.value();
        let missing = SCALE.checked_sub(value.scale())?;
        let parts = value.mantissa().checked_mul(10_i128.checked_pow(missing)?)?;
        let units = i64::try_from(parts / i128::from(FRACTIONS)).ok()?;
        let fraction = i64::try_from(parts % i128::from(FRACTIONS)).ok()?;
        let small = units < UNITS_MAX || (units == UNITS_MAX && fraction == 0);
        small.then_some(Self { units, fraction })
    }

    /// What was stored; parts may be more than a unit in a sum.
    pub(crate) fn stored(units: i64, fraction: i64) -> Option<Self> {
        if units < 0 || fraction < 0 {
            return None;
        }
        let units = units.checked_add(fraction / FRACTIONS)?;
        Some(Self { units, fraction: fraction % FRACTIONS })
    }

    /// Whole units.
    pub(crate) const fn units(self) -> i64 {
        self.units
    }

    /// 10⁻¹⁰ parts of a unit, fewer than a whole one.
    pub(crate) const fn fraction(self) -> i64 {
        self.fraction
    }

    /// The sum; none if it does not fit.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        Self::stored(self.units.checked_add(other.units)?, self.fraction + other.fraction)
    }

    /// `self` × `numerator` / `denominator`, cut to 10⁻¹⁰: for forecasts, never for a charge. None if it does not
    /// fit.
    pub(crate) fn scaled(self, numerator: i64, denominator: i64) -> Option<Self> {
        let parts = i128::from(self.units) * i128::from(FRACTIONS) + i128::from(self.fraction);
        let scaled = parts.checked_mul(i128::from(numerator))?.checked_div(i128::from(denominator))?;
        let units = i64::try_from(scaled / i128::from(FRACTIONS)).ok()?;
        Self::stored(units, i64::try_from(scaled % i128::from(FRACTIONS)).ok()?)
    }

    /// As a quantity.
    ///
    /// # Errors
    /// [`RateError::TooLarge`].
    pub(crate) fn quantity(self) -> Result<Quantity, RateError> {
        let parts = i128::from(self.units) * i128::from(FRACTIONS) + i128::from(self.fraction);
        let exact = Decimal::try_from_i128_with_scale(parts, SCALE).map_err(|_| RateError::TooLarge)?;
        Quantity::try_new(exact)
    }
}

/// Something that was measured, well-formed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsageEvent {
    /// Whose.
    pub(crate) account: AccountId,
    /// In which project.
    pub(crate) project: ProjectId,
    /// What used it.
    pub(crate) resource: ResourceId,
    /// The sender's id, unique per account.
    pub(crate) id: String,
    /// How much.
    pub(crate) quantity: Measured,
    /// When.
    pub(crate) at: Instant,
    /// Whatever the sender wants to find again.
    pub(crate) label: String,
}

impl UsageEvent {
    /// What must be the same when the id is.
    pub(crate) fn content(&self) -> Content<'_> {
        Content { resource: self.resource, quantity: self.quantity, at: self.at, label: &self.label }
    }
}

/// What an event says, without its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    /// What used it.
    pub(crate) resource: ResourceId,
    /// How much.
    pub(crate) quantity: Measured,
    /// When.
    pub(crate) at: Instant,
    /// The label.
    pub(crate) label: &'a str,
}

/// Whether `id` can be the id of an event: 1 to 64 printable ASCII characters without spaces.
pub(crate) fn is_event_id(id: &str) -> bool {
    (1..=EVENT_ID_CHARACTERS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `label` can be a label.
pub(crate) fn is_label(label: &str) -> bool {
    label.len() <= LABEL_CHARACTERS_MAX * 4
        && label.chars().count() <= LABEL_CHARACTERS_MAX
        && !label.chars().any(char::is_control)
}

/// A stretch of a resource's life under one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The plan.
    pub(crate) plan: PlanCode,
    /// Whether its use is measured.
    pub(crate) metered: bool,
    /// From when on.
    pub(crate) from: Instant,
    /// Until when; open while it runs.
    pub(crate) to: Option<Instant>,
}

/// What events of one resource are judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// The project it lives in.
    pub(crate) project: Project,
    /// What it was when, in the order of time.
    pub(crate) stretches: Vec<Stretch>,
    /// The last month of the project that is closed.
    pub(crate) closed: Option<Month>,
}

/// What instants are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// How far a sender's clock may be ahead, in seconds.
    pub skew_seconds: u32,
    /// How old an event may be, in days (R5.5).
    pub window_days: u32,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self { skew_seconds: 60, window_days: 35 }
    }
}

/// Why an event is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// Its id is another event's.
    #[error("an event of the account has this id and another content")]
    Conflict,
    /// Missing, or someone else's.
    #[error("the resource does not exist")]
    ResourceUnknown,
    /// The project takes none any more.
    #[error("{}", closed(*.0))]
    ProjectEnded(UsageClosed),
    /// Not yet.
    #[error("the instant has not come yet; it is {now}")]
    InFuture {
        /// The present.
        now: Instant,
    },
    /// No longer.
    #[error("the instant lies before {since}, where the acceptance window begins")]
    TooOld {
        /// The oldest instant taken.
        since: Instant,
    },
    /// The resource was not there.
    #[error("the resource was not there at that instant")]
    OutsideLifetime,
    /// Nothing of it is measured.
    #[error("plan {0} is not METERED")]
    NotMetered(PlanCode),
}

fn closed(closed: UsageClosed) -> String {
    match closed {
        UsageClosed::MeteringStopped(at) => format!("the project is being deleted: metering stopped at {at}"),
        UsageClosed::GraceOver(at) => format!("the project is deleted: late usage was taken until {at}"),
        UsageClosed::NeverActive => "the project never became ACTIVE".to_owned(),
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Recorded now.
    Accepted,
    /// Recorded before.
    Duplicate,
    /// Not recorded.
    Refused(Refused),
}

/// What sums are kept of: everything a line is made of, hour by hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HourKey {
    /// Whose.
    pub(crate) account: AccountId,
    /// In which project.
    pub(crate) project: ProjectId,
    /// The month whose invoice is the first that can carry it.
    pub(crate) billed_with: Month,
    /// In which hour, by its beginning. Before the resource, as in the key of what is stored: what comes now goes
    /// to one place.
    pub(crate) hour: Instant,
    /// What used it.
    pub(crate) resource: ResourceId,
    /// Under which plan.
    pub(crate) plan: PlanCode,
}

/// What the same sums are kept of month by month, in the order of the key of what is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MonthKey {
    /// Whose.
    pub(crate) account: AccountId,
    /// In which project.
    pub(crate) project: ProjectId,
    /// The month whose invoice is the first that can carry it.
    pub(crate) billed_with: Month,
    /// What used it.
    pub(crate) resource: ResourceId,
    /// Under which plan.
    pub(crate) plan: PlanCode,
    /// The month of use.
    pub(crate) month: Month,
}

impl From<&HourKey> for MonthKey {
    fn from(hour: &HourKey) -> Self {
        Self {
            account: hour.account,
            project: hour.project,
            billed_with: hour.billed_with,
            resource: hour.resource,
            plan: hour.plan.clone(),
            month: Month::of(hour.hour),
        }
    }
}

/// What events add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// How much they measured.
    pub(crate) quantity: Measured,
    /// How many they are.
    pub(crate) events: i64,
}

impl Total {
    /// The sum; none if it does not fit.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let events = self.events.checked_add(other.events)?;
        Some(Self { quantity: self.quantity.checked_add(other.quantity)?, events })
    }
}

/// What events add to a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MonthTotal {
    /// The first hour they add to.
    pub(crate) first: Instant,
    /// The last.
    pub(crate) last: Instant,
    /// What they add.
    pub(crate) total: Total,
}

/// What events add to each hour and to each month, in the orders of what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Hour by hour.
    pub(crate) hours: BTreeMap<HourKey, Total>,
    /// The same month by month.
    pub(crate) months: BTreeMap<MonthKey, MonthTotal>,
}

impl Sums {
    /// Sums events, each with where it counts; none if a sum does not fit.
    pub(crate) fn of<'e>(events: impl Iterator<Item = (&'e HourKey, Measured)>) -> Option<Self> {
        let mut hours: HashMap<&HourKey, Total> = HashMap::new();
        for (place, quantity) in events {
            let total = hours.entry(place).or_default();
            *total = total.checked_add(Total { quantity, events: 1 })?;
        }
        let hours: BTreeMap<HourKey, Total> =
            hours.into_iter().map(|(hour, total)| (hour.clone(), total)).collect();
        let mut months: BTreeMap<MonthKey, MonthTotal> = BTreeMap::new();
        for (key, total) in &hours {
            let nothing = MonthTotal { first: key.hour, last: key.hour, total: Total::default() };
            let month = months.entry(key.into()).or_insert(nothing);
            month.first = month.first.min(key.hour);
            month.last = month.last.max(key.hour);
            month.total = month.total.checked_add(*total)?;
        }
        Some(Self { hours, months })
    }
}

/// Decides where `event` counts, by what is known of its resource at `now`.
///
/// # Errors
/// [`Refused`]: the first reason, in the order of the table in the crate's README.
pub(crate) fn place(
    event: &UsageEvent,
    life: Option<&Life>,
    now: Instant,
    acceptance: Acceptance,
) -> Result<HourKey, Refused> {
    let life = life.filter(|life| life.project.id == event.project).ok_or(Refused::ResourceUnknown)?;
    life.project.takes_usage(event.at, now).map_err(Refused::ProjectEnded)?;
    if event.at > now.plus_seconds(u64::from(acceptance.skew_seconds)) {
        return Err(Refused::InFuture { now });
    }
    let since = now.minus_days(acceptance.window_days);
    if event.at < since {
        return Err(Refused::TooOld { since });
    }
    let holds = |stretch: &&Stretch| stretch.from <= event.at && stretch.to.is_none_or(|to| event.at < to);
    let stretch = life.stretches.iter().rev().find(holds).ok_or(Refused::OutsideLifetime)?;
    if !stretch.metered {
        return Err(Refused::NotMetered(stretch.plan.clone()));
    }
    let month = Month::of(event.at);
    Ok(HourKey {
        account: event.account,
        project: event.project,
        billed_with: life.closed.map_or(month, |closed| month.max(closed.next())),
        resource: event.resource,
        plan: stretch.plan.clone(),
        hour: event.at.floor_hour(),
    })
}

#[cfg(test)]
mod tests;
