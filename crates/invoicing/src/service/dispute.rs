//! The afterlife of a paid order (R6.4, R6.11): its payment is disputed or bounces, and perhaps comes back; or the
//! customer withdraws. Inside the transaction that records it, with the account locked; each step once, whatever is
//! repeated.
//!
//! | | the lot | the purchase invoice | what is owed |
//! |---|---|---|---|
//! | disputed | what is unused is revoked | a credit note over it, with its VAT | the used part with its VAT: a debt |
//! | won | what was revoked comes back as a new lot | stays credited; its VAT is due again | the debt ends; what was paid on it goes back |
//! | withdrawn | never issued | reversed by a credit note | nothing; the payment goes back |
//!
//! An order that is disputed in parts shares the net of its parts so that together they are its net. Its parts share
//! one debt: an invoice has at most one that is open.

use florin_credit::{CreditOrder, OrderId, OrderReversal, OrderState, PortError, Price};
use florin_payment::{Dispute, Payment, PaymentId, Purpose};
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    wire::{child_name, parse_child},
};
use florin_settlement::{Instant, Money, rounding};

use super::{
    credit_note::{CreditedMoney, NewCreditNote, issue_credit_note},
    debts, ledger,
};
use crate::{
    domain::{
        credit_note::{CreditNote, CreditNoteReason},
        debt::{DebtEnding, DebtId, debt_name},
        extent::Extent,
        invoice::{INVOICES, Invoice, InvoiceId, TaxLine, invoice_name},
        money::{MoneyKind, Posting},
    },
    error::Error,
    store::{self, dispute::OrderDispute},
};

/// The bank takes back what `dispute` says of the money that paid `order`.
pub(crate) async fn opened(
    tx: &Tx,
    at: Instant,
    call: &Call,
    order: OrderId,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), Error> {
    let owner = payment.account;
    if store::dispute::find(tx, owner, dispute.id).await?.is_some() {
        return Ok(());
    }
    let Some(order) = paid_order(tx, owner, order, payment.id).await? else { return Ok(()) };
    let (price, invoice) = (order.final_price(), purchase_invoice(&order)?);
    let currency = dispute.amount.currency();
    let earlier = store::dispute::disputed(tx, owner, payment.id, currency).await?;
    let before = net_share(price, earlier)?;
    let wanted = net_share(price, earlier.checked_add(dispute.amount)?)?.checked_sub(before)?;

    let name = dispute_name(dispute);
    let revoked =
        florin_credit::disputes::revoke(tx, at, &florin_project::Gate, (owner, order.id), &name, wanted)
            .await?;
    let credited = credit(tx, at, call, &order, (invoice, &name), revoked).await?;
    let gross = revoked.checked_add(credited.tax)?;
    let owed = if revoked == wanted { Money::zero(currency) } else { dispute.amount.checked_sub(gross)? };
    let debt = if owed.is_positive() {
        let invoice = found(tx, owner, invoice).await?;
        Some(debts::bounced(tx, at, call, &invoice, payment.id, owed).await?.id)
    } else {
        None
    };
    let record = OrderDispute {
        account: owner,
        id: dispute.id,
        payment: payment.id,
        order: order.id,
        amount: dispute.amount,
        revoked,
        tax: credited.tax,
        tax_unnoted: credited.unnoted,
        owed,
        debt,
        won: None,
    };
    store::dispute::insert(tx, at, &record).await?;
    audit::record(tx, at, call, owner, &name).await?;
    Ok(())
}

