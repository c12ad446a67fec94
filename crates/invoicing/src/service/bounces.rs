//! A bank takes back what had paid an invoice, and perhaps gives it back (R3.7). Inside the transaction that records
//! it, with the account locked; each step once, whatever is repeated.
//!
//! | | the invoice | what is owed | loyalty |
//! |---|---|---|---|
//! | disputed | OVERDUE | what the bank took: a debt, which takes one that is open in | all it earned is taken back (R6.7) |
//! | disputed, the rest was given up | stays WRITTEN_OFF | nothing: what the bank took is given up with it | the same |
//! | won, the debt is open | PAID, once nothing is owed any more | so much less | earned again when PAID |
//! | won, the debt was paid otherwise | stays | nothing: what was paid on it goes back | stays |
//! | won, the debt was given up | stays WRITTEN_OFF | nothing: what was lost is recovered, and what a note has credited of it goes back | stays |
//!
//! What credit notes had lowered of such a debt was never paid while the bank held the money: once the dispute is won
//! it goes back as well.

use florin_credit::loyalty;
use florin_payment::{Dispute, DisputeId, Payment};
use florin_platform::{call::Call, db::Tx};
use florin_settlement::{Instant, Money};

use super::{
    collect::{earn, loyalty_rate, owned, tell_paid},
    debts, ledger, returns,
};
use crate::{
    domain::{
        debt::{Debt, DebtEnding, debt_name},
        invoice::{Invoice, InvoiceId},
        money::{MoneyKind, Posting},
        standing::Standing,
    },
    error::Error,
    store::{self, bounce::InvoiceDispute},
};

/// Whether a dispute of a payment of invoices is known.
pub(crate) async fn is_known(tx: &Tx, payment: &Payment, dispute: &Dispute) -> Result<bool, Error> {
    Ok(!store::bounce::of_dispute(tx, payment.account, dispute.id).await?.is_empty())
}

/// The bank takes back `amount` of what `payment` had paid of an invoice; told once by the caller.
pub(crate) async fn opened(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: InvoiceId,
    payment: &Payment,
    (dispute, amount): (DisputeId, Money),
) -> Result<(), Error> {
    let owner = payment.account;
    let invoice = owned(tx, owner, id).await?;
    match invoice.standing {
        Standing::Paid { .. } | Standing::Overdue { .. } | Standing::WrittenOff => {}
        // Nobody has taken money for it.
        Standing::Issued | Standing::Collecting { .. } => return Ok(()),
    }
    let debt = debts::bounced(tx, at, call, &invoice, payment.id, amount).await?;
    if invoice.standing == Standing::WrittenOff {
        debts::end(tx, at, call, &invoice, &debt, DebtEnding::WrittenOff).await?;
    }
    let record = InvoiceDispute {
        account: owner,
        invoice: id,
        id: dispute,
        payment: payment.id,
        amount,
        debt: debt.id,
        won: false,
    };
    store::bounce::insert(tx, at, &record).await?;
    let (name, source) = (invoice.name(), source(&invoice, dispute));
    let rate = loyalty_rate(tx, &invoice.content).await?;
    let nothing = Money::zero(amount.currency());
    loyalty::take_back(tx, at, call, owner, (&name, &source), nothing, rate).await?;
    Ok(())
}

/// What `dispute` had taken back is here again. A dispute that never opened brings nothing back.
pub(crate) async fn won(
    tx: &Tx,
    at: Instant,
    call: &Call,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), Error> {
    for known in store::bounce::of_dispute(tx, payment.account, dispute.id).await? {
        if !known.won {
            reverse(tx, at, call, payment, &known).await?;
        }
    }
    Ok(())
}

async fn reverse(
    tx: &Tx,
    at: Instant,
    call: &Call,
    payment: &Payment,
    known: &InvoiceDispute,
) -> Result<(), Error> {
    let owner = known.account;
    let invoice = owned(tx, owner, known.invoice).await?;
    let missing = || Error::NotFound(debt_name(owner, known.debt));
    let debt = store::debt::find(tx, owner, known.debt).await?.ok_or_else(missing)?;
    let ending = debt.ended.map(|(_, ending)| ending);
    let recovered = match ending {
        Some(DebtEnding::WrittenOff) => known.amount.min(debts::lost(tx, &invoice).await?)?,
        Some(DebtEnding::Paid(_) | DebtEnding::Credited | DebtEnding::DisputeWon) | None => {
            Money::zero(known.amount.currency())
        }
    };
    store::bounce::won(tx, at, known, recovered).await?;
    let name = source(&invoice, known.id);
    ledger::post(tx, at, Posting::of(owner, MoneyKind::Recovered, recovered, at, &name)).await?;
    let surplus = match ending {
        None => lift(tx, at, call, &invoice, &debt, payment, known.amount).await?,
        Some(_) => known.amount.checked_sub(recovered)?,
    };
    let refunds = returns::sources(tx, &invoice, surplus).await?;
    returns::send(tx, at, &invoice, &name, &refunds).await
}

/// `amount` of an open debt is not owed any more; what of it was not owed as it was.
async fn lift(
    tx: &Tx,
    at: Instant,
    call: &Call,
    invoice: &Invoice,
    debt: &Debt,
    payment: &Payment,
    amount: Money,
) -> Result<Money, Error> {
    let owed = debt.owed()?;
    let lifted = amount.min(owed)?;
    if lifted == owed {
        let invoice =
            &Invoice { standing: Standing::Overdue { payment: Some(payment.id) }, ..invoice.clone() };
        debts::end(tx, at, call, invoice, debt, DebtEnding::DisputeWon).await?;
        tell_paid(tx, at, invoice, payment, owed).await?;
        earn(tx, at, call, invoice).await?;
    } else {
        store::debt::lower(tx, debt.account, debt.id, lifted).await?;
        let posting = Posting::of(debt.account, MoneyKind::Applied, lifted, at, &invoice.name());
        ledger::post(tx, at, posting).await?;
    }
    Ok(amount.checked_sub(lifted)?)
}

/// What a dispute is called where it moves money or loyalty of an invoice: one dispute may be about several.
fn source(invoice: &Invoice, dispute: DisputeId) -> String {
    format!("{}/disputes/{dispute}", invoice.name())
}
