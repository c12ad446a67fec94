//! Pages for people: a small site beside the RPCs, rendered here, working without JavaScript.
//!
//! | page | shows | effect of its form | served |
//! |---|---|---|---|
//! | `/pay/{token}` | an order: number, net, VAT, gross, what it is for | `CreditOrderService/PayCreditOrder` by link | always |
//! | `/pay/return` | that the customer can close the window | none | always; where a real provider sends customers back to |
//! | `/sandbox/accounts/…/payments/…` | a payment that waits for the customer or the bank | `PaymentOutcomeService/ApprovePayment`, `DeclinePayment` | sandbox only |
//! | `/sandbox/accounts/…/paymentMethods/…` | a method that waits for the customer | the same | sandbox only |
//! | `/pages/style.css`, `/pages/card.js` | — | none | always; the script only where cards are typed in at Stripe's form |
//!
//! Always holds: an effect takes the same way as the RPC named above, with a request id from the form, so that a
//! double click, a refresh or a second tab has one effect; every effect is a POST answered by a redirect. The
//! token in the address is all it takes, so it is never logged, never sent on as a referrer, never cached and
//! never framed. Whatever comes from outside is escaped by the template.
//! Refuses to know: card numbers; they are typed in at the provider's own form.

mod answer;
mod pay;
mod sandbox;
mod text;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, header},
    middleware::from_fn,
    response::Response,
    routing::get,
};
use florin_credit::{CreditOrderRpc, PaymentLinks};
use florin_payment::PaymentOutcomeRpc;
use florin_platform::{
    Platform,
    call::{Call, Principal, current_trace},
    id::{Id, Kind},
};
use florin_settlement::Instant;
use tonic::Request;

pub(crate) use answer::{Trouble, not_for_people, readable};

/// No form of these pages is larger.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// How the payer's card becomes the provider's token.
#[derive(Clone, Debug)]
pub(crate) enum CardEntry {
    /// A documented test card is picked.
    Sandbox,
    /// Stripe's own form, in a frame of Stripe's; the key is published with it.
    Stripe {
        /// `pk_…`.
        publishable_key: String,
    },
}

/// What the pages work with.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) platform: Platform,
    pub(crate) orders: CreditOrderRpc,
    pub(crate) links: PaymentLinks,
    /// Plays the customer and the bank; none outside sandbox mode, and then no such page either.
    pub(crate) outcomes: Option<PaymentOutcomeRpc>,
    pub(crate) cards: CardEntry,
}

impl Site {
    /// The routes of the site, with what protects them. Request id, limits and panics are seen to further out.
    pub(crate) fn router(self) -> Router {
        let mut routes = Router::new()
            .route("/pay/return", get(pay::returned))
            .route("/pay/{token}", get(pay::show).post(pay::pay))
            .route("/pages/style.css", get(answer::style));
        if matches!(self.cards, CardEntry::Stripe { .. }) {
            routes = routes.route("/pages/card.js", get(answer::card_script));
        }
        if self.outcomes.is_some() {
            routes = routes
                .route(
                    "/sandbox/accounts/{account}/payments/{payment}",
                    get(sandbox::show_payment).post(sandbox::decide_payment),
                )
                .route(
                    "/sandbox/accounts/{account}/paymentMethods/{method}",
                    get(sandbox::show_method).post(sandbox::decide_method),
                );
        }
        routes
            .with_state(self)
            .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
            .layer(from_fn(answer::only_from_here))
            .layer(from_fn(answer::protected))
    }
}

/// `message` as a call of `method` by `principal`.
fn call<T>(message: T, method: &str, principal: Principal, by_role: bool) -> Request<T> {
    let trace = current_trace().unwrap_or_default();
    let mut request = Request::new(message);
    request.extensions_mut().insert(Call {
        principal,
        method: method.to_owned(),
        trace,
        by_role,
        shared: &[],
    });
    request
}

/// Marks the request ids of forms.
enum Form {}
impl Kind for Form {
    const PREFIX: &'static str = "form";
}

/// A request id for a form; the next rendering of the form has another.
fn fresh_request_id(now: Instant) -> String {
    Id::<Form>::generate(now).to_string()
}

/// The language of somebody who is not known: the first of ours that the browser asks for.
fn asked_language(headers: &HeaderMap) -> &'static str {
    let asked =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wanted = asked.split(',').filter_map(|part| part.trim().get(..2)).map(str::to_ascii_lowercase);
    let ours = |language: String| florin_account::LANGUAGES.into_iter().find(|known| *known == language);
    wanted.into_iter().find_map(ours).unwrap_or(florin_account::LANGUAGES[0])
}

type Page = Result<Response, Trouble>;