/// What `dispute` had taken back is here again. A dispute that never opened brings nothing back.
pub(crate) async fn won(
    tx: &Tx,
    at: Instant,
    call: &Call,
    order: OrderId,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), Error> {
    let owner = payment.account;
    let Some(known) = store::dispute::find(tx, owner, dispute.id).await? else { return Ok(()) };
    if known.won.is_some() {
        return Ok(());
    }
    let name = dispute_name(dispute);
    let restored =
        florin_credit::disputes::restore(tx, at, call, &florin_project::Gate, owner, &name).await?;
    let restored = Money::sum(restored.iter().map(|lot| lot.initial), known.amount.currency())?;
    ledger::post(tx, at, Posting::of(owner, MoneyKind::SaleRestored, restored, at, &name)).await?;
    // It is supplied, and paid with its VAT: this is due again.
    let tax = &TaxLine { tax: known.tax.checked_neg()?, ..tax_line(tx, owner, order, restored).await? };
    ledger::post(tx, at, Posting::of_credited_tax(owner, tax, at, &name)?).await?;
    let recovered = match known.debt {
        Some(debt) => forgive(tx, at, call, owner, debt, known.owed, &name).await?,
        None => Money::zero(known.owed.currency()),
    };
    store::dispute::won(tx, at, (owner, dispute.id), recovered).await?;
    audit::record(tx, at, call, owner, &name).await?;
    Ok(())
}

/// The order, if `payment` is what paid it and it was not withdrawn from.
async fn paid_order(
    tx: &Tx,
    owner: AccountId,
    order: OrderId,
    payment: PaymentId,
) -> Result<Option<CreditOrder>, Error> {
    let found = florin_credit::orders::find(tx, owner, order).await?;
    let paid = |order: &CreditOrder| match order.state {
        OrderState::Paid { .. } => order.payment == Some(payment),
        OrderState::Withdrawn { .. }
        | OrderState::AwaitingPayment
        | OrderState::Processing
        | OrderState::Canceled
        | OrderState::Expired => false,
    };
    Ok(found.filter(paid))
}

fn purchase_invoice(order: &CreditOrder) -> Result<InvoiceId, Error> {
    let name = order.purchase_invoice.as_deref().unwrap_or_default();
    let (_, invoice) = parse_child(INVOICES, name).map_err(|_| Error::UnknownReference(name.to_owned()))?;
    Ok(invoice)
}

/// `accounts/{account}/disputes/{dispute}`.
pub(crate) fn dispute_name(dispute: &Dispute) -> String {
    child_name(dispute.account, "disputes", dispute.id)
}

/// The net of so much of an order's gross; of all of it, all of its net.
fn net_share(price: &Price, gross: Money) -> Result<Money, Error> {
    if gross.minor() >= price.gross.minor() {
        return Ok(price.net);
    }
    let (net, _) = rounding::split_gross(gross, price.tax_rate)
        .map_err(|error| sea_orm::DbErr::Type(error.to_string()))?;
    Ok(net)
}

/// The VAT that is credited of what a dispute revokes.
struct CreditedTax {
    tax: Money,
    /// What of it no note says.
    unnoted: Money,
}

/// Credits what was revoked, with its VAT. The bank has the money already. What earlier notes have credited is not
/// credited again: what no document sells any more, because a dispute was won, is revoked without one.
async fn credit(
    tx: &Tx,
    at: Instant,
    call: &Call,
    order: &CreditOrder,
    (invoice, dispute): (InvoiceId, &str),
    revoked: Money,
) -> Result<CreditedTax, Error> {
    let (owner, price, zero) = (order.account, order.final_price(), Money::zero(revoked.currency()));
    if !revoked.is_positive() {
        return Ok(CreditedTax { tax: zero, unnoted: zero });
    }
    let before = store::dispute::credited(tx, owner, invoice, revoked.currency()).await?;
    let noted = price.net.checked_sub(before)?.min(revoked)?;
    let mut in_note = zero;
    if noted.is_positive() {
        let issued = note(tx, at, call, order, (invoice, noted), CreditNoteReason::Dispute).await?;
        in_note = issued.totals.tax_total;
    }
    let unsold = revoked.checked_sub(noted)?;
    if unsold.is_zero() {
        return Ok(CreditedTax { tax: in_note, unnoted: zero });
    }
    let line = TaxLine { base: unsold, ..tax_line(tx, owner, order.id, revoked).await? };
    let unnoted = line.tax.checked_sub(in_note)?;
    let tax = Posting::of_credited_tax(owner, &TaxLine { tax: unnoted, ..line.clone() }, at, dispute)?;
    let sale = Posting::of(owner, MoneyKind::SaleRevoked, unsold, at, dispute);
    ledger::post(tx, at, sale.into_iter().chain(tax)).await?;
    Ok(CreditedTax { tax: line.tax, unnoted })
}

