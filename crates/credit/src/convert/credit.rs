//! Lots and movements on the wire.

use florin_api::credit::v1 as wire;
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{instant, money, parse_child, parse_grandchild, timestamp},
};
use florin_settlement::{Instant, LotKind, Money};

use super::families;
use crate::{
    domain::{
        lot::{CreditId, CreditLot, LotStanding, LotState, Origin, ReturnCause},
        movement::{Movement, MovementKind},
        project_ref::ProjectId,
    },
    error::Error,
    names::{credit_name, grant_name, lot_name, order_name, project_name},
    service::query::Lots,
};

/// A lot's name: whose, of which project if of one, which.
pub(crate) type LotName = (AccountId, Option<ProjectId>, CreditId);

/// Reads the name of a lot in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<LotName, Violations> {
    let of_account = parse_child("credits", name).map(|(account, lot)| (account, None, lot));
    let of_project = parse_grandchild("projects", "credits", name)
        .map(|(account, project, lot)| (account, Some(project), lot));
    of_account.or(of_project).map_err(|error| Violations::one(field, error))
}

/// Reads the instant lots are wanted as of, if one is given.
pub(crate) fn as_of(given: Option<&prost_types::Timestamp>) -> Result<Option<Instant>, Violations> {
    given.map(instant).transpose().map_err(|error| Violations::one("as_of_time", error))
}

