//! Payments on the wire.

use florin_api::payment::v1 as wire;
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{money, timestamp},
};

use crate::{
    domain::payment::{Finality, Means, Payment, PaymentId, PaymentState},
    service::names::{method_name, parse_payment, payment_name},
    store::payment::Narrowed,
};

/// The most states a list is narrowed to.
const STATES_MAX: usize = 16;

/// Reads a resource name of a payment.
pub(crate) fn name(name: &str) -> Result<(AccountId, PaymentId), Violations> {
    parse_payment(name).map_err(|error| Violations::one("name", error))
}

/// Reads what a list is narrowed to.
pub(crate) fn narrowed(request: &wire::ListPaymentsRequest) -> Result<Narrowed, Violations> {
    let mut violations = Violations::new();
    let mut states = Vec::new();
    let few = request.states.len() <= STATES_MAX;
    violations.check("states", few, format!("must be at most {STATES_MAX}"));
    for (n, number) in request.states.iter().take(STATES_MAX).enumerate() {
        let state = wire::payment::State::try_from(*number).ok().and_then(stored_state);
        if let Some(state) =
            violations.take(&format!("states[{n}]"), state.ok_or("is not a state of a payment"))
        {
            states.push(state);
        }
    }
    let reference = Some(request.reference.clone()).filter(|reference| !reference.is_empty());
    violations.finish().map(|()| Narrowed { reference, states })
}

fn stored_state(state: wire::payment::State) -> Option<&'static str> {
    match state {
        wire::payment::State::Unspecified => None,
        wire::payment::State::Scheduled => Some("SCHEDULED"),
        wire::payment::State::Processing => Some("PROCESSING"),
        wire::payment::State::ActionRequired => Some("ACTION_REQUIRED"),
        wire::payment::State::Pending => Some("PENDING"),
        wire::payment::State::Succeeded => Some("SUCCEEDED"),
        wire::payment::State::Declined => Some("DECLINED"),
        wire::payment::State::Refunded => Some("REFUNDED"),
    }
}

/// Renders a payment; also for the answers of other slices that contain one.
#[must_use]
pub fn payment(payment: &Payment) -> wire::Payment {
    let mut rendered = wire::Payment {
        name: payment_name(payment.account, payment.id),
        amount_incl_tax: Some(money(payment.amount)),
        payment_method: match &payment.means {
            Means::Method(method) => method_name(payment.account, *method),
            Means::OneOff { .. } => String::new(),
        },
        reference: payment.reference.clone(),
        create_time: Some(timestamp(payment.created)),
        settle_time: payment.state.settled().map(timestamp),
        collect_time: payment.collect.map(timestamp),
        refunded_amount_incl_tax: payment.refunded.is_positive().then(|| money(payment.refunded)),
        disputed_amount_incl_tax: payment.disputed.is_positive().then(|| money(payment.disputed)),
        ..wire::Payment::default()
    };
    let state = match &payment.state {
        PaymentState::Scheduled(_) if payment.collect.is_some() => wire::payment::State::Scheduled,
        PaymentState::Scheduled(_) | PaymentState::Processing(_) => wire::payment::State::Processing,
        PaymentState::ActionRequired { url, .. } => {
            rendered.action_url.clone_from(url);
            wire::payment::State::ActionRequired
        }
        PaymentState::Pending(_) => wire::payment::State::Pending,
        PaymentState::Succeeded { .. } => wire::payment::State::Succeeded,
        PaymentState::Declined { code, finality, .. } => {
            rendered.decline_code.clone_from(code);
            rendered.decline_final = *finality == Finality::Final;
            wire::payment::State::Declined
        }
        PaymentState::Refunded { .. } => wire::payment::State::Refunded,
    };
    rendered.set_state(state);
    rendered
}
