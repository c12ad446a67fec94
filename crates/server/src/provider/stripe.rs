//! Stripe, as a payment provider (R3.7). Cards with 3-D Secure, SEPA debits, PayPal.
//!
//! | the port | Stripe |
//! |---|---|
//! | an account | a Customer that carries `metadata[florin_account]`, made when first needed |
//! | [`register`](Provider::register) | a SetupIntent, confirmed, for use off session; 3-D Secure always asked for; mandates accepted at the form |
//! | a VALID method's reference | `cus_…/pm_…` |
//! | [`charge`](Provider::charge) by Florin | a PaymentIntent, confirmed, off session |
//! | [`charge`](Provider::charge) by the customer | the same, on session, with the way back |
//! | a card given for once | authorised with 3-D Secure, captured only if it passed (R3.3) |
//! | [`refund`](Provider::refund) | a Refund |
//! | [`forget`](Provider::forget) | the PaymentMethod is detached |
//! | what Florin calls a thing | its idempotency key, and `metadata[florin_…]` |
//!
//! | status | outcome |
//! |---|---|
//! | `succeeded` | SUCCEEDED, with the disputes of its charge |
//! | `processing` | PENDING |
//! | `requires_action` | ACTION_REQUIRED; after an hour it is canceled, and DECLINED for now |
//! | `requires_capture` | captured, or given up if 3-D Secure was not passed |
//! | `requires_payment_method` | DECLINED: for now or for good as [`decline`] says |
//! | `canceled` | DECLINED |
//! | 4xx about the payment method | DECLINED for good |
//! | anything else, and silence | unknown: asked again under the same key |
//!
//! How a thing happens once: it is created under an idempotency key, which Stripe forgets after a day. Until 23
//! hours have passed the same create is sent again, and answered as the first time; after that none is ever sent
//! again: the thing is looked up, by listing what the customer has from that day (lists are consistent, Stripe's
//! search is not), and what is not there never will be.
//!
//! Refuses to know: what is paid for, and card numbers.

mod amount;
mod charging;
mod client;
mod decline;
mod form;
mod notice;
mod object;
mod refunding;
mod registering;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use florin_payment::{
    MethodKind, Provider,
    provider::{
        Capabilities, Charge, ChargeReport, Forget, GiveBack, News, Notice, NoticeRefused, ProviderUnknown,
        RawNotice, RefundReport, Register, Registration,
    },
};
use florin_platform::{Platform, id::AccountId};
use florin_settlement::Instant;

use crate::config::Secret;
use client::{Client, is_id};
use form::Form;
use object::{Customer, List, PaymentMethod};

/// The version of Stripe's API that is spoken; webhook endpoints are to be registered with the same.
pub const API_VERSION: &str = "2026-08-26.dahlia";

/// How long Stripe surely remembers an idempotency key, with an hour to spare.
const KEYS_LIVE: Duration = Duration::from_secs(23 * 3600);
/// Who has not acted for so long has left.
const ABANDONED: Duration = Duration::from_secs(3600);
/// Clocks of the two sides differ by no more.
const SKEW: Duration = Duration::from_secs(300);
/// No more customers are kept in memory.
const CUSTOMERS_MAX: usize = 10_000;

/// How Stripe is reached and believed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its API is: `https://api.stripe.com`.
    pub url: String,
    /// The account's secret key.
    pub secret_key: Secret,
    /// What notices are signed with; several while one replaces the other.
    pub webhook_secrets: Vec<Secret>,
    /// Where customers come back to from 3-D Secure.
    pub return_url: String,
    /// How long an answer may take.
    pub answer_max: Duration,
}

/// The provider.
#[derive(Clone)]
pub struct StripeProvider {
    platform: Platform,
    client: Client,
    webhook_secrets: Arc<[Secret]>,
    return_url: String,
    /// What Stripe calls the accounts seen lately.
    customers: Arc<Mutex<HashMap<AccountId, String>>>,
}

impl std::fmt::Debug for StripeProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StripeProvider").field("client", &self.client).finish_non_exhaustive()
    }
}

