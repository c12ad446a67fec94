//! The facts others may consume: ids and amounts only, never personal data (R2.8).

pub(crate) use florin_api::event::v1::{
    AdvanceChargeDue, BudgetThresholdReached, HoldPlaced, HoldReleased, PlanCreated, PlanRetired,
    PlanUpdated, PrepaidFundsExhausted, PrepaidFundsRestored, PriceVersionAdded, PriceVersionEnded,
    ProjectActivated, ProjectCanceled, ProjectCreated, ProjectDeleted, ProjectDeletionRequested,
    ProjectDeletionStarted, ProjectDeletionWithdrawn, ProjectResumed, ProjectSuspended,
    ProjectSuspensionAcknowledged, ProjectSuspensionLifted, ProjectUpdated, QuotaChanged, ResourceAdded,
    ResourceRemoved, ResourceResized, ResourceSwitchedToMonthly, ResourceUpdated, RightGranted, RightRevoked,
    SpendCapReached, SpendingControlsChanged,
};
