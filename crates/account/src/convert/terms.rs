//! Terms documents on the wire.

use florin_api::account::v1 as wire;
use florin_platform::{violation::Violations, wire::timestamp};

use super::issuer::is_id;
use crate::{domain::terms::TermsStanding, service::terms::document_name};

/// The most documents one request may accept.
const DOCUMENTS_MAX: usize = 100;

/// Reads the names of the documents to accept.
pub(crate) fn documents(request: &wire::AcceptTermsRequest) -> Result<&[String], Violations> {
    let names = request.terms_documents.as_slice();
    if !(1..=DOCUMENTS_MAX).contains(&names.len()) {
        return Err(Violations::one("terms_documents", format!("name 1 to {DOCUMENTS_MAX} documents")));
    }
    let mut violations = Violations::new();
    for (n, name) in names.iter().enumerate() {
        let rule = "is not a name of the form issuers/…/terms/…";
        violations.check(&format!("terms_documents[{n}]"), is_document_name(name), rule);
    }
    violations.finish().map(|()| names)
}

fn is_document_name(name: &str) -> bool {
    let parts = name.strip_prefix("issuers/").and_then(|rest| rest.split_once("/terms/"));
    parts.is_some_and(|(issuer, version)| is_id(issuer) && version.parse::<i64>().is_ok())
}

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