/// The VAT of `net` of what was bought with `order`.
async fn tax_line(tx: &Tx, owner: AccountId, order: OrderId, net: Money) -> Result<TaxLine, Error> {
    let missing = || Error::NotFound(florin_credit::order_name(owner, order));
    let order = florin_credit::orders::find(tx, owner, order).await?.ok_or_else(missing)?;
    let price = order.final_price();
    let tax = rounding::tax(net, price.tax_rate).map_err(|error| sea_orm::DbErr::Type(error.to_string()))?;
    Ok(TaxLine {
        category: price.tax_category,
        rate: price.tax_rate,
        base: net,
        tax,
        mention: price.tax_mention.clone().unwrap_or_default(),
    })
}

async fn note(
    tx: &Tx,
    at: Instant,
    call: &Call,
    order: &CreditOrder,
    (invoice, net): (InvoiceId, Money),
    reason: CreditNoteReason,
) -> Result<CreditNote, Error> {
    let money = match reason {
        CreditNoteReason::Dispute => CreditedMoney::TakenBack,
        CreditNoteReason::Withdrawal | CreditNoteReason::Correction => CreditedMoney::ToCustomer,
    };
    let new = NewCreditNote {
        account: order.account,
        invoice,
        extent: Extent::net(1, net),
        reason,
        explanation: order.number.clone(),
        money,
    };
    issue_credit_note(tx, at, call, &new).await
}

/// `amount` of a debt is not owed any more: it is lowered, and what was paid for it goes back. What of a debt that was
/// given up is recovered.
async fn forgive(
    tx: &Tx,
    at: Instant,
    call: &Call,
    owner: AccountId,
    debt: DebtId,
    amount: Money,
    dispute: &str,
) -> Result<Money, Error> {
    let missing = || Error::NotFound(debt_name(owner, debt));
    let debt = store::debt::find(tx, owner, debt).await?.ok_or_else(missing)?;
    let nothing = Money::zero(amount.currency());
    match debt.ended.map(|(_, ending)| ending) {
        None if debt.owed()? == amount => {
            let invoice = found(tx, owner, debt.invoice).await?;
            debts::end(tx, at, call, &invoice, &debt, DebtEnding::DisputeWon).await?;
        }
        None => {
            store::debt::lower(tx, owner, debt.id, amount).await?;
            ledger::post(tx, at, Posting::of(owner, MoneyKind::Applied, amount, at, dispute)).await?;
        }
        Some(DebtEnding::Paid(payment)) => {
            let purpose =
                Purpose::named(dispute).ok_or_else(|| Error::UnknownReference(dispute.to_owned()))?;
            florin_payment::refund(tx, at, owner, payment, amount, purpose).await?;
        }
        // Nobody has paid anything for it.
        Some(DebtEnding::WrittenOff) => {
            ledger::post(tx, at, Posting::of(owner, MoneyKind::Recovered, amount, at, dispute)).await?;
            return Ok(amount);
        }
        Some(DebtEnding::Credited | DebtEnding::DisputeWon) => {}
    }
    Ok(nothing)
}

async fn found(tx: &Tx, owner: AccountId, id: InvoiceId) -> Result<Invoice, Error> {
    let found = store::document::find(tx, owner, id).await?;
    found.ok_or_else(|| Error::NotFound(invoice_name(owner, id)))
}

/// What a withdrawal means for documents and money: [`florin_credit::OrderReversal`] (R6.4).
#[derive(Clone, Copy, Debug, Default)]
pub struct Reversals;

#[async_trait::async_trait]
impl OrderReversal for Reversals {
    async fn withdrawn(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        order: &CreditOrder,
    ) -> Result<(), PortError> {
        let invoice = purchase_invoice(order)?;
        let net = order.final_price().net;
        note(tx, at, call, order, (invoice, net), CreditNoteReason::Withdrawal).await?;
        Ok(())
    }
}
