//! Resources on the wire.

use florin_api::project::v1 as wire;
use florin_credit::ProjectId;
use florin_platform::{
    etag,
    id::AccountId,
    violation::Violations,
    wire::{decimal, parse_grandchild, rate, timestamp},
};
use florin_settlement::{DecimalError, Quantity};

use super::plan;
use crate::domain::resource::{NewResource, Resource, ResourceId, ResourceState, SIZE_SCALE_MAX};

/// Reads the name of a resource in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, ProjectId, ResourceId), Violations> {
    parse_grandchild("projects", "resources", name).map_err(|error| Violations::one(field, error))
}

/// Reads an AddResource request.
pub(crate) fn new_resource(
    request: &wire::AddResourceRequest,
) -> Result<(AccountId, ProjectId, NewResource), Violations> {
    let mut violations = Violations::new();
    let parent = take(&mut violations, super::project::name("parent", &request.parent));
    let Some(resource) = &request.resource else {
        violations.add("resource", "is required");
        return violations.finish_with(None);
    };
    let plan = take(&mut violations, plan::code("resource.plan", &resource.plan));
    let size = resource.size.as_ref().map(|size| violations.take("resource.size", quantity(size)));
    let new = plan.map(|plan| NewResource {
        plan,
        display_name: resource.display_name.trim().to_owned(),
        size: size.flatten(),
        region: resource.region.clone(),
        labels: resource.labels.clone(),
    });
    if let Some(new) = &new {
        violations.extend(new.violations("resource."));
    }
    violations.finish_with(parent.zip(new).map(|((account, project), new)| (account, project, new)))
}

fn quantity(size: &florin_api::money::Decimal) -> Result<Quantity, String> {
    let value = rate(size, SIZE_SCALE_MAX).map_err(|error: DecimalError| error.to_string())?;
    Quantity::try_new(value).map_err(|error| error.to_string())
}

fn take<T>(violations: &mut Violations, read: Result<T, Violations>) -> Option<T> {
    read.map_err(|wrong| violations.extend(wrong)).ok()
}

/// Renders a resource.
pub(crate) fn resource(resource: &Resource) -> wire::Resource {
    let name = resource.name();
    let state = match resource.removed {
        None => wire::resource::State::Active,
        Some(_) => wire::resource::State::Removed,
    };
    wire::Resource {
        etag: etag::of(&name, resource.version),
        name,
        plan: plan::plan_name(resource.plan.as_str()),
        display_name: resource.display_name.clone(),
        size: Some(decimal(resource.size.value())),
        region: resource.region.clone(),
        labels: resource.labels.clone(),
        state: state.into(),
        create_time: Some(timestamp(resource.created)),
        remove_time: resource.removed.map(timestamp),
    }
}

/// Reads states to filter by.
pub(crate) fn states(
    field: &str,
    given: impl Iterator<Item = wire::resource::State>,
) -> Result<Vec<ResourceState>, Violations> {
    let mut violations = Violations::new();
    let mut states = Vec::new();
    for (index, state) in super::project::few(field, given, &mut violations) {
        match state {
            wire::resource::State::Unspecified => {
                violations.add(format!("{field}[{index}]"), "is not a state")
            }
            wire::resource::State::Active => states.push(ResourceState::Active),
            wire::resource::State::Removed => states.push(ResourceState::Removed),
        }
    }
    violations.finish().map(|()| states)
}
