//! Approvals on the wire.

use florin_api::operation::v1 as wire;
use florin_platform::{
    approval::{Approval, ApprovalId, ApprovalState, Filter},
    id::AccountId,
    violation::Violations,
    wire::{parse_account, parse_child, timestamp},
};
use florin_settlement::Instant;

use crate::approvals::Verdict;

/// The parent that stands for every account (AIP-159).
const EVERY_ACCOUNT: &str = "accounts/-";
/// What stands before a message's full name in an `Any`.
const TYPE_URL: &str = "type.googleapis.com/";

/// Reads the name of an approval.
pub(crate) fn name(name: &str) -> Result<(AccountId, ApprovalId), Violations> {
    parse_child("approvals", name).map_err(|error| Violations::one("name", error))
}

/// Reads what is to be decided.
pub(crate) fn verdict(given: &str, reason: &str) -> Result<Verdict, Violations> {
    let (account, id) = name(given)?;
    Ok(Verdict { account, id, reason: reason.to_owned() })
}

/// Reads which approvals are wanted.
pub(crate) fn filter(request: &wire::ListApprovalsRequest) -> Result<Filter, Violations> {
    let mut violations = Violations::new();
    let account = if request.parent == EVERY_ACCOUNT {
        None
    } else {
        violations.take("parent", parse_account(&request.parent))
    };
    let mut states = Vec::with_capacity(request.states.len());
    for (n, number) in request.states.iter().enumerate() {
        let state = match wire::approval::State::try_from(*number) {
            Ok(wire::approval::State::Pending) => Ok(ApprovalState::Pending),
            Ok(wire::approval::State::Approved) => Ok(ApprovalState::Approved),
            Ok(wire::approval::State::Rejected) => Ok(ApprovalState::Rejected),
            Ok(wire::approval::State::Lapsed) => Ok(ApprovalState::Lapsed),
            Ok(wire::approval::State::Unspecified) | Err(_) => Err("is not a state of an approval"),
        };
        states.extend(violations.take(&format!("states[{n}]"), state));
    }
    violations.finish().map(|()| Filter { account, states })
}

/// Renders an approval as of `at`.
pub(crate) fn approval(approval: &Approval, at: Instant) -> wire::Approval {
    let state = match approval.state_at(at) {
        ApprovalState::Pending => wire::approval::State::Pending,
        ApprovalState::Approved => wire::approval::State::Approved,
        ApprovalState::Rejected => wire::approval::State::Rejected,
        ApprovalState::Lapsed => wire::approval::State::Lapsed,
    };
    let decision = approval.decision.clone();
    wire::Approval {
        name: approval.name(),
        act: Some(prost_types::Any {
            type_url: format!("{TYPE_URL}{}", approval.kind),
            value: approval.payload.clone(),
        }),
        summary: approval.summary.clone(),
        reason: approval.reason.clone(),
        requester: approval.requested_by.clone(),
        state: state.into(),
        create_time: Some(timestamp(approval.requested)),
        expire_time: Some(timestamp(approval.expires)),
        decide_time: decision.as_ref().map(|decision| timestamp(decision.at)),
        decider: decision.as_ref().map(|decision| decision.by.clone()).unwrap_or_default(),
        decision_reason: decision.as_ref().map(|decision| decision.reason.clone()).unwrap_or_default(),
        result: decision.and_then(|decision| decision.result).unwrap_or_default(),
    }
}
