//! The page a sandbox's action URL leads to: 3-D Secure, the mandate, the approval at PayPal, the bank. Two
//! buttons play whoever is awaited; they do what `PaymentOutcomeService` does.

use axum::{
    extract::{Form, Path, State, rejection::FormRejection},
    response::{IntoResponse, Response},
};
use florin_account::Account;
use florin_api::sandbox::v1::{
    ApprovePaymentRequest, DeclinePaymentRequest, payment_outcome_service_server::PaymentOutcomeService,
};
use florin_credit::orders;
use florin_payment::{
    MethodKind, MethodState, Payment, PaymentId, PaymentMethod, PaymentMethodId, PaymentState, method_name,
    payment_name,
};
use florin_platform::{
    call::Principal,
    id::{AccountId, Id, Kind},
};
use florin_settlement::Instant;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    Page, Site, Trouble, answer, fresh_request_id,
    text::{self, Texts},
};

const APPROVE: &str = "florin.sandbox.v1.PaymentOutcomeService/ApprovePayment";
const DECLINE: &str = "florin.sandbox.v1.PaymentOutcomeService/DeclinePayment";

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Decided {
    request_id: String,
    decision: Decision,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Decline,
}

type Named = Path<(String, String)>;

pub(super) async fn show_payment(State(site): State<Site>, Path(named): Named) -> Page {
    let (account, payment) = parsed(&named)?;
    let (account, payment, now) = payment_of(&site, account, payment).await?;
    Ok(payment_page(&site, &account, &payment, now))
}

pub(super) async fn decide_payment(
    State(site): State<Site>,
    Path(named): Named,
    decided: Result<Form<Decided>, FormRejection>,
) -> Page {
    let (account, payment): (AccountId, PaymentId) = parsed(&named)?;
    payment_of(&site, account, payment).await?;
    decide(&site, payment_name(account, payment), decided).await?;
    Ok(answer::see(&format!("/sandbox/{}", payment_name(account, payment))))
}

pub(super) async fn show_method(State(site): State<Site>, Path(named): Named) -> Page {
    let (account, method) = parsed(&named)?;
    let (account, method, now) = method_of(&site, account, method).await?;
    Ok(method_page(&account, &method, now))
}

pub(super) async fn decide_method(
    State(site): State<Site>,
    Path(named): Named,
    decided: Result<Form<Decided>, FormRejection>,
) -> Page {
    let (account, method): (AccountId, PaymentMethodId) = parsed(&named)?;
    method_of(&site, account, method).await?;
    decide(&site, method_name(account, method), decided).await?;
    Ok(answer::see(&format!("/sandbox/{}", method_name(account, method))))
}

