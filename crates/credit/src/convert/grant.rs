//! Grants on the wire.

use florin_api::{credit::v1 as wire, google::r#type::Money as WireMoney};
use florin_platform::{
    violation::Violations,
    wire::{instant, money, timestamp},
};
use florin_settlement::Restriction;

use super::{account, amount, credit::wire_kind, restriction};
use crate::{
    domain::grant::{Grant, GrantKind},
    names::{credit_name, grant_name},
    service::grants::{Asked, NewGrant},
};

/// Reads a GrantLaunchPad request.
pub(crate) fn launchpad(request: &wire::GrantLaunchPadRequest) -> Result<NewGrant, Violations> {
    let restriction = restriction("restricted_families", &request.restricted_families);
    let form =
        Form { parent: &request.parent, amount: request.amount.as_ref(), expires: request.expire_time };
    read(GrantKind::LaunchPad, &form, &request.reason, restriction)
}

/// Reads a GrantLoyalty request.
pub(crate) fn loyalty(request: &wire::GrantLoyaltyRequest) -> Result<NewGrant, Violations> {
    let form =
        Form { parent: &request.parent, amount: request.amount.as_ref(), expires: request.expire_time };
    read(GrantKind::Loyalty, &form, &request.reason, Ok(Restriction::Unrestricted))
}

struct Form<'a> {
    parent: &'a str,
    amount: Option<&'a WireMoney>,
    expires: Option<prost_types::Timestamp>,
}

fn read(
    kind: GrantKind,
    form: &Form<'_>,
    reason: &str,
    restriction: Result<Restriction, Violations>,
) -> Result<NewGrant, Violations> {
    let mut violations = Violations::new();
    let mut keep = |wrong| violations.extend(wrong);
    let account = account("parent", form.parent).map_err(&mut keep).ok();
    let amount = amount("amount", form.amount).map_err(&mut keep).ok();
    let restriction = restriction.map_err(&mut keep).ok();
    let expires = form.expires.map(|given| violations.take("expire_time", instant(&given)));
    let parts = account.zip(amount).zip(restriction);
    let ((account, amount), restriction) = violations.finish_with(parts)?;
    Ok(NewGrant {
        account,
        kind,
        amount,
        reason: reason.trim().to_owned(),
        expires: expires.flatten(),
        restriction,
    })
}

/// Renders what became of `new`: the grant, or what it waits for.
pub(crate) fn asked(asked: &Asked, new: &NewGrant) -> wire::Grant {
    match asked {
        Asked::Given(given) => grant(given),
        Asked::Waits(approval) => wire::Grant {
            name: String::new(),
            kind: wire_kind(new.kind.lot_kind()).into(),
            amount: Some(money(new.amount)),
            reason: new.reason.clone(),
            credit: String::new(),
            grantor: approval.requested_by.clone(),
            create_time: None,
            state: wire::grant::State::PendingApproval.into(),
            approval: approval.name(),
        },
    }
}

/// Renders a grant.
pub(crate) fn grant(grant: &Grant) -> wire::Grant {
    wire::Grant {
        name: grant_name(grant.account, grant.id),
        kind: wire_kind(grant.kind.lot_kind()).into(),
        amount: Some(money(grant.amount)),
        reason: grant.reason.clone(),
        credit: credit_name(grant.account, None, grant.lot),
        grantor: grant.grantor.clone(),
        create_time: Some(timestamp(grant.created)),
        state: wire::grant::State::Granted.into(),
        approval: String::new(),
    }
}
