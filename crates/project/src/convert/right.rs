//! Rights on the wire.

use florin_account::rights::{RightId, RightKind, right_name};
use florin_api::project::v1 as wire;
use florin_credit::{ProjectId, ProjectKind};
use florin_platform::{
    call::Right,
    id::AccountId,
    violation::Violations,
    wire::{account_name, parse_grandchild, timestamp},
};

use crate::service::rights::Held;

/// The longest name or handle of a grantee, in bytes.
const GRANTEE_BYTES_MAX: usize = 64;

/// Reads the name of a right in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, ProjectId, RightId), Violations> {
    parse_grandchild::<ProjectKind, RightKind>("projects", "rights", name)
        .map_err(|error| Violations::one(field, error))
}

/// A right to give, and to whom.
pub(crate) type NewRight = ((AccountId, ProjectId), String, Right);

/// Reads a GrantRight request.
pub(crate) fn new_right(request: &wire::GrantRightRequest) -> Result<NewRight, Violations> {
    let mut violations = Violations::new();
    let parent = super::project::name("parent", &request.parent);
    let parent = parent.map_err(|wrong| violations.extend(wrong)).ok();
    let Some(right) = &request.right else {
        violations.add("right", "is required");
        return violations.finish_with(None);
    };
    let grantee = right.grantee.trim();
    violations.check(
        "right.grantee",
        !grantee.is_empty() && grantee.len() <= GRANTEE_BYTES_MAX,
        "must be the name or the handle of an account",
    );
    let level = level(right.level());
    violations.check("right.level", level.is_some(), "is not a right");
    violations.finish_with(parent.zip(level).map(|(parent, level)| (parent, grantee.to_owned(), level)))
}

fn level(level: wire::right::Level) -> Option<Right> {
    match level {
        wire::right::Level::Unspecified => None,
        wire::right::Level::Owner => Some(Right::Owner),
        wire::right::Level::Admin => Some(Right::Admin),
        wire::right::Level::Billing => Some(Right::Billing),
        wire::right::Level::Technical => Some(Right::Technical),
        wire::right::Level::ReadOnly => Some(Right::ReadOnly),
    }
}

/// Renders what a right is.
pub(crate) fn wire_level(right: Right) -> wire::right::Level {
    match right {
        Right::Owner => wire::right::Level::Owner,
        Right::Admin => wire::right::Level::Admin,
        Right::Billing => wire::right::Level::Billing,
        Right::Technical => wire::right::Level::Technical,
        Right::ReadOnly => wire::right::Level::ReadOnly,
    }
}

/// Renders a right.
pub(crate) fn right(held: &Held) -> wire::Right {
    let grant = &held.grant;
    wire::Right {
        name: right_name(grant),
        grantee: account_name(grant.grantee),
        level: wire_level(grant.right).into(),
        grantee_handle: held.handle.clone(),
        create_time: Some(timestamp(grant.granted)),
        revoke_time: grant.revoked.map(timestamp),
    }
}
