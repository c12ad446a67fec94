//! Printable documents on the wire.

use florin_api::invoicing::v1::{self as wire, invoice_document::Format as WireFormat};
use florin_platform::{id::AccountId, violation::Violations, wire::parse_child};

use crate::{
    documents::{Document, Format},
    domain::{
        credit_note::{CREDIT_NOTES, CreditNoteId},
        invoice::{INVOICES, InvoiceId},
    },
};

/// Reads which invoice is wanted in which format.
pub(crate) fn of_invoice(
    request: &wire::GetInvoiceDocumentRequest,
) -> Result<((AccountId, InvoiceId), Format), Violations> {
    let mut violations = Violations::new();
    let name = violations.take("name", parse_child(INVOICES, &request.name));
    let format = format(&mut violations, request.format());
    violations.finish_with(name.zip(format))
}

/// Reads which credit note is wanted in which format.
pub(crate) fn of_credit_note(
    request: &wire::GetCreditNoteDocumentRequest,
) -> Result<((AccountId, CreditNoteId), Format), Violations> {
    let mut violations = Violations::new();
    let name = violations.take("name", parse_child(CREDIT_NOTES, &request.name));
    let format = format(&mut violations, request.format());
    violations.finish_with(name.zip(format))
}

fn format(violations: &mut Violations, format: WireFormat) -> Option<Format> {
    match format {
        WireFormat::Html => Some(Format::Html),
        WireFormat::Text => Some(Format::Text),
        WireFormat::Unspecified => {
            violations.add("format", "must be a format");
            None
        }
    }
}

/// Renders a document.
pub(crate) fn document(document: Document) -> wire::InvoiceDocument {
    wire::InvoiceDocument {
        file_name: document.file_name,
        content_type: document.content_type.to_owned(),
        content: document.content,
    }
}
