//! Invoices and credit notes as documents (R8.6): HTML and plain text, in the language the customer had when they were
//! issued, with the seller's legal mentions.
//!
//! Always holds: made of what was issued and of its parties as they were then, and of nothing else: the same bytes
//! whenever a document is produced. What was paid since is not on it.

mod html;
mod sheet;
mod text;
mod words;

use florin_account::Parties;
use florin_settlement::{LotKind, Money};

use crate::domain::{credit_note::CreditNote, invoice::Invoice};

/// In what a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For a browser or a printer.
    Html,
    /// For mail, and for whoever reads nothing else.
    Text,
}

/// Cloud credit an invoice used: a prepayment that was taxed with an invoice of its own (R7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prepaid {
    /// How much.
    pub(crate) amount: Money,
    /// The number of the invoice it was bought with.
    pub(crate) purchase_invoice: String,
}

/// Everything the document of an invoice says.
#[derive(Clone, Debug)]
pub(crate) struct InvoiceSheet {
    pub(crate) invoice: Invoice,
    pub(crate) parties: Parties,
    /// What cloud credit it used, by purchase.
    pub(crate) prepaid: Vec<Prepaid>,
}

/// Everything the document of a credit note says.
#[derive(Clone, Debug)]
pub(crate) struct CreditNoteSheet {
    pub(crate) note: CreditNote,
    /// The invoice it corrects.
    pub(crate) invoice: Invoice,
    pub(crate) parties: Parties,
    /// What came back as credit, by kind.
    pub(crate) returned: Vec<(LotKind, Money)>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// What it is called as a file.
    pub(crate) file_name: String,
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// The document itself.
    pub(crate) content: Vec<u8>,
}

/// The document of an invoice.
pub(crate) fn invoice(sheet: &InvoiceSheet, format: Format) -> Document {
    written(&sheet.invoice.number, &sheet::of_invoice(sheet), format)
}

/// The document of a credit note.
pub(crate) fn credit_note(sheet: &CreditNoteSheet, format: Format) -> Document {
    written(&sheet.note.number, &sheet::of_credit_note(sheet), format)
}

fn written(number: &str, sheet: &sheet::Sheet, format: Format) -> Document {
    let (ending, content_type, content) = match format {
        Format::Html => ("html", "text/html; charset=utf-8", html::written(sheet)),
        Format::Text => ("txt", "text/plain; charset=utf-8", text::written(sheet)),
    };
    Document { file_name: format!("{number}.{ending}"), content_type, content: content.into_bytes() }
}
