//! What a customer may change about a method: its label, and its place among the fallbacks (R9.1).

use florin_platform::{audit, call::Call, db::Tx, etag, id::AccountId};
use florin_settlement::Instant;

use super::{
    methods::Methods,
    names::method_name,
    query::{Shown, default_id, owned_method},
};
use crate::{
    domain::method::{PaymentMethod, PaymentMethodId},
    error::Error,
    store,
};

/// What to change; what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) label: Option<String>,
    /// The new place; the inner `None` takes it out of the fallbacks.
    pub(crate) fallback_order: Option<Option<u32>>,
    pub(crate) etag: String,
}

impl Methods {
    /// Changes a method; a call that changes nothing writes nothing.
    pub(crate) async fn update(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        (account, id): (AccountId, PaymentMethodId),
        edit: &Edit,
    ) -> Result<Shown, Error> {
        florin_account::lock(tx, &[account]).await?;
        let before = owned_method(tx, account, id).await?;
        let name = method_name(account, id);
        if !etag::allows(&edit.etag, &name, before.version) {
            return Err(Error::EtagMismatch(name));
        }
        let label = edit.label.clone().unwrap_or_else(|| before.label.clone());
        let fallback_order = edit.fallback_order.unwrap_or(before.fallback_order);
        let is_default = default_id(tx, account).await? == Some(id);
        if label == before.label && fallback_order == before.fallback_order {
            return Ok(Shown { method: before, is_default });
        }
        let method = PaymentMethod { label, fallback_order, ..before.touched(at) };
        store::method::save(tx, &method).await?;
        audit::record(tx, at, call, account, &name).await?;
        Ok(Shown { method, is_default })
    }
}
