//! Resources on the wire.

use florin_api::project::v1 as wire;
use florin_credit::ProjectId;
use florin_platform::{
    etag,
    id::AccountId,
    mask::Mask,
    violation::Violations,
    wire::{decimal, parse_grandchild, rate, timestamp},
};
use florin_settlement::{DecimalError, Quantity};

use super::plan;
use crate::{
    domain::{
        plan::PlanCode,
        resource::{Change, NewResource, Resource, ResourceId, ResourceState, SIZE_SCALE_MAX, check_size},
    },
    service::{
        resize::NewSize,
        resources::{Named, UPDATABLE},
    },
};

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

fn named(field: &str, given: &str, etag: &str) -> Result<Named, Violations> {
    let (account, project, resource) = name(field, given)?;
    Ok(Named { account, project, resource, etag: etag.to_owned() })
}

/// Reads a RemoveResource request.
pub(crate) fn removed(request: &wire::RemoveResourceRequest) -> Result<Named, Violations> {
    named("name", &request.name, &request.etag)
}

/// Reads an UpdateResource request.
pub(crate) fn updated(request: &wire::UpdateResourceRequest) -> Result<(Named, Change), Violations> {
    let mut violations = Violations::new();
    let mask = take(&mut violations, Mask::parse(request.update_mask.as_ref(), UPDATABLE));
    let Some(resource) = &request.resource else {
        violations.add("resource", "is required");
        return violations.finish_with(None);
    };
    let named = take(&mut violations, named("resource.name", &resource.name, &resource.etag));
    let wants = |field: &str| mask.as_ref().is_some_and(|mask| mask.has(field));
    let change = Change {
        display_name: wants("display_name").then(|| resource.display_name.trim().to_owned()),
        labels: wants("labels").then(|| resource.labels.clone()),
    };
    violations.extend(change.violations("resource."));
    violations.finish_with(named.map(|named| (named, change)))
}

/// Reads a ResizeResource request.
pub(crate) fn resized(request: &wire::ResizeResourceRequest) -> Result<(Named, NewSize), Violations> {
    let mut violations = Violations::new();
    let named = take(&mut violations, named("name", &request.name, &request.etag));
    let plan = (!request.plan.is_empty()).then(|| take(&mut violations, plan::code("plan", &request.plan)));
    let size = request.size.as_ref().map(|size| violations.take("size", quantity(size)));
    violations.check("size", plan.is_some() || size.is_some(), "or plan is required");
    let (plan, size) = (plan.flatten(), size.flatten());
    if let Some(size) = size {
        check_size("", size, &mut violations);
    }
    violations.finish_with(named.map(|named| (named, NewSize { plan, size })))
}

/// Reads a SwitchToMonthly request.
pub(crate) fn switched(request: &wire::SwitchToMonthlyRequest) -> Result<(Named, PlanCode), Violations> {
    let mut violations = Violations::new();
    let named = take(&mut violations, named("name", &request.name, &request.etag));
    let plan = take(&mut violations, plan::code("plan", &request.plan));
    violations.finish_with(named.zip(plan))
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
