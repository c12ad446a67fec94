//! Cards near their end raise a notice (R3.5); once it is over they can no longer pay (R3.2), and the next
//! method that can becomes the default.

use florin_platform::{audit, call::Call, id::AccountId, notice, outbox};

use super::{
    methods::Methods,
    names::method_name,
    query::{owned_account, owned_method},
    record::Recorder,
};
use crate::{
    domain::method::PaymentMethodId,
    error::Error,
    events::{PaymentMethodExpired, PaymentMethodExpiresSoon},
    notices, store,
};

impl Methods {
    /// Expires a card if its date is over; else nothing happens.
    pub(crate) async fn expire(
        &self,
        call: &Call,
        account: AccountId,
        id: PaymentMethodId,
    ) -> Result<(), Error> {
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                let Some(method) = owned_method(&tx, account, id).await?.expired(at) else { return Ok(()) };
                store::method::save(&tx, &method).await?;
                store::payment::hasten(&tx, account, id, at).await?;
                let payment_method = method_name(account, id);
                audit::record(&tx, at, call, account, &payment_method).await?;
                outbox::append(&tx, at, account, &PaymentMethodExpired { payment_method }).await?;
                let recorder = Recorder { tx: &tx, at, call, outcomes: &*self.outcomes };
                recorder.leave_default(account, id).await
            })
            .await
    }

    /// Warns the holder of a card that ends soon, once per warning; else nothing happens.
    pub(crate) async fn warn(&self, account: AccountId, id: PaymentMethodId) -> Result<(), Error> {
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                let Some((warning, method)) = owned_method(&tx, account, id).await?.warned(at) else {
                    return Ok(());
                };
                store::method::save(&tx, &method).await?;
                let days = warning.days();
                let owner = owned_account(&tx, account).await?;
                notice::raise(&tx, at, account, &notices::expires_soon(&owner, &method, days)).await?;
                let fact = PaymentMethodExpiresSoon { payment_method: method_name(account, id), days };
                outbox::append(&tx, at, account, &fact).await?;
                Ok(())
            })
            .await
    }
}
