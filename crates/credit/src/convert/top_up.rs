//! Top-ups on the wire.

use florin_api::credit::v1 as wire;
use florin_platform::{
    etag,
    id::AccountId,
    violation::Violations,
    wire::{money, timestamp},
};
use florin_settlement::Money;

use super::amount;
use crate::{
    domain::{
        order::Consent,
        project_ref::ProjectId,
        top_up::{TopUp, TopUpState, Wish},
    },
    names::{parse_top_up, top_up_name},
    service::top_up::Configuration,
};

/// Reads the name of a top-up in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, ProjectId), Violations> {
    parse_top_up(name)
        .ok_or_else(|| Violations::one(field, "is not a name of the form accounts/…/projects/…/topUp"))
}

/// Reads what is to be configured; every violation at once.
pub(crate) fn configuration(request: &wire::ConfigureTopUpRequest) -> Result<Configuration, Violations> {
    let top_up = request.top_up.clone().unwrap_or_default();
    let mut violations = Violations::new();
    let named = match name("top_up.name", &top_up.name) {
        Ok(named) => Some(named),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let wish = if top_up.enabled { wish(&top_up, &mut violations) } else { None };
    let consent = if top_up.immediate_supply_consent { Consent::ImmediateSupply } else { Consent::NotGiven };
    let (account, project) = violations.finish_with(named)?;
    Ok(Configuration { account, project, wish, consent, etag: top_up.etag })
}

fn wish(top_up: &wire::TopUp, violations: &mut Violations) -> Option<Wish> {
    let mut read = |field: &str, given: Option<&florin_api::google::r#type::Money>| {
        amount(field, given).map_err(|wrong| violations.extend(wrong)).ok()
    };
    let threshold = read("top_up.threshold_amount", top_up.threshold_amount.as_ref());
    let net = read("top_up.amount", top_up.amount.as_ref());
    let ceiling = read("top_up.monthly_ceiling_amount", top_up.monthly_ceiling_amount.as_ref());
    let interval = top_up.interval.ok_or("is required");
    let interval = interval.and_then(|given| given.try_into().map_err(|_| "must not be negative"));
    let interval = violations.take("top_up.interval", interval);
    Some(Wish { threshold: threshold?, amount: net?, interval: interval?, ceiling: ceiling? })
}

/// Renders a top-up that has `bought` so much in this month.
pub(crate) fn top_up(top_up: &TopUp, bought: Money) -> wire::TopUp {
    let name = top_up_name(top_up.account, top_up.project);
    let (state, check, reason) = match &top_up.state {
        TopUpState::Active { check } => (wire::top_up::State::Active, Some(*check), String::new()),
        TopUpState::Stopped { reason } => (wire::top_up::State::Stopped, None, reason.clone()),
        TopUpState::Off => (wire::top_up::State::Off, None, String::new()),
    };
    wire::TopUp {
        etag: etag::of(&name, top_up.version),
        name,
        enabled: top_up.state != TopUpState::Off,
        threshold_amount: Some(money(top_up.wish.threshold)),
        amount: Some(money(top_up.wish.amount)),
        interval: prost_types::Duration::try_from(top_up.wish.interval).ok(),
        monthly_ceiling_amount: Some(money(top_up.wish.ceiling)),
        immediate_supply_consent: top_up.supply_consent.is_some(),
        state: state.into(),
        stop_reason: reason,
        next_check_time: check.map(timestamp),
        bought_amount: Some(money(bought)),
    }
}
