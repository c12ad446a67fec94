//! Credit orders: placed, canceled, expired, paid, supplied (R6.3, R6.4).
//!
//! | question | answer |
//! |---|---|
//! | locks | the account first, by the caller; orders and lots are its rows |
//! | exactly one lot | the order's state decides; the lot's origin is unique in the database as well |
//! | when is an order expired | when its instant has come and no payment is on its way; the job only writes it down |

use florin_account::{Account, LegalForm, Parties};
use florin_payment::Payment;
use florin_platform::{
    audit,
    call::Call,
    db::{Reader, Tx},
    etag,
    id::AccountId,
    notice, outbox,
    secret::digest,
    wire,
};
use florin_settlement::{Instant, LotKind, Money, Restriction};
use sea_orm::ConnectionTrait;

use super::{ledger, lots, query, top_up};
use crate::{
    domain::{
        lot::{CreditLot, NewLot, Origin},
        order::{
            self, AmountError, CREDIT_MONTHS, CreditOrder, EXPIRE_AFTER_HOURS, OrderId, OrderState, Paid,
            PaymentLinks, Price,
        },
        project_ref::ProjectId,
    },
    error::Error,
    events::{
        CreditOrderCanceled, CreditOrderCreated, CreditOrderExpired, CreditOrderPaid,
        CreditOrderPaymentFailed, CreditOrderWithdrawn,
    },
    names::{order_name, parse_order, project_name},
    notices,
    ports::{OrderReversal, ProjectGate},
    store,
};

/// An order to place.
#[derive(Clone, Copy, Debug)]
pub struct NewOrder<'a> {
    /// Who buys.
    pub account: &'a Account,
    /// What the credit is for.
    pub project: ProjectId,
    /// How much, excluding VAT.
    pub net: Money,
    /// Whether it funds the account's first project: then the account's minimum holds (R4.2).
    pub initial: bool,
}

/// The least initial credit of `account`, net: its own minimum, or else its issuer's (R4.2).
///
/// # Errors
/// [`Error::Database`].
pub async fn initial_minimum(connection: &impl ConnectionTrait, account: &Account) -> Result<Money, Error> {
    if let Some(minimum) = account.initial_credit_minimum {
        return Ok(minimum);
    }
    let issuer = florin_account::issuer(connection, &account.issuer).await?;
    let issuer = issuer.ok_or_else(|| Error::NotFound(format!("issuers/{}", account.issuer)))?;
    Ok(issuer.initial_credit_minimum)
}

/// The order `new` would become at `at`. Nothing is written.
///
/// # Errors
/// [`Error::Amount`] for what cannot be bought.
pub async fn preview(
    connection: &impl ConnectionTrait,
    at: Instant,
    new: &NewOrder<'_>,
) -> Result<CreditOrder, Error> {
    let account = new.account;
    order::check_amount(new.net, account.currency)?;
    if new.initial {
        order::check_minimum(new.net, initial_minimum(connection, account).await?)?;
    }
    let treatment = florin_account::vat_treatment(connection, account, at).await?;
    let price = Price::of(new.net, &treatment)?;
    if price.gross.currency() != account.currency {
        return Err(AmountError::Currency(account.currency).into());
    }
    let id = OrderId::generate(at);
    Ok(CreditOrder {
        id,
        charged: None,
        account: account.id,
        number: order::number(id, at),
        project: new.project,
        initial: new.initial,
        price,
        state: OrderState::AwaitingPayment,
        payment: None,
        purchase_invoice: None,
        withdrawable: is_withdrawable(connection, account).await?,
        supply_requested: None,
        created: at,
        expires: at.plus_hours(EXPIRE_AFTER_HOURS),
        version: 1,
        updated: at,
    })
}

/// Consumer law gives individuals in the EU a right of withdrawal (R6.4).
async fn is_withdrawable(connection: &impl ConnectionTrait, account: &Account) -> Result<bool, Error> {
    let is_consumer = account.profile.legal_form == LegalForm::Individual;
    Ok(is_consumer && florin_account::is_in_eu(connection, &account.profile.country).await?)
}

