//! Topping up by itself (R6.10).
//!
//! | step | transaction |
//! |---|---|
//! | 1. lock, look at what is available, place the order, begin its payment, put the next look off | the first |
//! | 2. the provider is asked; its answer is recorded as that of any order | none of ours |
//!
//! A decline stops it in the transaction that records the decline: there is no second try until the customer
//! configures it again. Whatever cannot be charged at all stops it at once.

use florin_account::Account;
use florin_payment::{Initiator, Means, NewPayment, Payment, PaymentId};
use florin_platform::{
    audit,
    call::Call,
    db::{Reader, Tx},
    etag,
    id::AccountId,
    notice, outbox,
};
use florin_settlement::{Instant, Money};
use sea_orm::ConnectionTrait;

use super::{
    orders::{self, NewOrder},
    pay, query,
};
use crate::{
    domain::{
        order::{Consent, OrderId, PaymentLinks},
        project_ref::ProjectId,
        top_up::{Look, TopUp, TopUpState, Wish},
    },
    error::Error,
    events::{CreditOrderPaymentStarted, TopUpConfigured, TopUpStopped},
    names::{order_name, project_name, top_up_name},
    notices,
    ports::{AvailableFunds, ProjectGate},
    store,
};

/// What a customer configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    /// What is wanted; nothing turns it off.
    pub(crate) wish: Option<Wish>,
    pub(crate) consent: Consent,
    pub(crate) etag: String,
}

/// A top-up, and what it has bought in this month.
pub(crate) async fn shown(
    connection: &impl ConnectionTrait,
    at: Instant,
    account: AccountId,
    project: ProjectId,
) -> Result<(TopUp, Money), Error> {
    let found = store::top_up::find(connection, account, project).await?;
    let found = found.ok_or_else(|| Error::NotFound(top_up_name(account, project)))?;
    let currency = found.wish.amount.currency();
    let (bought, _) =
        store::top_up::bought(connection, (account, project), at.start_of_month(), currency).await?;
    Ok((found, bought))
}

/// Configures the top-up of a live project of an ACTIVE account. It looks at once, and starts again if it had stopped.
pub(crate) async fn configure(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    new: &Configuration,
) -> Result<(TopUp, Money), Error> {
    let Configuration { account, project, .. } = *new;
    florin_account::lock(tx, &[account]).await?;
    let owner = query::active_account(tx, account).await?;
    query::live_project(gate, Reader::Within(tx), account, project).await?;
    let name = top_up_name(account, project);
    let known = store::top_up::find(tx, account, project).await?;
    if !etag::allows(&new.etag, &name, known.as_ref().map_or(0, |known| known.version)) {
        return Err(Error::EtagMismatch(name));
    }
    let (wish, state) = match (new.wish, &known) {
        (Some(wish), _) => {
            wish.violations(owner.currency).finish()?;
            if florin_payment::default_method(tx, account).await?.is_none() {
                return Err(Error::TopUpNeedsMethod);
            }
            (wish, TopUpState::Active { check: at })
        }
        (None, Some(known)) => (known.wish, TopUpState::Off),
        (None, None) => return Err(Error::NotFound(name)),
    };
    let consent = match new.consent {
        Consent::ImmediateSupply => Some(at),
        Consent::NotGiven => None,
    };
    let configured = TopUp {
        account,
        project,
        wish,
        supply_consent: consent,
        state,
        version: known.as_ref().map_or(0, |known| known.version) + 1,
        created: known.map_or(at, |known| known.created),
        updated: at,
    };
    store::top_up::save(tx, &configured).await?;
    audit::record(tx, at, call, account, &name).await?;
    outbox::append(tx, at, account, &TopUpConfigured { top_up: name }).await?;
    shown(tx, at, account, project).await
}

