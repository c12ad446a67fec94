//! Cards whose date is over can no longer pay (R3.2); the oldest VALID method left becomes the default.

use florin_platform::{audit, call::Call, id::AccountId, outbox, wire::account_name};

use super::{
    methods::Methods,
    names::method_name,
    query::{default_id, methods_valid, owned_method},
    record::Recorder,
};
use crate::{
    domain::method::PaymentMethodId,
    error::Error,
    events::{DefaultPaymentMethodChanged, PaymentMethodExpired},
    store,
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
                let payment_method = method_name(account, id);
                audit::record(&tx, at, call, account, &payment_method).await?;
                outbox::append(&tx, at, account, &PaymentMethodExpired { payment_method }).await?;
                if default_id(&tx, account).await? != Some(id) {
                    return Ok(());
                }
                match methods_valid(&tx, account).await?.first() {
                    Some(next) => {
                        store::method::save(&tx, &next.clone().touched(at)).await?;
                        Recorder { tx: &tx, at, call, outcomes: &*self.outcomes }.make_default(next).await?;
                    }
                    None => {
                        store::method::clear_default(&tx, account).await?;
                        let account_name = account_name(account);
                        let fact = DefaultPaymentMethodChanged {
                            account: account_name,
                            payment_method: String::new(),
                        };
                        outbox::append(&tx, at, account, &fact).await?;
                    }
                }
                Ok(())
            })
            .await
    }
}
