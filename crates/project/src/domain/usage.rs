//! What was used, rated: the lines an invoice is made of (R1.4, R5.6).

use std::num::NonZeroU32;

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_settlement::{Instant, Money, Month, Period, PlanFamily, Quantity, UnitPrice};

use super::{
    project::Project,
    resource::{Labels, ResourceId},
};

/// What one resource used of one plan at one price version in one calendar month (R1.4).
///
/// `net` is quantity × unit price / divisor, rounded once. Sums are sums of `net`s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedLine {
    /// Whose.
    pub account: AccountId,
    /// In which project.
    pub project: ProjectId,
    /// What used it.
    pub resource: ResourceId,
    /// What the customer calls the resource; may be empty.
    pub resource_name: String,
    /// Where it ran; may be empty.
    pub region: String,
    /// The resource's labels as they are now.
    pub labels: Labels,
    /// The plan's code.
    pub plan: String,
    /// What the plan is called.
    pub plan_name: String,
    /// The plan's family: restricted lots look at nothing else.
    pub family: PlanFamily,
    /// What one unit is: `hour`, `month`, `GiB-hour`.
    pub unit: String,
    /// When the price version began.
    pub price_effective: Instant,
    /// What was charged: for hours on full hours, for months from the start day to the month's end.
    pub period: Period,
    /// How many units; of a pro-rated month the days charged (times the size).
    pub quantity: Quantity,
    /// 1; of a pro-rated month its days (R5.3).
    pub divisor: NonZeroU32,
    /// The price of one unit.
    pub unit_price: UnitPrice,
    /// What the line comes to, before tax and credit.
    pub net: Money,
    /// The month whose invoice carries it, where that is known not to be the month of use: measured usage that
    /// came late, in views (R5.5). None on the lines an invoice is made of.
    pub billed_with: Option<Month>,
}

/// Something that fell due in advance and stands on no invoice (R5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdvanceDue {
    /// When it fell due: the instant its invoice is settled at.
    pub due: Instant,
    /// Whose.
    pub account: AccountId,
    /// Of which project.
    pub project: ProjectId,
}

/// An invoice that bills what fell due in advance for a project, up to an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvanceBilled {
    /// Whose.
    pub account: AccountId,
    /// Of which project.
    pub project: ProjectId,
    /// The instant the invoice is settled at.
    pub until: Instant,
    /// The invoice, an opaque reference.
    pub invoice: uuid::Uuid,
}

/// A project with something that may be due for a period. They are ordered as they settle (R7.7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BillableProject {
    /// Whose.
    pub account: AccountId,
    /// When the project was created: an account's projects settle in this order, then by id.
    pub created: Instant,
    /// The project.
    pub project: ProjectId,
}

impl From<&Project> for BillableProject {
    fn from(project: &Project) -> Self {
        Self { account: project.account, created: project.created, project: project.id }
    }
}
