//! Document numbers: gapless and strictly increasing per series and year (R8.3).

use florin_platform::id::AccountId;
use florin_settlement::{Instant, Month};

use uuid::Uuid;

use super::invoice::InvoiceKind;

/// Digits a number has at least.
const DIGITS: usize = 6;

/// A series of one issuer. Monthly invoices, those issued in between, and credit notes have series of their own; an
/// issuer may have several of each, of which an account belongs to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series(String);

impl Series {
    /// The series of invoices of `kind` of the issuer whose prefix is `prefix`, for accounts of its `ordinal`th, from
    /// 0: `FR`, `FR-P`; then `FR-2`, `FR-2-P`.
    #[must_use]
    pub(crate) fn of(prefix: &str, ordinal: u32, kind: InvoiceKind) -> Self {
        let front = front(prefix, ordinal);
        match kind {
            InvoiceKind::Monthly => Self(front),
            InvoiceKind::Purchase | InvoiceKind::ProRata | InvoiceKind::Final => Self(format!("{front}-P")),
        }
    }

    /// The series of credit notes: `FR-C`; then `FR-2-C`.
    #[must_use]
    pub(crate) fn of_credit_notes(prefix: &str, ordinal: u32) -> Self {
        Self(format!("{}-C", front(prefix, ordinal)))
    }

    /// Its text, the front of its numbers.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first series has the issuer's prefix alone.
fn front(prefix: &str, ordinal: u32) -> String {
    if ordinal == 0 { prefix.to_owned() } else { format!("{prefix}-{}", ordinal.saturating_add(1)) }
}

/// One number that was taken, and the earliest instant its document may be issued at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// Of which series.
    pub series: Series,
    /// Of which year.
    pub year: i32,
    /// From 1.
    pub number: i64,
}

impl Number {
    /// As printed: `FR-2027-000001`.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        digits(&format!("{}-{}", self.series.as_str(), self.year), self.number)
    }
}

/// A number behind the series and year it belongs to, as printed.
pub(crate) fn digits(series_and_year: &str, number: i64) -> String {
    format!("{series_and_year}-{number:0DIGITS$}")
}

/// A block of consecutive numbers, taken at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Of which series.
    pub series: Series,
    /// Of which year.
    pub year: i32,
    /// The first of them.
    pub first: i64,
    /// When their documents are issued: never before their predecessors (R8.3).
    pub issued: Instant,
}

impl Block {
    /// The numbers of the block, in order, without end: the caller took as many as it asked for.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = Number> {
        let (series, year) = (self.series.clone(), self.year);
        (self.first..).map(move |number| Number { series: series.clone(), year, number })
    }
}

/// The year in whose numbering a document of `at` stands.
#[must_use]
pub(crate) fn year_of(at: Instant) -> i32 {
    Month::of(at).year()
}

/// A number given to an invoice or credit note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    /// The number.
    pub number: Number,
    /// Whose document.
    pub account: AccountId,
    /// The id of the document.
    pub document: Uuid,
}