/// One look: what is to be charged once the transaction is committed, if anything is.
pub(crate) async fn look(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (gate, funds, links): (&dyn ProjectGate, &dyn AvailableFunds, &PaymentLinks),
    (account, project): (AccountId, ProjectId),
) -> Result<Option<PaymentId>, Error> {
    florin_account::lock(tx, &[account]).await?;
    let Some(top_up) = store::top_up::find(tx, account, project).await? else { return Ok(None) };
    match top_up.state {
        TopUpState::Active { check } if check <= at => {}
        TopUpState::Active { .. } | TopUpState::Stopped { .. } | TopUpState::Off => return Ok(None),
    }
    let currency = top_up.wish.amount.currency();
    let (bought, under_way) =
        store::top_up::bought(tx, (account, project), at.start_of_month(), currency).await?;
    let available = funds.available(tx, at, account, project).await.map_err(Error::Port)?;
    let then = match top_up.look(at, available, bought, under_way) {
        Look::Again(then) => {
            let waiting = TopUp { state: TopUpState::Active { check: then }, ..top_up };
            store::top_up::save(tx, &waiting).await?;
            return Ok(None);
        }
        Look::Buy { then } => then,
    };
    let owner = query::account(tx, account).await?;
    match buy(tx, at, call, gate, links, &owner, &top_up).await? {
        Ok(payment) => {
            let waiting = TopUp { state: TopUpState::Active { check: then }, ..top_up };
            store::top_up::save(tx, &waiting).await?;
            Ok(Some(payment))
        }
        Err(reason) => {
            stop(tx, at, call, &owner, top_up, reason).await?;
            Ok(None)
        }
    }
}

/// Places an order and begins its payment with the default method, without the customer; the inner error is why
/// nothing can be charged. All of it is decided before anything is written.
async fn buy(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    links: &PaymentLinks,
    owner: &Account,
    top_up: &TopUp,
) -> Result<Result<PaymentId, &'static str>, Error> {
    let (account, project) = (top_up.account, top_up.project);
    if query::active_account(tx, account).await.is_err() {
        return Ok(Err("account_not_active"));
    }
    let view = gate.project(Reader::Within(tx), account, project).await.map_err(Error::Port)?;
    if !view.is_some_and(|view| view.live && !view.pending) {
        return Ok(Err("project_not_live"));
    }
    let Some(method) = florin_payment::default_method(tx, account).await? else {
        return Ok(Err("no_default_method"));
    };
    let new = NewOrder { account: owner, project, net: top_up.wish.amount, initial: false };
    let order = orders::create(tx, at, call, links, new).await?;
    store::top_up::insert_order(tx, at, (account, project), order.id, order.price.net).await?;
    let name = order_name(account, order.id);
    let charge = NewPayment {
        amount: pay::quote(tx, at, &order).await?.gross,
        reference: name.clone(),
        means: Means::Method(method.id),
        initiator: Initiator::Merchant,
    };
    let payment = match florin_payment::begin(tx, at, call, account, charge).await {
        Ok(payment) => payment,
        Err(florin_payment::Error::MethodNotValid { .. } | florin_payment::Error::FirstPaymentNeedsCard) => {
            orders::cancel(tx, at, call, account, order.id).await?;
            return Ok(Err("method_not_usable"));
        }
        Err(error) => return Err(error.into()),
    };
    let consent = top_up.supply_consent.map_or(Consent::NotGiven, |_| Consent::ImmediateSupply);
    let paying = order.begin_payment(at, payment, consent).map_err(Error::to_pay)?;
    store::order::save(tx, &paying).await?;
    let payment_name = florin_payment::payment_name(account, payment);
    outbox::append(tx, at, account, &CreditOrderPaymentStarted { credit_order: name, payment: payment_name })
        .await?;
    Ok(Ok(payment))
}

/// The payment of an order of a top-up was declined: the order is given up, and the top-up stops (R6.10). Of any
/// other order nothing.
pub(crate) async fn declined(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, order): (AccountId, OrderId),
    payment: &Payment,
) -> Result<(), Error> {
    let Some(project) = store::top_up::of_order(tx, account, order).await? else { return Ok(()) };
    orders::cancel(tx, at, call, account, order).await?;
    let Some(top_up) = store::top_up::find(tx, account, project).await? else { return Ok(()) };
    let owner = query::account(tx, account).await?;
    tracing::info!(payment = %payment.id, "a top-up was declined and stops");
    stop(tx, at, call, &owner, top_up, "declined").await
}

async fn stop(
    tx: &Tx,
    at: Instant,
    call: &Call,
    owner: &Account,
    top_up: TopUp,
    reason: &str,
) -> Result<(), Error> {
    let (account, project) = (top_up.account, top_up.project);
    let state = TopUpState::Stopped { reason: reason.to_owned() };
    let stopped = TopUp { state, version: top_up.version + 1, updated: at, ..top_up };
    store::top_up::save(tx, &stopped).await?;
    let name = top_up_name(account, project);
    audit::record(tx, at, call, account, &name).await?;
    outbox::append(tx, at, account, &TopUpStopped { top_up: name, reason: reason.to_owned() }).await?;
    let project = project_name(account, project);
    notice::raise(tx, at, account, &notices::top_up_stopped(owner, &project, reason)).await?;
    Ok(())
}