impl StripeProvider {
    /// A provider that tells the time by `platform`.
    ///
    /// # Errors
    /// If the certificates of this machine cannot be read.
    pub fn new(platform: Platform, settings: Settings) -> Result<Self, std::io::Error> {
        let Settings { url, secret_key, webhook_secrets, return_url, answer_max } = settings;
        Ok(Self {
            platform,
            client: Client::new(url, secret_key, answer_max)?,
            webhook_secrets: webhook_secrets.into(),
            return_url,
            customers: Arc::default(),
        })
    }

    async fn now(&self) -> Result<Instant, ProviderUnknown> {
        self.platform.clock.now(self.platform.db.reader()).await.map_err(ProviderUnknown::new)
    }

    async fn is_over(&self, begun: Instant, after: Duration) -> Result<bool, ProviderUnknown> {
        Ok(begun.plus(after) <= self.now().await?)
    }

    /// What Stripe calls `account`. Made if it is not there: search finds what is older than a minute, and the
    /// key sees to it that what is younger is not made twice.
    async fn customer(&self, account: AccountId) -> Result<String, ProviderUnknown> {
        if let Some(known) = self.known_customers().get(&account) {
            return Ok(known.clone());
        }
        let query = Form::new().with("query", format!("metadata['florin_account']:'{account}'"));
        let found: List<Customer> = self.client.get("/v1/customers/search", &query).await?.known()?;
        let oldest = found.data.into_iter().min_by_key(|customer| customer.created);
        let customer = match oldest {
            Some(customer) => customer,
            None => {
                let form = Form::new().with("metadata[florin_account]", account);
                let key = format!("{account}/customer");
                self.client.post::<Customer>("/v1/customers", &form, &key).await?.known()?
            }
        };
        let mut known = self.known_customers();
        if known.len() >= CUSTOMERS_MAX {
            known.clear();
        }
        known.insert(account, customer.id.clone());
        Ok(customer.id)
    }

    fn known_customers(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, String>> {
        self.customers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Stripe's name of a kind.
fn kind_name(kind: MethodKind) -> &'static str {
    match kind {
        MethodKind::Card => "card",
        MethodKind::BankAccount => "sepa_debit",
        MethodKind::Paypal => "paypal",
    }
}

/// From when to when something begun then may have been created there, as list parameters.
fn created_around(form: Form, begun: Instant) -> Form {
    let seconds = |at: Instant| at.micros().div_euclid(1_000_000);
    form.with("created[gte]", seconds(begun.minus(SKEW)))
        .with("created[lte]", seconds(begun.plus(KEYS_LIVE).plus(SKEW)))
        .with("limit", 100)
}

#[async_trait::async_trait]
impl Provider for StripeProvider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kinds: &MethodKind::ALL,
            refundable: &MethodKind::ALL,
            approved_apart: &[MethodKind::Card, MethodKind::Paypal],
            news: News::Pushed,
            // 22 with the account's own prefix, which takes up to 10, and two between.
            statement_characters_max: 10,
        }
    }

    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        if !token.starts_with("pm_") || !is_id(token) {
            return Ok(None);
        }
        let answer =
            self.client.get::<PaymentMethod>(&format!("/v1/payment_methods/{token}"), &Form::new()).await?;
        // What belongs to a customer was registered before.
        let Ok(method) = answer.decided else { return Ok(None) };
        Ok(MethodKind::ALL
            .into_iter()
            .find(|kind| kind_name(*kind) == method.kind && method.customer.is_none()))
    }

    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown> {
        self.set_up(method).await
    }

    async fn registration(
        &self,
        method: &Register,
        reference: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        self.set_up_before(method, reference).await
    }

    async fn forget(&self, method: &Forget) -> Result<(), ProviderUnknown> {
        self.detach(method).await
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        self.take(charge).await
    }

    async fn fetch(
        &self,
        charge: &Charge,
        reference: Option<&str>,
    ) -> Result<Option<ChargeReport>, ProviderUnknown> {
        self.taken_before(charge, reference).await
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        self.give_back(refund).await
    }

    async fn fetch_refund(
        &self,
        refund: &GiveBack,
        reference: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown> {
        self.given_back_before(refund, reference).await
    }

    async fn read_notice(&self, raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused> {
        self.noticed(raw, now).await
    }
}
