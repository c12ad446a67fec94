//! Debts begin and end here, and with them the state of their invoice (R8.2, R9.1). The account is locked.

use florin_payment::payment_name;
use florin_platform::{audit, call::Call, db::Tx, outbox, wire::money};
use florin_settlement::{Instant, Money};

use crate::{
    domain::{
        debt::{Debt, DebtCause, DebtEnding},
        invoice::Invoice,
        standing::Standing,
    },
    error::Error,
    events::{DebtClosed, DebtOpened},
    store,
};

/// Opens a debt of `amount` for `invoice`, which is `overdue` from now on.
pub(crate) async fn open(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    overdue: Standing,
    amount: Money,
    cause: DebtCause,
) -> Result<Debt, Error> {
    let (owner, name) = (invoice.content.account, invoice.name());
    store::standing::save(tx, at, owner, invoice.id, overdue).await?;
    let debt = Debt::open(owner, invoice.id, amount, cause, at);
    store::debt::open(tx, &[debt]).await?;
    audit::record(tx, at, call, owner, &name).await?;
    let fact = DebtOpened {
        invoice: name,
        amount_incl_tax: Some(money(amount)),
        payment: overdue.payment().map(|payment| payment_name(owner, payment)).unwrap_or_default(),
    };
    outbox::append(tx, at, owner, &fact).await?;
    Ok(debt)
}

/// Ends the open debt of `invoice`.
pub(crate) async fn end(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    debt: &Debt,
    ending: DebtEnding,
) -> Result<(), Error> {
    let (owner, name) = (invoice.content.account, invoice.name());
    let standing = match ending {
        DebtEnding::Paid(payment) => Standing::Paid { payment: Some(payment), at },
        DebtEnding::Credited => Standing::Paid { payment: None, at },
        DebtEnding::DisputeWon => Standing::Paid { payment: invoice.standing.payment(), at },
        DebtEnding::WrittenOff => Standing::WrittenOff,
    };
    store::standing::save(tx, at, owner, invoice.id, standing).await?;
    store::debt::close(tx, at, owner, debt.id, ending).await?;
    audit::record(tx, at, call, owner, &name).await?;
    outbox::append(tx, at, owner, &DebtClosed { invoice: name }).await?;
    Ok(())
}