/// Places an order: its row, its payment link, the audit row, the event and the notice with the link. The
/// account is locked. Whether the project can take credit is the caller's to know.
///
/// # Errors
/// [`Error::Amount`] for what cannot be bought.
pub async fn create(
    tx: &Tx,
    at: Instant,
    call: &Call,
    links: &PaymentLinks,
    new: NewOrder<'_>,
) -> Result<CreditOrder, Error> {
    let order = preview(tx, at, &new).await?;
    store::order::insert(tx, &order).await?;
    let issuer = florin_account::issuer(tx, &new.account.issuer).await?;
    let issuer = issuer.ok_or_else(|| Error::NotFound(format!("issuers/{}", new.account.issuer)))?;
    let parties = Parties::of(new.account, &issuer);
    store::charge::insert_parties(tx, order.account, order.id, &parties).await?;
    store::order::insert_link(tx, digest(&links.token(order.account, order.id)), order.account, order.id)
        .await?;
    let name = order_name(order.account, order.id);
    audit::record(tx, at, call, order.account, &name).await?;
    let fact = CreditOrderCreated {
        credit_order: name,
        project: project_name(order.account, order.project),
        amount: Some(wire::money(order.price.net)),
        amount_incl_tax: Some(wire::money(order.price.gross)),
    };
    outbox::append(tx, at, order.account, &fact).await?;
    notice::raise(tx, at, order.account, &notices::ordered(new.account, &order, links)).await?;
    Ok(order)
}

/// Gives up an order of a locked account. A project that waits for it is the caller's concern: the RPC
/// tells the [`ProjectGate`], the project slice knows by itself.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Order`] unless it awaits payment.
pub async fn cancel(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    order: OrderId,
) -> Result<CreditOrder, Error> {
    let canceled = query::order(tx, account, order).await?.cancel(at).map_err(Error::to_cancel)?;
    store::order::save(tx, &canceled).await?;
    let name = order_name(account, order);
    audit::record(tx, at, call, account, &name).await?;
    outbox::append(tx, at, account, &CreditOrderCanceled { credit_order: name }).await?;
    Ok(canceled)
}

/// Writes down that an order was not paid in time, and tells the gate. The account is locked. `None` if
/// there is nothing to write.
pub(crate) async fn expire(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    account: AccountId,
    order: OrderId,
) -> Result<Option<CreditOrder>, Error> {
    let Some(expired) = query::order(tx, account, order).await?.expire(at) else { return Ok(None) };
    store::order::save(tx, &expired).await?;
    let name = order_name(account, order);
    audit::record(tx, at, call, account, &name).await?;
    outbox::append(tx, at, account, &CreditOrderExpired { credit_order: name }).await?;
    gate_unfunded(tx, at, call, gate, &expired).await?;
    Ok(Some(expired))
}

/// Tells the gate that an initial order will not be paid any more (R4.3), unless the project can still be
/// funded by another one.
pub(crate) async fn gate_unfunded(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    order: &CreditOrder,
) -> Result<(), Error> {
    let others = query::open_orders(tx, order.account, order.project, at).await?;
    if order.initial && !others.iter().any(|other| other.initial) {
        gate.unfunded(tx, at, call, order.account, order.project).await.map_err(Error::Port)?;
    }
    Ok(())
}

/// What a captured payment did to its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaidOrder {
    /// It is paid, and its lot issued.
    Issued(CreditLot, CreditOrder),
    /// It is paid; the customer keeps the right of withdrawal, so the lot is issued later (R6.4).
    Deferred(CreditOrder),
    /// The same payment had paid it before. Nothing was written.
    Already(CreditOrder),
    /// It is not payable any more, was paid by another payment, or its project is gone: the money goes back (R6.3).
    NotPayable,
}

