//! Accepting terms (R2.5).

use std::collections::BTreeSet;

use florin_platform::{audit, call::Call, db::Tx, id::AccountId, outbox, wire::account_name};
use florin_settlement::Instant;

use super::query::owned;
use crate::{
    domain::{
        account::AccountState,
        terms::{self as rules, TermsDocument, TermsStanding},
    },
    error::Error,
    events::TermsAccepted,
    store::{lock, terms},
};

/// `issuers/{issuer}/terms/{version}`.
pub fn document_name(document: &TermsDocument) -> String {
    format!("issuers/{}/terms/{}", document.issuer, document.version)
}

/// Accepts the named documents. Accepting one again changes nothing: the first acceptance stands.
pub(crate) async fn accept_terms(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: AccountId,
    names: &[String],
) -> Result<Vec<TermsStanding>, Error> {
    lock::take(tx, &[id]).await?;
    let account = owned(tx, id).await?;
    if account.state != AccountState::Active {
        return Err(Error::NotActive(account.state));
    }
    let standings = terms::standings(tx, &account).await?;
    let current = rules::current(&standings, at);
    let mut accepted: Vec<TermsStanding> = Vec::with_capacity(names.len());
    for name in names.iter().collect::<BTreeSet<_>>() {
        let named = current.filter(|current| document_name(&current.document) == *name);
        accepted.push(named.ok_or_else(|| Error::TermsUnknown(name.clone()))?.clone());
    }
    for standing in accepted.iter_mut().filter(|standing| standing.accepted.is_none()) {
        terms::accept(tx, id, &standing.document, &call.principal.to_string(), at).await?;
        standing.accepted = Some(at);
        let name = document_name(&standing.document);
        audit::record(tx, at, call, id, &name).await?;
        outbox::append(tx, at, id, &TermsAccepted { account: account_name(id), terms_document: name })
            .await?;
    }
    Ok(accepted)
}