/// Reads which lots are wanted.
pub(crate) fn lots(request: &wire::ListCreditsRequest) -> Result<Lots, Violations> {
    let mut violations = Violations::new();
    let owner = super::account("parent", &request.parent).map(|account| (account, None));
    let owner =
        owner.or_else(|_| super::project("parent", &request.parent).map(|(a, project)| (a, Some(project))));
    let as_of = match as_of(request.as_of_time.as_ref()) {
        Ok(as_of) => as_of,
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let mut kinds = Vec::with_capacity(request.kinds.len());
    for (n, number) in request.kinds.iter().enumerate() {
        let kind = wire::FundingKind::try_from(*number).ok().and_then(lot_kind);
        kinds.extend(violations.take(&format!("kinds[{n}]"), kind.ok_or("is not the kind of a lot")));
    }
    let mut states = Vec::with_capacity(request.states.len());
    for (n, number) in request.states.iter().enumerate() {
        let state = wire::credit::State::try_from(*number).ok().and_then(lot_state);
        states.extend(violations.take(&format!("states[{n}]"), state.ok_or("is not the state of a lot")));
    }
    match owner {
        Ok((account, project)) => {
            violations.finish().map(|()| Lots { account, project, kinds, states, as_of })
        }
        Err(wrong) => {
            violations.extend(wrong);
            Err(violations)
        }
    }
}

fn lot_kind(kind: wire::FundingKind) -> Option<LotKind> {
    match kind {
        wire::FundingKind::Voucher => Some(LotKind::Voucher),
        wire::FundingKind::CloudCredit => Some(LotKind::CloudCredit),
        wire::FundingKind::Launchpad => Some(LotKind::LaunchPad),
        wire::FundingKind::Loyalty => Some(LotKind::Loyalty),
        wire::FundingKind::Unspecified | wire::FundingKind::PaymentMethod => None,
    }
}

/// Renders the kind of a lot.
pub(crate) fn wire_kind(kind: LotKind) -> wire::FundingKind {
    match kind {
        LotKind::Voucher => wire::FundingKind::Voucher,
        LotKind::CloudCredit => wire::FundingKind::CloudCredit,
        LotKind::LaunchPad => wire::FundingKind::Launchpad,
        LotKind::Loyalty => wire::FundingKind::Loyalty,
    }
}

fn lot_state(state: wire::credit::State) -> Option<LotState> {
    match state {
        wire::credit::State::Unspecified => None,
        wire::credit::State::Active => Some(LotState::Active),
        wire::credit::State::Used => Some(LotState::Used),
        wire::credit::State::Expired => Some(LotState::Expired),
        wire::credit::State::Forfeited => Some(LotState::Forfeited),
        wire::credit::State::Revoked => Some(LotState::Revoked),
    }
}

fn wire_state(state: LotState) -> wire::credit::State {
    match state {
        LotState::Active => wire::credit::State::Active,
        LotState::Used => wire::credit::State::Used,
        LotState::Expired => wire::credit::State::Expired,
        LotState::Forfeited => wire::credit::State::Forfeited,
        LotState::Revoked => wire::credit::State::Revoked,
    }
}

/// Renders a lot as of `at`.
pub(crate) fn credit(standing: &LotStanding, at: Instant) -> Result<wire::Credit, Error> {
    let (remaining, lapsed) = standing.remaining_and_lapsed_at(at)?;
    let shown = Shown { used: standing.used, lapsed, revoked: standing.revoked, remaining };
    Ok(rendered(&standing.lot, standing.state_at(at), &shown))
}

/// Renders a lot that was issued a moment ago.
pub(crate) fn issued(lot: &CreditLot) -> wire::Credit {
    let zero = Money::zero(lot.initial.currency());
    let shown = Shown { used: zero, lapsed: zero, revoked: zero, remaining: lot.remaining };
    rendered(lot, LotState::Active, &shown)
}

struct Shown {
    used: Money,
    lapsed: Money,
    revoked: Money,
    remaining: Money,
}

fn rendered(lot: &CreditLot, state: LotState, shown: &Shown) -> wire::Credit {
    let (origin, reference, masked_code) = origin(lot);
    wire::Credit {
        name: lot_name(lot),
        kind: wire_kind(lot.kind).into(),
        project: lot.project.map(|project| project_name(lot.account, project)).unwrap_or_default(),
        description: lot.description.clone(),
        masked_code,
        state: wire_state(state).into(),
        issue_time: Some(timestamp(lot.issued)),
        expire_time: lot.expires.map(timestamp),
        initial_amount: Some(money(lot.initial)),
        used_amount: Some(money(shown.used)),
        lapsed_amount: Some(money(shown.lapsed)),
        revoked_amount: Some(money(shown.revoked)),
        remaining_amount: Some(money(shown.remaining)),
        restricted_families: families(lot.restriction),
        origin: origin.into(),
        origin_reference: reference,
        source_credit: source(lot),
    }
}

fn origin(lot: &CreditLot) -> (wire::credit::Origin, String, String) {
    match &lot.origin {
        Origin::CreditOrder(order) => {
            (wire::credit::Origin::CreditOrder, order_name(lot.account, *order), String::new())
        }
        Origin::VoucherCode { masked, .. } => {
            (wire::credit::Origin::VoucherCode, String::new(), masked.clone())
        }
        Origin::Grant(grant) => (wire::credit::Origin::Grant, grant_name(lot.account, *grant), String::new()),
        Origin::Earning { invoice, .. } => (wire::credit::Origin::Earning, invoice.clone(), String::new()),
        Origin::Returned(returned) => {
            let origin = match returned.cause {
                ReturnCause::CreditNote => wire::credit::Origin::CreditNote,
                ReturnCause::DisputeWon => wire::credit::Origin::DisputeWon,
            };
            (origin, returned.document.clone(), String::new())
        }
    }
}

/// The lot whose value came back, under its name: it belongs to whom this one belongs to.
fn source(lot: &CreditLot) -> String {
    match &lot.origin {
        Origin::Returned(returned) => credit_name(lot.account, lot.project, returned.source),
        Origin::CreditOrder(_) | Origin::VoucherCode { .. } | Origin::Grant(_) | Origin::Earning { .. } => {
            String::new()
        }
    }
}

/// Renders a movement of a lot of `project`, if of one.
pub(crate) fn movement(movement: &Movement, project: Option<ProjectId>) -> wire::Movement {
    let Movement { link, fact } = movement;
    let lot = credit_name(fact.account, project, fact.lot);
    wire::Movement {
        name: format!("{lot}/movements/{}", link.sequence),
        kind: movement_kind(fact.kind).into(),
        amount: Some(money(fact.amount)),
        remaining_after: Some(money(fact.remaining_after)),
        sequence: link.sequence,
        effective_time: Some(timestamp(fact.effective)),
        record_time: Some(timestamp(fact.recorded)),
        reference: fact.reference.clone(),
    }
}

fn movement_kind(kind: MovementKind) -> wire::movement::Kind {
    match kind {
        MovementKind::Issued => wire::movement::Kind::Issued,
        MovementKind::Debited => wire::movement::Kind::Debited,
        MovementKind::Expired => wire::movement::Kind::Expired,
        MovementKind::Forfeited => wire::movement::Kind::Forfeited,
        MovementKind::Disputed => wire::movement::Kind::Disputed,
        MovementKind::Clawback => wire::movement::Kind::Clawback,
    }
}