/// `payment`, made for `order` of the locked `account`, was captured. The lot is issued here, in this
/// transaction, exactly once however often the success is told (R6.4). Whoever calls then issues the
/// purchase invoice ([`invoiced`]) and activates a pending project.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Database`].
pub async fn paid(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    (account, order): (AccountId, OrderId),
    payment: &Payment,
) -> Result<PaidOrder, Error> {
    let found = query::order(tx, account, order).await?;
    let of_payment = [(order, payment.id, found.price.net)];
    let charged = store::charge::of_payments(tx, account, &of_payment).await?.remove(&order);
    let price = charged.as_ref().unwrap_or(&found.price);
    if payment.account != account || payment.amount != price.gross {
        return Ok(PaidOrder::NotPayable);
    }
    let project = found.project;
    let paid = match found.clone().pay(at, payment.id, charged) {
        Paid::Now(_) if !is_live(tx, gate, account, project).await? => {
            abandon(tx, at, call, found).await?;
            return Ok(PaidOrder::NotPayable);
        }
        Paid::Now(paid) => paid,
        Paid::Before(paid) => return Ok(PaidOrder::Already(paid)),
        Paid::NotPayable => return Ok(PaidOrder::NotPayable),
    };
    let name = order_name(account, order);
    audit::record(tx, at, call, account, &name).await?;
    let OrderState::Paid { supply, .. } = paid.state else { return Ok(PaidOrder::NotPayable) };
    let fact = CreditOrderPaid {
        credit_order: name,
        payment: florin_payment::payment_name(account, payment.id),
        supply_time: Some(wire::timestamp(supply)),
    };
    outbox::append(tx, at, account, &fact).await?;
    if at < supply {
        store::order::save(tx, &paid).await?;
        return Ok(PaidOrder::Deferred(paid));
    }
    let (lot, supplied) = supply_order(tx, at, paid).await?;
    Ok(PaidOrder::Issued(lot, supplied))
}

/// Whether value can still come to a project.
pub(crate) async fn is_live(
    tx: &Tx,
    gate: &dyn ProjectGate,
    account: AccountId,
    project: ProjectId,
) -> Result<bool, Error> {
    let view = gate.project(Reader::Within(tx), account, project).await.map_err(Error::Port)?;
    Ok(view.is_some_and(|view| view.live))
}

/// Whether nothing of a project's lots will ever be used.
pub(crate) async fn is_over(
    tx: &Tx,
    gate: &dyn ProjectGate,
    account: AccountId,
    project: ProjectId,
) -> Result<bool, Error> {
    let view = gate.project(Reader::Within(tx), account, project).await.map_err(Error::Port)?;
    Ok(view.is_none_or(|view| view.over))
}

/// Gives up an order whose project is gone: what is paid for it goes back (R6.3).
async fn abandon(tx: &Tx, at: Instant, call: &Call, order: CreditOrder) -> Result<(), Error> {
    let Some(abandoned) = order.abandon(at) else { return Ok(()) };
    store::order::save(tx, &abandoned).await?;
    let name = order_name(abandoned.account, abandoned.id);
    audit::record(tx, at, call, abandoned.account, &name).await?;
    outbox::append(tx, at, abandoned.account, &CreditOrderCanceled { credit_order: name }).await?;
    Ok(())
}

/// The customer of a locked account withdraws from an order they paid (R6.4): no lot is issued. What becomes of the
/// money and of the purchase invoice is the port's.
///
/// # Errors
/// [`Error::NotFound`], [`Error::EtagMismatch`], [`Error::NotWithdrawable`].
pub async fn withdraw(
    tx: &Tx,
    at: Instant,
    call: &Call,
    reversal: &dyn OrderReversal,
    (account, order): (AccountId, OrderId),
    etag: &str,
) -> Result<CreditOrder, Error> {
    florin_account::lock(tx, &[account]).await?;
    let found = query::order(tx, account, order).await?;
    let name = order_name(account, order);
    if !etag::allows(etag, &name, found.version) {
        return Err(Error::EtagMismatch(name));
    }
    let state = found.state_at(at).as_str();
    let withdrawn = found.withdraw(at).ok_or(Error::NotWithdrawable { state })?;
    store::order::save(tx, &withdrawn).await?;
    audit::record(tx, at, call, account, &name).await?;
    let payment = withdrawn.payment.map(|payment| florin_payment::payment_name(account, payment));
    let fact = CreditOrderWithdrawn { credit_order: name, payment: payment.unwrap_or_default() };
    outbox::append(tx, at, account, &fact).await?;
    let owner = query::account(tx, account).await?;
    notice::raise(tx, at, account, &notices::withdrawn(&owner, &withdrawn)).await?;
    reversal.withdrawn(tx, at, call, &withdrawn).await.map_err(Error::Port)?;
    Ok(withdrawn)
}

