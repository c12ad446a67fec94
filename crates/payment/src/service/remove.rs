//! A method goes: removed by the customer, and forgotten by the provider (R3.4).
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, first |
//! | what keeps a method | an open payment on it; of the last that can pay, a live project or a debt ([`MethodNeeds`](crate::MethodNeeds)) |
//! | who is the default then | the next in the customer's order, then the oldest that can pay, or nobody |
//! | when does the provider forget it | after the commit, with no transaction open; the reconcile job tries until it has |

use florin_platform::{
    audit,
    call::Call,
    db::{Reader, Tx},
    etag,
    id::AccountId,
    outbox,
};
use florin_settlement::Instant;

use super::{
    methods::Methods,
    names::{method_name, payment_name},
    query::{methods_valid, owned_method},
    record::Recorder,
};
use crate::{
    domain::{
        method::PaymentMethodId,
        watch::{Awaited, Watch},
    },
    error::Error,
    events::PaymentMethodRemoved,
    needs::NEEDS_MAX,
    provider::{Forget, MethodKey},
    store,
};

impl Methods {
    /// Removes a method; the provider is asked to forget it afterwards ([`Self::forget`]).
    pub(crate) async fn remove(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        (account, id): (AccountId, PaymentMethodId),
        seen: &str,
    ) -> Result<(), Error> {
        florin_account::lock(tx, &[account]).await?;
        let method = owned_method(tx, account, id).await?;
        let name = method_name(account, id);
        if !etag::allows(seen, &name, method.version) {
            return Err(Error::EtagMismatch(name));
        }
        let (state, could_pay) = (method.standing(), method.can_pay());
        let was_unfinished = method.is_unfinished();
        let Some(canceled) = method.canceled(at) else { return Err(Error::MethodNotValid { state }) };
        if let Some(open) = store::payment::open_on(tx, account, id).await? {
            return Err(Error::InProgress { payment: payment_name(account, open.id) });
        }
        if could_pay {
            self.check_not_needed(tx, account, id).await?;
        }
        store::method::save(tx, &canceled).await?;
        store::forgetting::insert(tx, account, id, Watch::begin(Awaited::Answer, at)).await?;
        audit::record(tx, at, call, account, &name).await?;
        outbox::append(tx, at, account, &PaymentMethodRemoved { payment_method: name }).await?;
        let recorder = Recorder { tx, at, call, outcomes: &*self.outcomes };
        recorder.leave_default(account, id).await?;
        if was_unfinished {
            let told = self.outcomes.method_refused(tx, at, call, account, id).await;
            told.map_err(Error::Outcome)?;
        }
        Ok(())
    }

    /// The last method that can pay stays while something needs it.
    async fn check_not_needed(&self, tx: &Tx, account: AccountId, id: PaymentMethodId) -> Result<(), Error> {
        if methods_valid(tx, account).await?.iter().any(|method| method.id != id) {
            return Ok(());
        }
        let mut by = self.needs.needed_by(Reader::Within(tx), account).await.map_err(Error::Outcome)?;
        by.truncate(NEEDS_MAX);
        if by.is_empty() { Ok(()) } else { Err(Error::MethodNeeded { by }) }
    }

    /// Has the provider forget a removed or replaced method, if it is still to. Call it with no transaction open.
    /// While a payment on it is open, it is not forgotten yet.
    ///
    /// # Errors
    /// [`Error::ProviderUnavailable`] if no answer came; the reconcile job asks again.
    pub(crate) async fn forget(&self, account: AccountId, id: PaymentMethodId) -> Result<(), Error> {
        let reader = self.platform.db.reader();
        if store::forgetting::find(reader, account, id).await?.is_none() {
            return Ok(());
        }
        if store::payment::open_on(reader, account, id).await?.is_some() {
            return self.forget_later(account, id).await;
        }
        let method = owned_method(reader, account, id).await?;
        let forget = Forget { key: MethodKey { account, method: id }, reference: method.provider_reference };
        match self.provider.forget(&forget).await {
            Ok(()) => {
                self.platform
                    .db
                    .write(|tx| async move { store::forgetting::done(&tx, account, id).await })
                    .await?;
                Ok(())
            }
            Err(unknown) => {
                self.forget_later(account, id).await?;
                Err(Error::ProviderUnavailable(unknown))
            }
        }
    }

    /// Puts off what the provider is to forget.
    pub(crate) async fn forget_later(&self, account: AccountId, id: PaymentMethodId) -> Result<(), Error> {
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                let Some(watch) = store::forgetting::find(&tx, account, id).await? else { return Ok(()) };
                store::forgetting::save(&tx, account, id, watch.looked(Awaited::Answer, at)).await?;
                Ok(())
            })
            .await
    }
}
