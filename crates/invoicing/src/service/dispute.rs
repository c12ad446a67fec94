//! The afterlife of a paid order (R6.11): its payment is disputed or bounces, and perhaps comes back. Inside the
//! transaction that records it, with the account locked; each dispute opens once and is won at most once.

use florin_credit::OrderId;
use florin_payment::{Dispute, Payment};
use florin_platform::{audit, call::Call, db::Tx};
use florin_settlement::Instant;

use crate::error::Error;

/// The bank takes back what `dispute` says of the money that paid `order`.
pub(crate) async fn opened(
    tx: &Tx,
    at: Instant,
    call: &Call,
    _order: OrderId,
    payment: &Payment,
    _dispute: &Dispute,
) -> Result<(), Error> {
    audit::record(tx, at, call, payment.account, &payment.reference).await?;
    Ok(())
}

/// What `dispute` had taken back is here again.
pub(crate) async fn won(
    tx: &Tx,
    at: Instant,
    call: &Call,
    _order: OrderId,
    payment: &Payment,
    _dispute: &Dispute,
) -> Result<(), Error> {
    audit::record(tx, at, call, payment.account, &payment.reference).await?;
    Ok(())
}
