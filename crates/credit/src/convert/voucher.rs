//! Voucher codes on the wire.

use florin_api::{credit::v1 as wire, error::v1::ErrorReason};
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{money, timestamp},
};
use florin_settlement::Instant;

use super::{account, families, project, project_of};
use crate::{
    domain::{code::TEXT_BYTES_MAX, project_ref::ProjectId, redemption::VoucherRefusal},
    error::voucher_reason,
    service::vouchers::Voucher,
};

/// Reads whose code is to be checked, and for which project if for one.
pub(crate) fn checked(
    request: &wire::CheckVoucherRequest,
) -> Result<(AccountId, Option<ProjectId>), Violations> {
    let mut violations = code(&request.code);
    let owner = match account("parent", &request.parent) {
        Ok(owner) => Some(owner),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let mut wanted = None;
    if let Some(owner) = owner.filter(|_| !request.project.is_empty()) {
        match project_of("project", &request.project, owner) {
            Ok(project) => wanted = Some(project),
            Err(wrong) => violations.extend(wrong),
        }
    }
    violations.finish_with(owner.map(|owner| (owner, wanted)))
}

/// Reads where a code is to be redeemed.
pub(crate) fn redeemed(request: &wire::RedeemVoucherRequest) -> Result<(AccountId, ProjectId), Violations> {
    let mut violations = code(&request.code);
    let parent = match project("parent", &request.parent) {
        Ok(parent) => Some(parent),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    violations.finish_with(parent)
}

/// What cannot be a code for its length alone. Anything else is looked up, and counts when it is wrong.
fn code(code: &str) -> Violations {
    let mut violations = Violations::new();
    let fits = !code.trim().is_empty() && code.len() <= TEXT_BYTES_MAX;
    violations.check("code", fits, format!("must be 1 to {TEXT_BYTES_MAX} bytes"));
    violations
}

/// Renders what a code would give at `at`.
pub(crate) fn redeemable(voucher: &Voucher, at: Instant) -> wire::CheckVoucherResponse {
    let terms = &voucher.campaign().terms;
    wire::CheckVoucherResponse {
        redeemable: true,
        refusal_reason: ErrorReason::Unspecified.into(),
        refusal_message: String::new(),
        amount: Some(money(voucher.amount())),
        credit_expire_time: Some(timestamp(terms.lifetime.expiry(at))),
        restricted_families: families(terms.restriction),
        description: terms.description.clone(),
    }
}

/// Renders why a code gives nothing.
pub(crate) fn refused(refusal: VoucherRefusal) -> wire::CheckVoucherResponse {
    wire::CheckVoucherResponse {
        redeemable: false,
        refusal_reason: voucher_reason(refusal).into(),
        refusal_message: refusal.to_string(),
        ..wire::CheckVoucherResponse::default()
    }
}