/// Does what the RPC does. What is decided already stays so; the page then says how it stands.
async fn decide(
    site: &Site,
    name: String,
    decided: Result<Form<Decided>, FormRejection>,
) -> Result<(), Trouble> {
    let Form(Decided { request_id, decision }) = decided.map_err(|_| Trouble::BadForm)?;
    let outcomes = site.outcomes.as_ref().ok_or(Trouble::NotFound)?;
    let visitor = Principal::Service { name: "pages".to_owned(), roles: Vec::new() };
    let done = match decision {
        Decision::Approve => {
            let request = ApprovePaymentRequest { name, request_id };
            outcomes.approve_payment(super::call(request, APPROVE, visitor, true)).await.map(|_| ())
        }
        Decision::Decline => {
            let request = DeclinePaymentRequest { name, request_id, ..DeclinePaymentRequest::default() };
            outcomes.decline_payment(super::call(request, DECLINE, visitor, true)).await.map(|_| ())
        }
    };
    match done {
        Err(status) if answer::reason(&status) != florin_api::error::v1::ErrorReason::NoActionAwaited => {
            Err(status.into())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn parsed<K: Kind>((account, id): &(String, String)) -> Result<(AccountId, Id<K>), Trouble> {
    let account = AccountId::parse(account).map_err(|_| Trouble::NotFound)?;
    Ok((account, Id::parse(id).map_err(|_| Trouble::NotFound)?))
}

async fn payment_of(
    site: &Site,
    account: AccountId,
    payment: PaymentId,
) -> Result<(Account, Payment, Instant), Trouble> {
    let reader = site.platform.db.reader();
    let payment = florin_payment::find(reader, account, payment).await?.ok_or(Trouble::NotFound)?;
    let account = florin_account::find(reader, account).await?.ok_or(Trouble::NotFound)?;
    Ok((account, payment, site.platform.clock.now(reader).await?))
}

async fn method_of(
    site: &Site,
    account: AccountId,
    method: PaymentMethodId,
) -> Result<(Account, PaymentMethod, Instant), Trouble> {
    let reader = site.platform.db.reader();
    let method = florin_payment::find_method(reader, account, method).await?.ok_or(Trouble::NotFound)?;
    let account = florin_account::find(reader, account).await?.ok_or(Trouble::NotFound)?;
    Ok((account, method, site.platform.clock.now(reader).await?))
}

fn payment_page(site: &Site, account: &Account, payment: &Payment, now: Instant) -> Response {
    let texts = text::of(&account.profile.language);
    let (asked, said) = match &payment.state {
        PaymentState::ActionRequired { .. } => (Some(texts.confirm_payment), None),
        PaymentState::Pending(_) => (Some(texts.bank_decides), None),
        PaymentState::Scheduled(_) | PaymentState::Processing(_) => (None, Some(texts.under_way)),
        PaymentState::Succeeded { .. } | PaymentState::Refunded { .. } => (None, Some(texts.approved)),
        PaymentState::Declined { .. } => (None, Some(texts.was_declined)),
    };
    // In a sandbox the way back to the order costs nothing: whoever is here could have the link anyway.
    let order =
        orders::of_reference(&payment.reference).map(|(account, order)| site.links.url(account, order));
    let body = html! {
        table {
            tr { th { (texts.what_for) } td { code { (payment.reference) } } }
            tr.total { th { (texts.gross) } td { (payment.amount) } }
        }
        (choice(texts, asked, said, &format!("/sandbox/{}", payment_name(payment.account, payment.id)), now))
        @if let (None, Some(order)) = (asked, order) { p { a href=(order) { (texts.back) } } }
    };
    answer::page(&account.profile.language, texts.sandbox_bank, &body).into_response()
}

fn method_page(account: &Account, method: &PaymentMethod, now: Instant) -> Response {
    let texts = text::of(&account.profile.language);
    let confirm = match method.kind {
        MethodKind::Card => texts.confirm_card,
        MethodKind::BankAccount => texts.confirm_mandate,
        MethodKind::Paypal => texts.confirm_paypal,
    };
    let (asked, said) = match &method.state {
        MethodState::Validating { .. } => (Some(confirm), None),
        MethodState::Creating(_) => (None, Some(texts.under_way)),
        MethodState::Valid => (None, Some(texts.approved)),
        MethodState::Failed { .. } | MethodState::Rejected { .. } => (None, Some(texts.was_declined)),
        MethodState::Expired | MethodState::Replaced | MethodState::Canceled => {
            (None, Some(texts.no_longer_used))
        }
    };
    let body = html! {
        p { strong { (method.details.masked) } " " (method.label) }
        (choice(texts, asked, said, &format!("/sandbox/{}", method_name(method.account, method.id)), now))
    };
    answer::page(&account.profile.language, texts.sandbox_bank, &body).into_response()
}

/// The two buttons while something is asked, and what became of it afterwards.
fn choice(texts: &Texts, asked: Option<&str>, said: Option<&str>, action: &str, now: Instant) -> Markup {
    html! {
        @if let Some(asked) = asked {
            p { (asked) }
            form method="post" action=(action) {
                input type="hidden" name="request_id" value=(fresh_request_id(now));
                button type="submit" name="decision" value="approve" { (texts.approve) }
                button.quiet type="submit" name="decision" value="decline" { (texts.decline) }
            }
        }
        @if let Some(said) = said { p.said role="status" { (said) } }
    }
}
