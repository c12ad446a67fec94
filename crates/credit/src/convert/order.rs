//! Credit orders on the wire.

use florin_account::wire::tax_category;
use florin_api::credit::v1 as wire;
use florin_platform::{
    etag,
    id::AccountId,
    violation::Violations,
    wire::{decimal, money, timestamp},
};
use florin_settlement::{Currency, Instant, Money, MoneyError};

use super::{account, project_of};
use crate::{
    domain::order::{AmountError, CREDIT_MONTHS, Consent, CreditOrder, OrderId, OrderState, PaymentLinks},
    error::Error,
    names::{credit_name, order_name, parse_order, project_name},
    service::{
        pay::{Payable, Source},
        place::Purchase,
    },
    store::order::Filter,
};

/// Reads parent, project and amount of a request to buy.
pub(crate) fn purchase(parent: &str, order: Option<&wire::CreditOrder>) -> Result<Purchase, Error> {
    let mut violations = Violations::new();
    let order = order.cloned().unwrap_or_default();
    let owner = match account("parent", parent) {
        Ok(owner) => Some(owner),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let owned = owner.map(|owner| project_of("credit_order.project", &order.project, owner));
    let project = match owned.transpose() {
        Ok(project) => project,
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let amount = order.amount.unwrap_or_default();
    let currency = violations.take("credit_order.amount", Currency::parse(&amount.currency_code));
    let parts = owner.zip(project).zip(currency);
    let ((account, project), currency) = violations.finish_with(parts)?;
    let net = match Money::from_units_nanos(amount.units, amount.nanos, currency) {
        Ok(net) => net,
        Err(MoneyError::TooFine(_) | MoneyError::Overflow) => return Err(AmountError::NotWholeUnits.into()),
        Err(
            error @ (MoneyError::SignMismatch
            | MoneyError::NanosOutOfRange
            | MoneyError::CurrencyMismatch { .. }),
        ) => {
            return Err(Violations::one("credit_order.amount", error).into());
        }
    };
    Ok(Purchase { account, project, net })
}

/// Reads the name of an order.
pub(crate) fn name(name: &str) -> Result<(AccountId, OrderId), Violations> {
    parse_order(name)
        .ok_or_else(|| Violations::one("name", "is not a name of the form accounts/…/creditOrders/…"))
}

/// Reads a request to pay.
pub(crate) fn payable(request: &wire::PayCreditOrderRequest) -> Result<Payable, Violations> {
    let mut violations = Violations::new();
    let named = match name(&request.name) {
        Ok(named) => Some(named),
        Err(wrong) => {
            violations.extend(wrong);
            None
        }
    };
    let source = match &request.source {
        Some(wire::pay_credit_order_request::Source::PaymentMethod(method)) => {
            let owner = named.map(|(account, _)| account);
            method_of(method, owner, &mut violations).map(Source::Method)
        }
        Some(wire::pay_credit_order_request::Source::PaymentLink(link)) => {
            violations.check("payment_link.token", !link.token.is_empty(), "is required");
            violations.check("payment_link.provider_token", !link.provider_token.is_empty(), "is required");
            Some(Source::Link { token: link.token.clone(), provider_token: link.provider_token.clone() })
        }
        None => {
            violations.add("source", "exactly one of payment_method and payment_link is required");
            None
        }
    };
    let consent = if request.immediate_supply_consent { Consent::ImmediateSupply } else { Consent::NotGiven };
    let ((account, order), source) = violations.finish_with(named.zip(source))?;
    Ok(Payable { account, order, source, consent, etag: request.etag.clone() })
}

fn method_of(
    name: &str,
    owner: Option<AccountId>,
    violations: &mut Violations,
) -> Option<florin_payment::PaymentMethodId> {
    let parsed = florin_platform::wire::parse_child("paymentMethods", name);
    let (account, method) = violations.take("payment_method", parsed)?;
    violations.check("payment_method", owner == Some(account), "must be a method of the order's account");
    Some(method)
}

/// Reads which orders are wanted, and of whom.
pub(crate) fn filter(request: &wire::ListCreditOrdersRequest) -> Result<(AccountId, Filter), Violations> {
    let owner = account("parent", &request.parent)?;
    let mut violations = Violations::new();
    let mut filter = Filter::default();
    if !request.project.is_empty() {
        match project_of("project", &request.project, owner) {
            Ok(project) => filter.project = Some(project),
            Err(wrong) => violations.extend(wrong),
        }
    }
    for (n, number) in request.states.iter().enumerate() {
        let state = wire::credit_order::State::try_from(*number).ok().and_then(stored_state);
        filter
            .states
            .extend(violations.take(&format!("states[{n}]"), state.ok_or("is not a state of an order")));
    }
    violations.finish().map(|()| (owner, filter))
}

fn stored_state(state: wire::credit_order::State) -> Option<&'static str> {
    match state {
        wire::credit_order::State::Unspecified => None,
        wire::credit_order::State::AwaitingPayment => Some("AWAITING_PAYMENT"),
        wire::credit_order::State::Processing => Some("PROCESSING"),
        wire::credit_order::State::Paid => Some("PAID"),
        wire::credit_order::State::Canceled => Some("CANCELED"),
        wire::credit_order::State::Expired => Some("EXPIRED"),
        wire::credit_order::State::Withdrawn => Some("WITHDRAWN"),
    }
}

/// Renders an order as of `at`, without its payment link: see [`linked`].
pub(crate) fn order(order: &CreditOrder, at: Instant) -> wire::CreditOrder {
    let name = order_name(order.account, order.id);
    let (state, paid) = match order.state_at(at) {
        OrderState::AwaitingPayment => (wire::credit_order::State::AwaitingPayment, None),
        OrderState::Processing => (wire::credit_order::State::Processing, None),
        OrderState::Paid { paid, supply, lot } => {
            (wire::credit_order::State::Paid, Some((paid, supply, lot)))
        }
        OrderState::Withdrawn { paid, supply, .. } => {
            (wire::credit_order::State::Withdrawn, Some((paid, supply, None)))
        }
        OrderState::Canceled => (wire::credit_order::State::Canceled, None),
        OrderState::Expired => (wire::credit_order::State::Expired, None),
    };
    let lot = paid.and_then(|(_, _, lot)| lot);
    let price = order.final_price();
    let withdrawn = match order.state {
        OrderState::Withdrawn { withdrawn, .. } => Some(withdrawn),
        OrderState::Paid { .. }
        | OrderState::AwaitingPayment
        | OrderState::Processing
        | OrderState::Canceled
        | OrderState::Expired => None,
    };
    wire::CreditOrder {
        etag: etag::of(&name, order.version),
        name,
        number: order.number.clone(),
        project: project_name(order.account, order.project),
        state: state.into(),
        amount: Some(money(price.net)),
        tax_category: tax_category(price.tax_category).into(),
        tax_rate: Some(decimal(price.tax_rate.percent())),
        tax_amount: Some(money(price.tax)),
        tax_mention: price.tax_mention.clone().unwrap_or_default(),
        amount_incl_tax: Some(money(price.gross)),
        payment_link: String::new(),
        initial: order.initial,
        payment: order.payment.map(|id| florin_payment::payment_name(order.account, id)).unwrap_or_default(),
        credit: lot.map(|lot| credit_name(order.account, Some(order.project), lot)).unwrap_or_default(),
        purchase_invoice: order.purchase_invoice.clone().unwrap_or_default(),
        create_time: Some(timestamp(order.created)),
        expire_time: Some(timestamp(order.expires)),
        pay_time: paid.map(|(paid, _, _)| timestamp(paid)),
        supply_time: paid.filter(|_| withdrawn.is_none()).map(|(_, supply, _)| timestamp(supply)),
        withdrawal_end_time: order.withdrawable_until(at).map(timestamp),
        withdraw_time: withdrawn.map(timestamp),
    }
}

/// Adds the payment link to a rendered order that can be paid. It is derived here, from the name, and never
/// stored with an answer: a replayed answer gets it again.
pub(crate) fn linked(mut order: wire::CreditOrder, links: &PaymentLinks) -> wire::CreditOrder {
    let is_payable = match order.state() {
        wire::credit_order::State::AwaitingPayment | wire::credit_order::State::Processing => true,
        wire::credit_order::State::Unspecified
        | wire::credit_order::State::Paid
        | wire::credit_order::State::Withdrawn
        | wire::credit_order::State::Canceled
        | wire::credit_order::State::Expired => false,
    };
    if let Some((account, id)) = parse_order(&order.name).filter(|_| is_payable) {
        order.payment_link = links.url(account, id);
    }
    order
}

/// Renders what an order would come to: no name, no number, no link.
pub(crate) fn preview(preview: &CreditOrder, at: Instant) -> wire::PreviewCreditOrderResponse {
    let rendered = order(preview, at);
    wire::PreviewCreditOrderResponse {
        credit_order: Some(unplaced(rendered)),
        immediate_supply_consent_needed: preview.withdrawable,
        credit_expire_time: Some(timestamp(at.plus_months_clamped(CREDIT_MONTHS))),
    }
}

/// An order that was not placed has no identity.
pub(crate) fn unplaced(order: wire::CreditOrder) -> wire::CreditOrder {
    wire::CreditOrder { name: String::new(), number: String::new(), etag: String::new(), ..order }
}
