//! Adding and removing resources: one call each, with effect at once (R5.2).

use florin_credit::ProjectId;
use florin_platform::{audit, call::Call, db::Tx, etag, id::AccountId, outbox, wire::decimal};
use florin_settlement::{Instant, Quantity};

use super::{catalogue, query};
use crate::{
    domain::{
        project::{ProjectState, project_name},
        resource::{NewResource, Resource, ResourceId, resource_name},
    },
    error::Error,
    events::{ResourceAdded, ResourceRemoved},
    store,
};

/// Adds a resource to an ACTIVE project; it is charged from `at` on.
pub(crate) async fn add_resource(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    new: NewResource,
) -> Result<Resource, Error> {
    query::visible(call, account, || project_name(account, project))?;
    florin_account::lock(tx, &[account]).await?;
    let project = query::owned(tx, call, account, project).await?;
    if project.state != ProjectState::Active {
        return Err(Error::NotActive(project.state));
    }
    let priced = catalogue::plan(tx, &new.plan).await?;
    if let Some(retired) = priced.plan.retired.filter(|_| !priced.plan.is_sold_at(at)) {
        return Err(Error::PlanRetired { plan: new.plan.to_string(), retired });
    }
    if priced.version_at(project.currency, at).is_none() {
        return Err(Error::PriceMissing { plan: new.plan.to_string(), currency: project.currency });
    }
    new.violations_under(&priced.plan, "resource.").finish()?;

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
    let name = resource.name();
    store::resource::insert(tx, &resource).await?;
    audit::record(tx, at, call, account, &name).await?;
    let size = Some(decimal(resource.size.value()));
    let fact = ResourceAdded { resource: name, plan: format!("plans/{}", resource.plan), size };
    outbox::append(tx, at, account, &fact).await?;
    Ok(resource)
}

/// Removes a resource; it is charged up to `at`, the hour begun included. A monthly charge once due is
/// not reduced.
pub(crate) async fn remove_resource(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project, resource): (AccountId, ProjectId, ResourceId),
    given_etag: &str,
) -> Result<Resource, Error> {
    query::visible(call, account, || resource_name(account, project, resource))?;
    florin_account::lock(tx, &[account]).await?;
    let resource = query::owned_resource(tx, call, account, project, resource).await?;
    let name = resource.name();
    if !etag::allows(given_etag, &name, resource.version) {
        return Err(Error::EtagMismatch(name));
    }
    let Some(resource) = resource.removed_at(at) else { return Err(Error::ResourceRemoved(name)) };
    store::resource::remove(tx, &resource).await?;
    audit::record(tx, at, call, account, &name).await?;
    outbox::append(tx, at, account, &ResourceRemoved { resource: name }).await?;
    Ok(resource)
}
