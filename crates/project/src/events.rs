//! The facts others may consume: ids and amounts only, never personal data (R2.8).

pub(crate) use florin_api::event::v1::{
    AdvanceChargeDue, BudgetThresholdReached, HoldPlaced, HoldReleased, PlanCreated, PlanRetired,
    PlanUpdated, PrepaidFundsExhausted, PrepaidFundsRestored, PriceVersionAdded, PriceVersionEnded,
    ProjectActivated, ProjectCanceled, ProjectCreated, ProjectDeleted, ProjectDeletionStarted,
    ProjectResumed, ProjectSuspended, ProjectSuspensionLifted, ProjectUpdated, ResourceAdded,
    ResourceRemoved, ResourceResized, ResourceSwitchedToMonthly, ResourceUpdated, SpendCapReached,
    SpendingControlsChanged,
};
