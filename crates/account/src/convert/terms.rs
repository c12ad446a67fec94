//! Terms documents on the wire.

use florin_api::account::v1 as wire;
use florin_platform::wire::timestamp;

use crate::{domain::terms::TermsStanding, service::terms::document_name};

/// Renders a document and its acceptance.
pub(crate) fn document(standing: &TermsStanding) -> wire::TermsDocument {
    let document = &standing.document;
    wire::TermsDocument {
        name: document_name(document),
        version: document.version.to_string(),
        title: document.title.clone(),
        text: document.body.clone(),
        effective_time: Some(timestamp(document.effective)),
        accept_time: standing.accepted.map(timestamp),
    }
}
