//! Payment methods on the wire.

use florin_api::{error::v1::ErrorReason, google::r#type::Date, payment::v1 as wire};
use florin_platform::{
    etag,
    id::AccountId,
    mask::Mask,
    violation::Violations,
    wire::{parse_account, timestamp},
};

use crate::{
    domain::method::{
        CardExpiry, LABEL_CHARACTERS_MAX, MethodKind, MethodState, PaymentMethodId, TOKEN_BYTES_MAX,
    },
    service::{
        methods::NewMethod,
        names::{method_name, parse_method},
        query::{Offer, Shown},
        update::Edit,
    },
};

/// The last place among the fallbacks.
const FALLBACK_ORDER_MAX: i32 = 100;

/// Reads a resource name of a method.
pub(crate) fn name(name: &str) -> Result<(AccountId, PaymentMethodId), Violations> {
    parse_method(name).map_err(|error| Violations::one("name", error))
}

/// Reads a resource name of an account in `parent`.
pub(crate) fn parent(parent: &str) -> Result<AccountId, Violations> {
    parse_account(parent).map_err(|error| Violations::one("parent", error))
}

/// Reads a CreatePaymentMethod request.
pub(crate) fn new_method(request: &wire::CreatePaymentMethodRequest) -> Result<NewMethod, Violations> {
    let mut violations = Violations::new();
    let account = violations.take("parent", parse_account(&request.parent));
    let method = request.payment_method.clone().unwrap_or_default();
    violations.check("payment_method", request.payment_method.is_some(), "is required");
    let kind = violations.take("payment_method.kind", kind(method.kind()).ok_or("is required"));
    let label = label(&method.label, &mut violations);
    let fallback_order = fallback_order(method.fallback_order, &mut violations);
    token("provider_token", &request.provider_token, &mut violations);
    let token = request.provider_token.clone();
    let replaces = replaced(account, &request.replaces, &mut violations);
    violations.finish_with(account.zip(kind).map(|(account, kind)| NewMethod {
        account,
        kind,
        label,
        fallback_order,
        token,
        replaces,
    }))
}

/// What an UpdatePaymentMethod request may change.
const EDITABLE: &[&str] = &["label", "fallback_order"];

/// Reads an UpdatePaymentMethod request.
pub(crate) fn edit(
    request: &wire::UpdatePaymentMethodRequest,
) -> Result<((AccountId, PaymentMethodId), Edit), Violations> {
    let mut violations = Violations::new();
    let method = request.payment_method.clone().unwrap_or_default();
    violations.check("payment_method", request.payment_method.is_some(), "is required");
    let name = violations.take("payment_method.name", parse_method(&method.name));
    let label = label(&method.label, &mut violations);
    let fallback_order = fallback_order(method.fallback_order, &mut violations);
    let mask = match Mask::parse(request.update_mask.as_ref(), EDITABLE) {
        Ok(mask) => Some(mask),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    violations.finish_with(name.zip(mask).map(|(name, mask)| {
        let edit = Edit {
            label: mask.has("label").then_some(label),
            fallback_order: mask.has("fallback_order").then_some(fallback_order),
            etag: method.etag.clone(),
        };
        (name, edit)
    }))
}

fn label(label: &str, violations: &mut Violations) -> String {
    let label = label.trim().to_owned();
    let fits = label.chars().count() <= LABEL_CHARACTERS_MAX && !label.chars().any(char::is_control);
    let rule = format!("must be at most {LABEL_CHARACTERS_MAX} characters, without control characters");
    violations.check("payment_method.label", fits, rule);
    label
}

fn fallback_order(order: i32, violations: &mut Violations) -> Option<u32> {
    let fits = (0..=FALLBACK_ORDER_MAX).contains(&order);
    violations.check("payment_method.fallback_order", fits, format!("must be 0 to {FALLBACK_ORDER_MAX}"));
    u32::try_from(order).ok().filter(|order| *order > 0)
}

/// The method to replace, of the same account.
fn replaced(account: Option<AccountId>, name: &str, violations: &mut Violations) -> Option<PaymentMethodId> {
    if name.is_empty() {
        return None;
    }
    let (owner, method) = violations.take("replaces", parse_method(name))?;
    let same = account.is_none_or(|account| account == owner);
    violations.check("replaces", same, "must be a method of the same account");
    Some(method)
}

fn token(field: &str, token: &str, violations: &mut Violations) {
    let fits =
        (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    violations.check(field, fits, format!("must be 1 to {TOKEN_BYTES_MAX} printable ASCII characters"));
}

/// Renders a method.
pub(crate) fn method(shown: &Shown) -> wire::PaymentMethod {
    let Shown { method, is_default } = shown;
    let name = method_name(method.account, method.id);
    wire::PaymentMethod {
        etag: etag::of(&name, method.version),
        name,
        kind: wire_kind(method.kind).into(),
        state: wire_state(&method.state).into(),
        label: method.label.clone(),
        masked_details: method.details.masked.clone(),
        expire_date: method.details.expiry.map(date),
        is_default: *is_default,
        action_url: match &method.state {
            MethodState::Validating { action_url, .. } => action_url.clone(),
            MethodState::Creating(_)
            | MethodState::Valid
            | MethodState::Failed { .. }
            | MethodState::Rejected { .. }
            | MethodState::Expired
            | MethodState::Replaced
            | MethodState::Canceled => String::new(),
        },
        three_d_secure: method.details.three_d_secure,
        fallback_order: method.fallback_order.and_then(|order| i32::try_from(order).ok()).unwrap_or(0),
        decline_code: method.declined_for_good.clone().unwrap_or_default(),
        create_time: Some(timestamp(method.created)),
    }
}

/// Renders an offer.
pub(crate) fn offer(offer: &Offer) -> wire::OfferedKind {
    let reason = if offer.available { ErrorReason::Unspecified } else { ErrorReason::FirstPaymentNeedsCard };
    wire::OfferedKind {
        kind: wire_kind(offer.kind).into(),
        available: offer.available,
        unavailable_reason: reason.into(),
    }
}

fn date(expiry: CardExpiry) -> Date {
    Date { year: expiry.year.into(), month: expiry.month.into(), day: 0 }
}

fn kind(kind: wire::PaymentMethodKind) -> Option<MethodKind> {
    match kind {
        wire::PaymentMethodKind::Unspecified => None,
        wire::PaymentMethodKind::Card => Some(MethodKind::Card),
        wire::PaymentMethodKind::BankAccount => Some(MethodKind::BankAccount),
        wire::PaymentMethodKind::Paypal => Some(MethodKind::Paypal),
    }
}

fn wire_kind(kind: MethodKind) -> wire::PaymentMethodKind {
    match kind {
        MethodKind::Card => wire::PaymentMethodKind::Card,
        MethodKind::BankAccount => wire::PaymentMethodKind::BankAccount,
        MethodKind::Paypal => wire::PaymentMethodKind::Paypal,
    }
}

fn wire_state(state: &MethodState) -> wire::payment_method::State {
    match state {
        MethodState::Creating(_) => wire::payment_method::State::Creating,
        MethodState::Validating { .. } => wire::payment_method::State::Validating,
        MethodState::Valid => wire::payment_method::State::Valid,
        MethodState::Failed { .. } => wire::payment_method::State::Failed,
        MethodState::Rejected { .. } => wire::payment_method::State::Rejected,
        MethodState::Expired => wire::payment_method::State::Expired,
        MethodState::Replaced => wire::payment_method::State::Replaced,
        MethodState::Canceled => wire::payment_method::State::Canceled,
    }
}
