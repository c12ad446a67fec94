//! Resizing a resource, and switching it from hours to months: at once (R5.2, R5.3).
//!
//! Both end the open interval and begin the next one at the same instant; what falls due in advance is noted
//! in the same transaction.

use florin_platform::{audit, call::Call, db::Tx, outbox, violation::Violations, wire::decimal};
use florin_settlement::{Instant, Quantity};

use super::{
    advance, catalogue, query,
    resources::{Named, locked, sold},
};
use crate::{
    domain::{
        plan::{PlanCode, PricedPlan},
        project::{Project, ProjectState},
        resource::{Resource, violations_of_size},
    },
    error::Error,
    events::{ResourceResized, ResourceSwitchedToMonthly},
    store,
};

/// What a resource becomes; what is absent stays.
#[derive(Clone, Debug)]
pub(crate) struct NewSize {
    pub(crate) plan: Option<PlanCode>,
    pub(crate) size: Option<Quantity>,
}

/// Changes the plan, the size, or both.
pub(crate) async fn resize_resource(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: &Named,
    new: &NewSize,
) -> Result<Resource, Error> {
    let (before, project) = running(tx, call, named).await?;
    let code = new.plan.clone().unwrap_or_else(|| before.plan.clone());
    let (from, to) = plans(tx, at, &before, &code, &project).await?;
    from.plan.resizes_to(&to.plan).map_err(|why| Error::ResizeNotAllowed {
        from: from.plan.code.to_string(),
        to: to.plan.code.to_string(),
        why,
    })?;
    violations_of_size(new.size, &to.plan, "").finish()?;
    let after = before.changed_to(code, new.size.unwrap_or(before.size));
    if after.plan == before.plan && after.size == before.size {
        return Err(Violations::one("size", "and plan are what they were").into());
    }
    change(tx, at, &after, &to).await?;
    audit::record(tx, at, call, after.account, &after.name()).await?;
    let fact = ResourceResized {
        resource: after.name(),
        previous_plan: format!("plans/{}", before.plan),
        previous_size: Some(decimal(before.size.value())),
        plan: format!("plans/{}", after.plan),
        size: Some(decimal(after.size.value())),
    };
    outbox::append(tx, at, after.account, &fact).await?;
    Ok(after)
}

/// Switches from hours to months. The hour of the switch stays hourly; the month is pro-rated from this day.
pub(crate) async fn switch_to_monthly(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: &Named,
    code: &PlanCode,
) -> Result<Resource, Error> {
    let (before, project) = running(tx, call, named).await?;
    let (from, to) = plans(tx, at, &before, code, &project).await?;
    from.plan.switches_to(&to.plan).map_err(|why| Error::SwitchNotAllowed {
        from: from.plan.code.to_string(),
        to: to.plan.code.to_string(),
        why,
    })?;
    let after = before.changed_to(code.clone(), before.size);
    change(tx, at, &after, &to).await?;
    audit::record(tx, at, call, after.account, &after.name()).await?;
    let fact = ResourceSwitchedToMonthly {
        resource: after.name(),
        previous_plan: format!("plans/{}", before.plan),
        plan: format!("plans/{}", after.plan),
    };
    outbox::append(tx, at, after.account, &fact).await?;
    Ok(after)
}

/// The resource, if it is there, and its project, if that is ACTIVE.
async fn running(tx: &Tx, call: &Call, named: &Named) -> Result<(Resource, Project), Error> {
    let resource = locked(tx, call, named).await?;
    if resource.removed.is_some() {
        return Err(Error::ResourceRemoved(resource.name()));
    }
    let project = query::owned(tx, call, resource.account, resource.project).await?;
    if project.state != ProjectState::Active {
        return Err(Error::NotActive(project.state));
    }
    Ok((resource, project))
}

/// The plan it runs under, and the one it goes on under. Who stays under a plan may, though it is retired.
async fn plans(
    tx: &Tx,
    at: Instant,
    resource: &Resource,
    to: &PlanCode,
    project: &Project,
) -> Result<(PricedPlan, PricedPlan), Error> {
    let from = catalogue::plan(tx, &resource.plan).await?;
    let to = if *to == resource.plan { from.clone() } else { sold(tx, at, to, project).await? };
    Ok((from, to))
}

async fn change(tx: &Tx, at: Instant, after: &Resource, priced: &PricedPlan) -> Result<(), Error> {
    let before = store::resource::history(tx, after.account, after.id).await?;
    // Another server's clock may be a little ahead.
    let at = before.last().map_or(at, |last| last.from.max(at));
    let ordinal = store::resource::change(tx, after, at).await?;
    advance::note(tx, at, after, ordinal, &before, priced).await
}
