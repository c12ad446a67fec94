//! What of this slice can wait for a second operator (R6.13): write-offs and credit notes.

use std::sync::Arc;

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
    vec![Arc::new(WritingOff), Arc::new(Crediting)]
}

struct WritingOff;

#[async_trait::async_trait]
impl Act for WritingOff {
    fn kind(&self) -> &'static str {
        WRITE_OFF_DEBT
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
        let asked: WriteOffDebtRequest = read(approval)?;
        let (account, id) = convert::collection::write_off(&asked).map_err(Error::from)?;
        pay::write_off(tx, at, call, account, id).await?;
        Ok(debt_name(account, id))
    }
}

struct Crediting;

#[async_trait::async_trait]
impl Act for Crediting {
    fn kind(&self) -> &'static str {
        CREATE_CREDIT_NOTE
    }

    fn role(&self) -> Role {
        Role::Finance
    }

    /// What is left of the invoice is decided now: notes may have been issued since it was asked for. The provider is
    /// asked for refunds by the reconcile job.
    async fn perform(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        approval: &Approval,
    ) -> Result<String, Status> {
        let asked: CreateCreditNoteRequest = read(approval)?;
        let new = convert::credit_note::creation(&asked).map_err(Error::from)?;
        Ok(correct::issue(tx, at, call, &new).await?.name())
    }
}

fn read<Asked: Message + Default>(approval: &Approval) -> Result<Asked, Error> {
    let asked = Asked::decode(approval.payload.as_slice()).map_err(CorruptRow::of("approval"));
    asked.map_err(|error| Error::Database(error.into()))
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
