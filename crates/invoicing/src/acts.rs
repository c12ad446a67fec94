//! What of this slice can wait for a second operator (R6.13): write-offs and credit notes.

use std::{marker::PhantomData, sync::Arc};

use florin_api::invoicing::v1::{CreateCreditNoteRequest, WriteOffDebtRequest};
use florin_platform::{
    approval::{Act, Approval},
    call::{Call, Role},
    column::CorruptRow,
    db::Tx,
};
use florin_settlement::Instant;
use prost::Message;
use tonic::Status;

use crate::{
    convert,
    error::Error,
    service::{correct, debt_name, pay},
};

/// The request a write-off is asked for with.
pub(crate) const WRITE_OFF_DEBT: &str = "florin.invoicing.v1.WriteOffDebtRequest";

/// The request a credit note is asked for with.
pub(crate) const CREATE_CREDIT_NOTE: &str = "florin.invoicing.v1.CreateCreditNoteRequest";

/// The acts of this slice.
#[must_use]
pub fn acts() -> Vec<Arc<dyn Act>> {
    vec![Arc::new(Asked::<WriteOffDebtRequest>::NEW), Arc::new(Asked::<CreateCreditNoteRequest>::NEW)]
}

/// A request of finance that takes effect once a second operator has approved it.
#[async_trait::async_trait]
trait Deferred: Message + Default {
    const KIND: &'static str;

    /// Does what was asked for; the name of what it made or changed.
    async fn take_effect(&self, tx: &Tx, at: Instant, call: &Call) -> Result<String, Error>;
}

#[async_trait::async_trait]
impl Deferred for WriteOffDebtRequest {
    const KIND: &'static str = WRITE_OFF_DEBT;

    async fn take_effect(&self, tx: &Tx, at: Instant, call: &Call) -> Result<String, Error> {
        let (account, id) = convert::collection::write_off(self)?;
        pay::write_off(tx, at, call, account, id).await?;
        Ok(debt_name(account, id))
    }
}

#[async_trait::async_trait]
impl Deferred for CreateCreditNoteRequest {
    const KIND: &'static str = CREATE_CREDIT_NOTE;

    /// What is left of the invoice is decided now: notes may have been issued since it was asked for. The provider is
    /// asked for refunds by the reconcile job.
    async fn take_effect(&self, tx: &Tx, at: Instant, call: &Call) -> Result<String, Error> {
        let new = convert::credit_note::creation(self)?;
        Ok(correct::issue(tx, at, call, &new).await?.name())
    }
}

/// The act of a kind of request.
struct Asked<Request>(PhantomData<Request>);

impl<Request> Asked<Request> {
    const NEW: Self = Self(PhantomData);
}

#[async_trait::async_trait]
impl<Request: Deferred> Act for Asked<Request> {
    fn kind(&self) -> &'static str {
        Request::KIND
    }

    fn role(&self) -> Role {
        Role::Finance
    }

    async fn perform(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        approval: &Approval,
    ) -> Result<String, Status> {
        let asked = Request::decode(approval.payload.as_slice()).map_err(CorruptRow::of("approval"));
        let asked = asked.map_err(|error| Error::Database(error.into()))?;
        Ok(asked.take_effect(tx, at, call).await?)
    }
}

#[cfg(test)]
mod tests {
    use prost::Name;

    use super::*;

    #[test]
    fn an_act_is_found_by_the_name_of_its_request() {
        assert_eq!(WriteOffDebtRequest::full_name(), WRITE_OFF_DEBT);
        assert_eq!(CreateCreditNoteRequest::full_name(), CREATE_CREDIT_NOTE);
    }
}
