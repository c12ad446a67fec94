//! Registering methods and choosing the default one (R3.2, R3.4). Registration talks to the provider in
//! the same three steps as a payment.

use std::sync::Arc;

use florin_account::AccountState;
use florin_platform::{
    Platform, audit, call::Call, db::Tx, etag, id::AccountId, outbox, violation::Violations,
};
use florin_settlement::Instant;

use super::{
    limits::check_registrations,
    names::method_name,
    query::{Shown, default_id, offers, owned_account, owned_method},
    record::Recorder,
};
use crate::{
    domain::method::{
        MethodKind, MethodState, NOTICE_DAYS_DEFAULT, PaymentMethod, PaymentMethodId, Registration,
    },
    error::Error,
    events::PaymentMethodCreated,
    needs::MethodNeeds,
    outcomes::Outcomes,
    provider::{Provider, ProviderUnknown, Register},
    store,
};

/// A method to register.
#[derive(Clone, Debug)]
pub(crate) struct NewMethod {
    pub(crate) account: AccountId,
    pub(crate) kind: MethodKind,
    pub(crate) label: String,
    pub(crate) fallback_order: Option<u32>,
    pub(crate) token: String,
    pub(crate) replaces: Option<PaymentMethodId>,
}

/// Payment methods at one provider, told to one [`Outcomes`].
#[derive(Clone)]
pub struct Methods {
    pub(crate) platform: Platform,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) outcomes: Arc<dyn Outcomes>,
    pub(crate) needs: Arc<dyn MethodNeeds>,
    notice_days: u32,
}

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Methods").field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl Methods {
    /// Methods kept in `platform`, registered at `provider`, told to `outcomes`; `needs` says what keeps the last
    /// one from being removed.
    #[must_use]
    pub fn new(
        platform: Platform,
        provider: Arc<dyn Provider>,
        outcomes: Arc<dyn Outcomes>,
        needs: Arc<dyn MethodNeeds>,
    ) -> Self {
        Self { platform, provider, outcomes, needs, notice_days: NOTICE_DAYS_DEFAULT }
    }

    /// The same, with mandates that agree on so many days between notice and debit (R3.6).
    #[must_use]
    pub fn with_notice_days(self, notice_days: u32) -> Self {
        Self { notice_days, ..self }
    }

    /// Stores a method about to be registered. `recognised` is what the provider said its token is.
    pub(crate) async fn create(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        new: NewMethod,
        recognised: Result<Option<MethodKind>, ProviderUnknown>,
    ) -> Result<PaymentMethodId, Error> {
        florin_account::lock(tx, &[new.account]).await?;
        let account = owned_account(tx, new.account).await?;
        if account.state != AccountState::Active {
            return Err(Error::AccountNotActive { state: account.state.as_str() });
        }
        let offers = offers(tx, &account, self.provider.capabilities().kinds).await?;
        let offer =
            offers.iter().find(|offer| offer.kind == new.kind).ok_or(Error::KindNotOffered(new.kind))?;
        if !offer.available {
            return Err(Error::FirstPaymentNeedsCard);
        }
        check_registrations(tx, new.account, at).await?;
        match recognised.map_err(Error::ProviderUnavailable)? {
            None => return Err(Error::TokenInvalid),
            Some(kind) if kind != new.kind => {
                return Err(
                    Violations::one("payment_method.kind", format!("the token is of a {kind}")).into()
                );
            }
            Some(_) => {}
        }
        if let Some(before) = new.replaces {
            check_replaceable(tx, new.account, before, at).await?;
        }
        let method = PaymentMethod {
            fallback_order: new.fallback_order,
            replaces: new.replaces,
            notice_days: self.notice_days,
            ..PaymentMethod::creating(new.account, new.kind, new.label, new.token, at)
        };
        store::method::insert(tx, &method).await?;
        let payment_method = method_name(method.account, method.id);
        audit::record(tx, at, call, method.account, &payment_method).await?;
        outbox::append(tx, at, method.account, &PaymentMethodCreated { payment_method }).await?;
        Ok(method.id)
    }

    /// Takes a registration as far as it goes now. Call it with no transaction open.
    ///
    /// # Errors
    /// [`Error::ProviderUnavailable`] if no answer came; the reconcile job asks again.
    pub async fn drive(
        &self,
        call: &Call,
        account: AccountId,
        id: PaymentMethodId,
    ) -> Result<PaymentMethod, Error> {
        let method = owned_method(self.platform.db.reader(), account, id).await?;
        let answer = match &method.state {
            MethodState::Creating(watch) if watch.looks == 0 => {
                self.provider.register(&Register::of(&method)).await
            }
            MethodState::Creating(_) => match self.known(&method).await {
                Ok(None) => self.provider.register(&Register::of(&method)).await,
                Ok(Some(registration)) => Ok(registration),
                Err(unknown) => Err(unknown),
            },
            MethodState::Validating { .. } => self
                .known(&method)
                .await
                .and_then(|known| known.ok_or_else(|| ProviderUnknown::new("the method is not known there"))),
            MethodState::Valid
            | MethodState::Failed { .. }
            | MethodState::Rejected { .. }
            | MethodState::Expired
            | MethodState::Replaced
            | MethodState::Canceled => return Ok(method),
        };
        let method = self.record(call, account, id, &answer).await?;
        answer.map(|_| method).map_err(Error::ProviderUnavailable)
    }

    /// Looks at a method because of a notice of the provider: as [`Self::drive`], and what was VALID may have
    /// been renewed or revoked since. Call it with no transaction open.
    ///
    /// # Errors
    /// [`Error::ProviderUnavailable`] if no answer came: the provider is to deliver the notice again.
    pub async fn noticed(
        &self,
        call: &Call,
        account: AccountId,
        id: PaymentMethodId,
    ) -> Result<PaymentMethod, Error> {
        let method = owned_method(self.platform.db.reader(), account, id).await?;
        if method.state != MethodState::Valid {
            return self.drive(call, account, id).await;
        }
        match self.known(&method).await.map_err(Error::ProviderUnavailable)? {
            Some(registration) => self.record(call, account, id, &Ok(registration)).await,
            None => Ok(method),
        }
    }

    async fn known(&self, method: &PaymentMethod) -> Result<Option<Registration>, ProviderUnknown> {
        self.provider.registration(&Register::of(method), method.provider_reference.as_deref()).await
    }

    async fn record(
        &self,
        call: &Call,
        account: AccountId,
        id: PaymentMethodId,
        answer: &Result<Registration, ProviderUnknown>,
    ) -> Result<PaymentMethod, Error> {
        self.platform
            .db
            .write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                let method = owned_method(&tx, account, id).await?;
                match answer {
                    Ok(registration) => {
                        let recorder = Recorder { tx: &tx, at, call, outcomes: &*self.outcomes };
                        recorder.method(method, registration.clone()).await
                    }
                    Err(_) => {
                        let method = method.unanswered(at);
                        store::method::save(&tx, &method).await?;
                        Ok(method)
                    }
                }
            })
            .await
    }

    /// Puts off an unfinished method whose outcome could not be recorded.
    pub(crate) async fn put_off(&self, account: AccountId, id: PaymentMethodId) -> Result<(), Error> {
        let nothing = Err(ProviderUnknown::new("the outcome could not be recorded"));
        self.record(&Call::by_job(crate::jobs::NAME), account, id, &nothing).await.map(|_| ())
    }

    /// Makes a VALID method the default; the one before no longer is (R3.4).
    pub(crate) async fn set_default(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        (account, id): (AccountId, PaymentMethodId),
        seen: &str,
    ) -> Result<Shown, Error> {
        florin_account::lock(tx, &[account]).await?;
        let method = owned_method(tx, account, id).await?;
        let name = method_name(account, id);
        if !etag::allows(seen, &name, method.version) {
            return Err(Error::EtagMismatch(name));
        }
        if !method.can_pay() {
            return Err(Error::MethodNotValid { state: method.standing() });
        }
        let before = default_id(tx, account).await?;
        if before == Some(id) {
            return Ok(Shown { method, is_default: true });
        }
        if let Some(before) = before {
            store::method::save(tx, &owned_method(tx, account, before).await?.touched(at)).await?;
        }
        let method = method.touched(at);
        store::method::save(tx, &method).await?;
        Recorder { tx, at, call, outcomes: &*self.outcomes }.make_default(&method).await?;
        audit::record(tx, at, call, account, &name).await?;
        Ok(Shown { method, is_default: true })
    }
}

/// What a new method may take the place of: what is VALID or EXPIRED.
async fn check_replaceable(
    tx: &Tx,
    account: AccountId,
    before: PaymentMethodId,
    at: Instant,
) -> Result<(), Error> {
    let before = owned_method(tx, account, before).await?;
    let state = before.standing();
    before.replaced(at).map(|_| ()).ok_or(Error::MethodNotValid { state })
}
