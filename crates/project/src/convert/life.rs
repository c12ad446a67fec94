//! Suspension, deletion, quotas and limits on the wire.

use florin_api::project::v1 as wire;
use florin_credit::ProjectId;
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{account_name, timestamp},
};
use florin_settlement::{Instant, PlanFamily};

use super::plan::wire_family;
use crate::domain::{
    life::Acknowledgement,
    project::Project,
    quota::{QUOTA_MAX, Quota, quota_id},
};

/// The longest reason of an operator, in characters.
const REASON_CHARACTERS_MAX: usize = 1000;
/// The longest token, in bytes: more than any has.
const TOKEN_BYTES_MAX: usize = 128;
/// The most projects an account may be allowed.
const PROJECT_LIMIT_MAX: u32 = 10_000;

/// Reads a SuspendProject request: which project, and why.
pub(crate) fn suspended(
    request: &wire::SuspendProjectRequest,
) -> Result<((AccountId, ProjectId), String), Violations> {
    let mut violations = Violations::new();
    let named = super::project::name("name", &request.name).map_err(|wrong| violations.extend(wrong)).ok();
    let reason = request.reason.trim();
    let plain = !reason.chars().any(|character| character.is_control() && character != '\n');
    violations.check(
        "reason",
        (1..=REASON_CHARACTERS_MAX).contains(&reason.chars().count()) && plain,
        format!("must have 1 to {REASON_CHARACTERS_MAX} characters, and no control characters"),
    );
    violations.finish_with(named.map(|named| (named, reason.to_owned())))
}

/// Reads a ConfirmProjectDeletion request: which project.
pub(crate) fn confirmed(
    request: &wire::ConfirmProjectDeletionRequest,
) -> Result<(AccountId, ProjectId), Violations> {
    let mut violations = Violations::new();
    let named = super::project::name("name", &request.name).map_err(|wrong| violations.extend(wrong)).ok();
    violations.check(
        "token",
        (1..=TOKEN_BYTES_MAX).contains(&request.token.len()),
        format!("must have 1 to {TOKEN_BYTES_MAX} characters"),
    );
    violations.finish_with(named)
}

/// Renders that a control plane has stopped what it runs.
pub(crate) fn acknowledgement(project: &Project, said: &Acknowledgement) -> wire::SuspensionAcknowledgement {
    wire::SuspensionAcknowledgement {
        project: project.resource_name(),
        service: said.service.clone(),
        suspend_time: Some(timestamp(said.since)),
        acknowledge_time: Some(timestamp(said.at)),
    }
}

/// Renders a requested deletion.
pub(crate) fn requested(project: &Project, expires: Instant) -> wire::RequestProjectDeletionResponse {
    wire::RequestProjectDeletionResponse {
        project: Some(super::project::project(project)),
        expire_time: Some(timestamp(expires)),
    }
}

/// What a SetQuota request asks for.
pub(crate) type NewQuota = ((AccountId, ProjectId), PlanFamily, u32);

/// Reads a SetQuota request.
pub(crate) fn new_quota(request: &wire::SetQuotaRequest) -> Result<NewQuota, Violations> {
    let mut violations = Violations::new();
    let quota = request.quota.clone().unwrap_or_default();
    let (project, id) = quota.name.rsplit_once("/quotas/").unwrap_or((quota.name.as_str(), ""));
    let named = super::project::name("quota.name", project).map_err(|wrong| violations.extend(wrong)).ok();
    let family = PlanFamily::ALL.into_iter().find(|family| quota_id(*family) == id);
    violations.check("quota.name", family.is_some(), "must end in quotas/ and a plan family in lower case");
    let limit = u32::try_from(quota.limit).ok().filter(|limit| *limit <= QUOTA_MAX);
    violations.check("quota.limit", limit.is_some(), format!("must be 0 to {QUOTA_MAX}"));
    violations
        .finish_with(named.zip(family).zip(limit).map(|((named, family), limit)| (named, family, limit)))
}

/// Renders a quota of `project`.
pub(crate) fn quota(project: &Project, quota: &Quota) -> wire::Quota {
    wire::Quota {
        name: format!("{}/quotas/{}", project.resource_name(), quota_id(quota.family)),
        family: wire_family(quota.family).into(),
        limit: count(quota.limit),
        in_use: count(quota.in_use),
        default_limit: count(quota.default_limit),
        update_time: quota.set.map(timestamp),
    }
}

/// Reads a SetProjectLimit request.
pub(crate) fn new_limit(request: &wire::SetProjectLimitRequest) -> Result<(AccountId, u32), Violations> {
    let mut violations = Violations::new();
    let account = super::project::account("account", &request.account);
    let account = account.map_err(|wrong| violations.extend(wrong)).ok();
    let limit = u32::try_from(request.limit).ok().filter(|limit| *limit <= PROJECT_LIMIT_MAX);
    violations.check("limit", limit.is_some(), format!("must be 0 to {PROJECT_LIMIT_MAX}"));
    violations.finish_with(account.zip(limit))
}

/// Renders how many projects an account may have, and has.
pub(crate) fn limit(account: AccountId, limit: u32, live: u32) -> wire::ProjectLimit {
    wire::ProjectLimit {
        account: account_name(account),
        limit: count(limit),
        live_project_count: count(live),
    }
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
