//! What stands around a payment: its rehearsal, and what follows when the bank takes its days.

use std::future::Future;

use florin_payment::{Payment, PaymentState};
use florin_platform::{Platform, db::Tx, wire::parse_child};
use florin_settlement::Instant;

use crate::{domain::debt::DEBT_SETTLEMENTS, error::Error};

/// Runs `work` as it would run for real, and undoes it: `validate_only`.
pub(crate) async fn rehearse<Answer, Fut>(
    platform: &Platform,
    work: impl FnOnce(Tx, Instant) -> Fut,
) -> Result<Answer, Error>
where
    Fut: Future<Output = Result<Answer, Error>>,
{
    let tx = platform.db.begin_write().await?;
    let answer = match platform.clock.now(&tx).await {
        Ok(now) => work(tx.clone(), now).await,
        Err(error) => Err(error.into()),
    };
    tx.rollback().await;
    answer
}

/// A payment of debts that the bank takes its days for stops their clocks.
pub(crate) async fn pause_settlement(platform: &Platform, payment: &Payment) -> Result<(), Error> {
    let (PaymentState::Scheduled(_) | PaymentState::Pending(_), Ok((owner, settlement))) =
        (&payment.state, parse_child(DEBT_SETTLEMENTS, &payment.reference))
    else {
        return Ok(());
    };
    let pause = |tx: Tx| async move {
        florin_account::lock(&tx, &[owner]).await?;
        super::pay::pause(&tx, settlement, payment).await
    };
    platform.db.write(pause).await
}
