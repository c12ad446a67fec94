//! Money that nobody wants goes back to its source (R6.3): asked of the provider with no transaction open.

use florin_platform::{audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire};
use florin_settlement::Instant;

use super::{
    names::payment_name,
    payments::Payments,
    query::{owned_account, owned_payment},
};
use crate::{
    domain::refund::{Refund, RefundId, RefundState},
    error::Error,
    events::{PaymentRefundRefused, PaymentRefunded},
    notices,
    provider::{GiveBack, ProviderUnknown, RefundReport},
    store,
};

impl Payments {
    /// Takes a refund as far as it goes now.
    pub(crate) async fn give_back(&self, call: &Call, account: AccountId, id: RefundId) -> Result<(), Error> {
        let refund = owned_refund(self.platform.db.reader(), account, id).await?;
        if !matches!(refund.state, RefundState::Requested(_)) {
            return Ok(());
        }
        let answer = &self.provider.refund(&GiveBack::of(&refund, None)).await;
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                let refund = owned_refund(&tx, account, id).await?;
                record(&tx, at, call, refund, answer).await
            })
            .await
    }
}

async fn record(
    tx: &Tx,
    at: Instant,
    call: &Call,
    refund: Refund,
    answer: &Result<RefundReport, ProviderUnknown>,
) -> Result<(), Error> {
    if !matches!(refund.state, RefundState::Requested(_)) {
        return Ok(());
    }
    let outcome = match answer {
        Ok(report) => report.outcome.clone(),
        Err(unknown) => {
            tracing::warn!(refund = %refund.id, error = unknown as &dyn std::error::Error, "refund unknown");
            return Ok(store::refund::save(tx, &refund.unanswered(at)).await?);
        }
    };
    let refund = refund.learn(outcome, at);
    store::refund::save(tx, &refund).await?;
    let name = payment_name(refund.account, refund.payment);
    audit::record(tx, at, call, refund.account, &name).await?;
    let amount_incl_tax = Some(wire::money(refund.amount));
    match &refund.state {
        RefundState::Requested(_) => {}
        RefundState::Done => {
            let payment = owned_payment(tx, refund.account, refund.payment).await?.refunded(at);
            store::payment::save(tx, &payment).await?;
            let account = owned_account(tx, refund.account).await?;
            notice::raise(tx, at, account.id, &notices::returned(&account, &payment)).await?;
            outbox::append(tx, at, refund.account, &PaymentRefunded { payment: name, amount_incl_tax })
                .await?;
        }
        RefundState::Refused { code } => {
            tracing::error!(
                payment = name,
                code,
                "the provider refuses to give money back; an operator has to"
            );
            let fact = PaymentRefundRefused { payment: name, amount_incl_tax, code: code.clone() };
            outbox::append(tx, at, refund.account, &fact).await?;
        }
    }
    Ok(())
}

async fn owned_refund(
    connection: &impl sea_orm::ConnectionTrait,
    account: AccountId,
    id: RefundId,
) -> Result<Refund, Error> {
    store::refund::find(connection, account, id).await?.ok_or_else(|| Error::NotFound(id.to_string()))
}