/// Issues the lot of a paid order whose time has come. It counts from the instant it is due, and expires
/// 13 months after the payment, whenever this runs (R6.4).
async fn supply_order(tx: &Tx, at: Instant, order: CreditOrder) -> Result<(CreditLot, CreditOrder), Error> {
    let OrderState::Paid { supply, .. } = order.state else {
        return Err(Error::NotFound(format!("a lot to issue for {}", order_name(order.account, order.id))));
    };
    supply_as_of(tx, at, order, supply).await
}

/// Issues the lot of a paid order before its time, because its payment is disputed: what is revoked has to be there.
pub(crate) async fn supply_now(tx: &Tx, at: Instant, order: CreditOrder) -> Result<CreditLot, Error> {
    Ok(supply_as_of(tx, at, order, at).await?.0)
}

async fn supply_as_of(
    tx: &Tx,
    at: Instant,
    order: CreditOrder,
    issued: Instant,
) -> Result<(CreditLot, CreditOrder), Error> {
    let OrderState::Paid { paid, lot: None, .. } = order.state else {
        return Err(Error::NotFound(format!("a lot to issue for {}", order_name(order.account, order.id))));
    };
    let account = query::account(tx, order.account).await?;
    let new = NewLot {
        account: order.account,
        project: Some(order.project),
        kind: LotKind::CloudCredit,
        amount: order.price.net,
        issued,
        expires: Some(paid.plus_months_clamped(CREDIT_MONTHS)),
        restriction: Restriction::Unrestricted,
        origin: Origin::CreditOrder(order.id),
        description: format!("Cloud credit {}", order.number),
    };
    let lot = ledger::issue(tx, at, &account, new).await?;
    let supplied = order.supplied(at, lot.id);
    store::order::save(tx, &supplied).await?;
    Ok((lot, supplied))
}

/// Issues the lot of an order of a locked account whose time to withdraw is over; `None` if it has one.
/// Where the project is over in the meantime, what it would have got is forfeited at once (R6.8); while it is being
/// deleted, it can still pay the final invoice.
pub(crate) async fn supply_late(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    account: AccountId,
    order: OrderId,
) -> Result<Option<CreditLot>, Error> {
    let found = query::order(tx, account, order).await?;
    match found.state {
        OrderState::Paid { supply, lot: None, .. } if supply <= at => {}
        OrderState::Paid { .. }
        | OrderState::Withdrawn { .. }
        | OrderState::AwaitingPayment
        | OrderState::Processing
        | OrderState::Canceled
        | OrderState::Expired => return Ok(None),
    }
    let project = found.project;
    let (lot, _) = supply_order(tx, at, found).await?;
    audit::record(tx, at, call, account, &order_name(account, order)).await?;
    if is_over(tx, gate, account, project).await? {
        lots::forfeit(tx, at, account, Some(project)).await?;
    }
    Ok(Some(lot))
}

/// No payment of `order` of the locked `account` is on its way any more: it can be paid again, until it
/// expires. `None` if it has moved on.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Database`].
pub async fn payment_failed(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    order: OrderId,
    payment: &Payment,
) -> Result<Option<CreditOrder>, Error> {
    let Some(open) = query::order(tx, account, order).await?.payment_failed(at) else { return Ok(None) };
    store::order::save(tx, &open).await?;
    let name = order_name(account, order);
    audit::record(tx, at, call, account, &name).await?;
    let failed = florin_payment::payment_name(account, payment.id);
    outbox::append(tx, at, account, &CreditOrderPaymentFailed { credit_order: name, payment: failed })
        .await?;
    top_up::declined(tx, at, call, (account, order), payment).await?;
    Ok(Some(open))
}

/// The purchase invoice of a paid order of a locked account is `invoice`, a resource name.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Database`].
pub async fn invoiced(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    order: OrderId,
    invoice: &str,
) -> Result<CreditOrder, Error> {
    let invoiced = query::order(tx, account, order).await?.invoiced(at, invoice);
    store::order::save(tx, &invoiced).await?;
    Ok(invoiced)
}

/// The order a payment's reference names, if it names one.
#[must_use]
pub fn of_reference(reference: &str) -> Option<(AccountId, OrderId)> {
    parse_order(reference)
}
