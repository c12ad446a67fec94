//! Projects, catalogue, resources, usage and rating.
//!
//! Owns: who may create a project and with what funding ([`domain`](self), R4), which plans there are and
//! what they cost when (R5.1), what each resource held when and what was measured of it, and what that comes
//! to (R5.2–R5.6, R1.4).
//! Always holds: a project never changes account, currency or funding; a price is never edited, only
//! superseded; no hour of a resource is charged twice; the places of an account's limit are counted with
//! the account locked, pending projects included, so that concurrency cannot exceed it.
//! Refuses to know: taking money, tax lines and invoices. What a project waits for is told by the slices
//! that know of it ([`activate`], [`cancel_pending`], [`Gate`]).

mod convert;
mod domain;
mod error;
mod events;
mod grpc;
mod notices;
mod ports;
mod service;
mod spending_jobs;
mod spending_notices;
mod store;

pub mod jobs;

pub use domain::{
    budget::{BudgetId, BudgetKind},
    funding::Denial,
    hold::{HoldEnd, HoldId, HoldKind, HoldRefusal, HoldState},
    life::{Deletion, DeletionCause, OperatorSuspension, Suspension, SuspensionCause, UsageClosed},
    metering::Acceptance,
    plan::{
        ChargeModel, Plan, PlanChangeError, PlanCode, PriceVersion, PricedPlan, Timing, Unit, earliest_change,
    },
    project::{Funding, Moved, Project, ProjectName, ProjectState, project_name},
    quota::Quota,
    rating::{Burn, RatingError, StartingCost},
    resource::{Labels, Resource, ResourceId, ResourceKind, resource_name},
    tariff::OwnPrice,
    usage::{AdvanceBilled, AdvanceDue, BillableProject, RatedLine},
};
pub use error::Error;
pub use florin_credit::ProjectId;
pub use grpc::{
    budgets::BudgetRpc, catalog::CatalogRpc, funding::FundingRpc, projects::ProjectRpc,
    resources::ResourceRpc, usage::UsageRpc,
};
pub use ports::{DebtStanding, ForecastDebit, ForecastPayment, InvoiceForecast, PortError, Receivables};
pub use service::{
    delete::{begin_dunning_deletion, due_for_final, finish_deletion, next_final},
    fund::{activate, activate_pending_of, cancel_pending, cancel_pending_for_method},
    gate::Gate,
    intake::{IntakeLimits, UsageIntake},
    query::{billable, billable_count, find, first_used, is_funded, list, pending_for_order},
    standings::Standings,
    suspend::{resume_all_of, suspend_all_of},
};

/// What of measured usage can be recomputed is, for `florin audit` (R14.5).
pub mod audit {
    pub use crate::store::audit::check;
}

/// The catalogue: imported from a file, never edited (R5.1).
pub mod catalogue {
    pub use crate::service::catalogue::{Imported, import};
}

/// What fell due in advance: noted here, invoiced above (R5.3).
pub mod advance {
    pub use crate::service::advance::{bill, first_due, oldest_unbilled, unbilled};
}

/// What goes on costing: for runways, holds and caps (R4.8).
pub mod burn {
    pub use crate::service::burn::{of_projects, of_starting};
}

/// What issuers allow their customers' projects: graces and quotas (R4.6, R4.7).
pub mod policy {
    pub use crate::service::policy::import;
}

/// How much of each plan family a project may hold, and holds (R4.7).
pub mod quotas {
    pub use crate::service::quotas::of_project;
}

/// Usage, rated: what estimates and invoices are made of (R1.4, R5.6).
pub mod usage {
    pub use crate::service::usage::{close, of_projects};
}

/// What may be spent: keeping funding standings and budgets true (R4.8, R5.7).
pub mod spending {
    pub use crate::{service::standings::Comparison, spending_jobs::all as jobs};
}
