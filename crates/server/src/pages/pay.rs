//! The page behind a payment link (R6.3): what the order comes to, and a form to pay it with a card.
//!
//! | the order is | the page |
//! |---|---|
//! | AWAITING_PAYMENT | a form; if the last attempt was declined, it says so |
//! | PROCESSING, the customer has to act | the way to where they act, and the form for another card |
//! | PROCESSING otherwise | that the payment is on its way |
//! | PAID | that it is paid, and when the credit comes |
//! | CANCELED, EXPIRED | that it can no longer be paid (410) |

use axum::{
    extract::{Form, Path, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use florin_account::Account;
use florin_api::{
    credit::v1::{
        PayCreditOrderRequest, PaymentLinkSource, credit_order_service_server::CreditOrderService,
        pay_credit_order_request::Source,
    },
    error::v1::ErrorReason,
};
use florin_credit::{CreditOrder, OrderState, order_name, orders};
use florin_payment::{MethodKind, Payment, PaymentState};
use florin_platform::call::Principal;
use florin_settlement::Instant;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    CardEntry, Page, Site, Trouble, answer, asked_language, fresh_request_id,
    text::{self, Texts},
};
use crate::provider::sandbox::test_means::TEST_MEANS;

const METHOD: &str = "florin.credit.v1.CreditOrderService/PayCreditOrder";

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Filled {
    request_id: String,
    #[serde(default)]
    provider_token: String,
    /// Present when the box is ticked.
    immediate_supply: Option<String>,
}

/// An order as the page needs it.
struct Linked {
    order: CreditOrder,
    account: Account,
    project: String,
    payment: Option<Payment>,
    now: Instant,
    token: String,
}

pub(super) async fn show(State(site): State<Site>, Path(token): Path<String>) -> Page {
    let linked = find(&site, token).await?;
    Ok(rendered(&site, &linked, None))
}

/// Pays as the RPC does, with the same request id however often the form is sent.
pub(super) async fn pay(
    State(site): State<Site>,
    Path(token): Path<String>,
    filled: Result<Form<Filled>, FormRejection>,
) -> Page {
    let linked = find(&site, token).await?;
    let Form(filled) = filled.map_err(|_| Trouble::BadForm)?;
    let source = PaymentLinkSource { token: linked.token.clone(), provider_token: filled.provider_token };
    let request = PayCreditOrderRequest {
        name: order_name(linked.order.account, linked.order.id),
        source: Some(Source::PaymentLink(source)),
        immediate_supply_consent: filled.immediate_supply.is_some(),
        request_id: filled.request_id,
        ..PayCreditOrderRequest::default()
    };
    let request = super::call(request, METHOD, Principal::Anonymous, false);
    match site.orders.pay_credit_order(request).await {
        Ok(_) => Ok(answer::see(&format!("/pay/{}", linked.token))),
        Err(status) => {
            let words = explained(text::of(&linked.account.profile.language), answer::reason(&status));
            let Some(words) = words else { return Err(status.into()) };
            // Read again: another attempt may have moved the order.
            let linked = find(&site, linked.token).await?;
            let mut response = rendered(&site, &linked, Some(words));
            *response.status_mut() = answer::http_code(status.code());
            Ok(response)
        }
    }
}

/// Where a real provider sends the customer back to; how it ended comes by a notice.
pub(super) async fn returned(headers: HeaderMap) -> Response {
    let language = asked_language(&headers);
    let texts = text::of(language);
    answer::page(language, texts.returned, &html! { p { (texts.returned_words) } }).into_response()
}

async fn find(site: &Site, token: String) -> Result<Linked, Trouble> {
    let reader = site.platform.db.reader();
    let order = orders::by_link(reader, &token).await?.ok_or(Trouble::NotFound)?;
    let account = florin_account::find(reader, order.account).await?.ok_or(Trouble::NotFound)?;
    let project = florin_project::find(reader, order.account, order.project).await?;
    let payment = match order.payment {
        Some(payment) => florin_payment::find(reader, order.account, payment).await?,
        None => None,
    };
    let now = site.platform.clock.now(reader).await?;
    let project = project.map(|project| project.name.as_str().to_owned()).unwrap_or_default();
    Ok(Linked { order, account, project, payment, now, token })
}

/// What a refusal means to the payer; nothing for what is not about them.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other reason is not the payer's concern")]
fn explained(texts: &'static Texts, reason: ErrorReason) -> Option<&'static str> {
    use ErrorReason::{
        FirstPaymentNeedsCard, InvalidArgumentViolations, OrderExpired, OrderNotPayable, PaymentInProgress,
        PaymentProviderUnavailable, ProviderTokenInvalid, RequestIdReused,
    };
    Some(match reason {
        ProviderTokenInvalid | FirstPaymentNeedsCard | InvalidArgumentViolations => texts.card_unusable,
        OrderNotPayable | OrderExpired => texts.not_payable,
        PaymentInProgress => texts.under_way,
        PaymentProviderUnavailable => texts.busy_words,
        RequestIdReused => texts.sent_before,
        _ => return None,
    })
}

fn rendered(site: &Site, linked: &Linked, problem: Option<&str>) -> Response {
    let language = linked.account.profile.language.as_str();
    let texts = text::of(language);
    let state = linked.order.state_at(linked.now);
    let body = html! {
        (summary(texts, linked))
        @if let Some(problem) = problem { p.said.bad role="alert" { (problem) } }
        (standing(site, texts, linked, state))
    };
    let title = format!("{} {}", texts.order, linked.order.number);
    let code = match state {
        OrderState::Canceled | OrderState::Expired => StatusCode::GONE,
        OrderState::AwaitingPayment
        | OrderState::Processing
        | OrderState::Paid { .. }
        | OrderState::Withdrawn { .. } => StatusCode::OK,
    };
    let response = (code, answer::page(language, &title, &body)).into_response();
    match site.cards {
        CardEntry::Sandbox => response,
        CardEntry::Stripe { .. } => answer::with_stripe(response),
    }
}

fn summary(texts: &Texts, linked: &Linked) -> Markup {
    let Linked { order, project, .. } = linked;
    let price = order.final_price();
    html! {
        table {
            tr { th { (texts.what_for) } td { (texts.cloud_credit) " – " (project) } }
            tr { th { (texts.net) } td { (price.net) } }
            tr { th { (texts.vat) " " (price.tax_rate) " %" } td { (price.tax) } }
            tr.total { th { (texts.gross) } td { (price.gross) } }
        }
        @if let Some(mention) = &price.tax_mention { p { small { (mention) } } }
    }
}

fn standing(site: &Site, texts: &Texts, linked: &Linked, state: OrderState) -> Markup {
    let attempt = linked.payment.as_ref().map(|payment| &payment.state);
    match (state, attempt) {
        (OrderState::AwaitingPayment, attempt) => html! {
            @if let Some(PaymentState::Declined { code, .. }) = attempt {
                p.said.bad role="status" { (texts.declined) " (" code { (code) } ")" }
            }
            p { (texts.pay_before) " " (linked.order.expires) "." }
            (form(site, texts, linked))
        },
        (OrderState::Processing, Some(PaymentState::ActionRequired { url, .. })) => html! {
            p.said role="status" { (texts.bank_asks) }
            p { a.button rel="noreferrer" href=(url) { (texts.go_on) } }
            p { small { (texts.reload_after) } }
            details { summary { (texts.other_card) } (form(site, texts, linked)) }
        },
        (OrderState::Processing, _) => html! { p.said role="status" { (texts.under_way) } },
        (OrderState::Paid { supply, lot, .. }, _) => html! {
            p.said role="status" { (texts.paid) }
            @if lot.is_none() { p { (texts.supplied_on) " " (supply) "." } }
        },
        (OrderState::Canceled | OrderState::Withdrawn { .. }, _) => {
            html! { p.said.bad role="status" { (texts.canceled) } }
        }
        (OrderState::Expired, _) => html! { p.said.bad role="status" { (texts.expired) } },
    }
}

fn form(site: &Site, texts: &Texts, linked: &Linked) -> Markup {
    let request_id = fresh_request_id(linked.now);
    let key = match &site.cards {
        CardEntry::Sandbox => None,
        CardEntry::Stripe { publishable_key } => Some(publishable_key),
    };
    html! {
        form #pay method="post" action=(format!("/pay/{}", linked.token)) data-key=[key] {
            input type="hidden" name="request_id" value=(request_id);
            fieldset {
                legend { (texts.card) }
                @match &site.cards {
                    CardEntry::Sandbox => {
                        @for (n, means) in TEST_MEANS.iter().filter(|means| means.kind == MethodKind::Card).enumerate() {
                            label {
                                input type="radio" name="provider_token" value=(means.token) required checked[n == 0];
                                " " (means.masked) " " code { (means.token) }
                            }
                        }
                    }
                    CardEntry::Stripe { .. } => {
                        input type="hidden" name="provider_token" value="";
                        div #card {}
                        p #card-error role="alert" {}
                        noscript { p { (texts.script_needed) } }
                    }
                }
            }
            @if linked.order.withdrawable {
                label { input type="checkbox" name="immediate_supply" value="yes"; " " (texts.consent) }
                p { small { (texts.without_consent) } }
            }
            p { button type="submit" { (texts.pay) " " (linked.order.price.gross) } }
        }
        @if key.is_some() {
            script src="https://js.stripe.com/v3/" defer {}
            script src="/pages/card.js" defer {}
        }
    }
}
