//! Adding, renaming and removing resources: one call each, with effect at once (R5.2).

use florin_credit::ProjectId;
use florin_platform::{audit, call::Call, db::Tx, etag, id::AccountId, outbox, wire::decimal};
use florin_settlement::{Instant, Quantity};

use super::{
    advance, catalogue,
    holds::{self, Admitted},
    query, quotas,
    standings::Standings,
};
use crate::{
    domain::{
        hold::HoldId,
        plan::{PlanCode, PricedPlan},
        project::{Project, ProjectState},
        resource::{Change, NewResource, Resource, ResourceId},
    },
    error::Error,
    events::{ResourceAdded, ResourceRemoved, ResourceUpdated},
    store,
};

/// Adds a resource to an ACTIVE project; it is charged from `at` on.
pub(crate) async fn add_resource(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    new: NewResource,
    (standings, hold): (&Standings, Option<HoldId>),
) -> Result<Resource, Error> {
    query::reach(tx, call, account, project).await?;
    florin_account::lock(tx, &[account]).await?;
    let project = query::owned(tx, call, account, project).await?;
    if project.state != ProjectState::Active {
        return Err(Error::NotActive(project.state));
    }
    let priced = sold(tx, at, &new.plan, &project).await?;
    new.violations_under(&priced.plan, "resource.").finish()?;
    quotas::admit(tx, &project, priced.plan.family).await?;

    let resource = Resource {
        account,
        id: ResourceId::generate(at),
        project: project.id,
        display_name: new.display_name,
        plan: new.plan,
        size: new.size.unwrap_or_else(|| Quantity::whole(1)),
        region: new.region,
        labels: new.labels,
        version: 1,
        created: at,
        removed: None,
    };
    let (plan, size) = (&resource.plan, resource.size);
    let admitted = Admitted { resource: resource.id, plan, size, hold };
    holds::admit(tx, standings, at, call, &project, admitted).await?;
    let name = resource.name();
    let ordinal = store::resource::insert(tx, &resource).await?;
    advance::note(tx, at, &resource, ordinal, &[], &priced).await?;
    audit::record(tx, at, call, account, &name).await?;
    let size = Some(decimal(resource.size.value()));
    let fact = ResourceAdded { resource: name, plan: format!("plans/{}", resource.plan), size };
    outbox::append(tx, at, account, &fact).await?;
    Ok(resource)
}

/// The plan, if it is sold now and has a price in the project's currency.
pub(crate) async fn sold(
    tx: &Tx,
    at: Instant,
    code: &PlanCode,
    project: &Project,
) -> Result<PricedPlan, Error> {
    let priced = catalogue::plan(tx, code).await?;
    if let Some(retired) = priced.plan.retired.filter(|_| !priced.plan.is_sold_at(at)) {
        return Err(Error::PlanRetired { plan: code.to_string(), retired });
    }
    if priced.version_at(project.currency, at).is_none() {
        return Err(Error::PriceMissing { plan: code.to_string(), currency: project.currency });
    }
    Ok(priced)
}

/// A resource to change, and the version the caller has seen.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) resource: ResourceId,
    pub(crate) etag: String,
}

/// The resource of `named`, its account locked, if it is there in the version seen.
pub(crate) async fn locked(tx: &Tx, call: &Call, named: &Named) -> Result<Resource, Error> {
    let Named { account, project, resource, .. } = *named;
    query::reach(tx, call, account, project).await?;
    florin_account::lock(tx, &[account]).await?;
    let resource = query::owned_resource(tx, call, account, project, resource).await?;
    let name = resource.name();
    if !etag::allows(&named.etag, &name, resource.version) {
        return Err(Error::EtagMismatch(name));
    }
    Ok(resource)
}

/// The fields an Update may name.
pub(crate) const UPDATABLE: &[&str] = &["display_name", "labels"];

/// Changes what a resource is called and its labels, also of a removed one: its lines are still to be made.
pub(crate) async fn update_resource(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: &Named,
    change: &Change,
) -> Result<Resource, Error> {
    let resource = locked(tx, call, named).await?.updated(change);
    store::resource::save(tx, &resource).await?;
    let name = resource.name();
    audit::record(tx, at, call, resource.account, &name).await?;
    outbox::append(tx, at, resource.account, &ResourceUpdated { resource: name }).await?;
    Ok(resource)
}

/// Removes a resource; it is charged up to `at`, the hour begun included. A monthly charge once due is
/// not reduced.
pub(crate) async fn remove_resource(
    tx: &Tx,
    at: Instant,
    call: &Call,
    named: &Named,
) -> Result<Resource, Error> {
    let resource = locked(tx, call, named).await?;
    let name = resource.name();
    let Some(resource) = resource.removed_at(at) else { return Err(Error::ResourceRemoved(name)) };
    store::resource::remove(tx, &resource).await?;
    audit::record(tx, at, call, resource.account, &name).await?;
    outbox::append(tx, at, resource.account, &ResourceRemoved { resource: name }).await?;
    Ok(resource)
}
