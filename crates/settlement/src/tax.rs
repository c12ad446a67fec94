//! The VAT category of a line.
//!
//! Owns: the categories Florin invoices under and their place on an invoice.
//! Always holds: every category has the code of EN 16931 (UNTDID 5305).
//! Refuses to know: which category applies to whom (R8.4). That is the caller's data.

use crate::UnknownName;

/// A VAT category (R8.4), in the order in which lines stand on an invoice (R7.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaxCategory {
    /// `S`: taxed at the line's rate.
    Standard,
    /// `Z`: taxed at nought.
    ZeroRated,
    /// `E`: exempt.
    Exempt,
    /// `AE`: the customer accounts for the tax.
    ReverseCharge,
    /// `O`: outside the scope of the tax.
    OutOfScope,
}

/// The order of categories on an invoice (R7.5).
const INVOICE_ORDER: [TaxCategory; 5] = [
    TaxCategory::Standard,
    TaxCategory::ZeroRated,
    TaxCategory::Exempt,
    TaxCategory::ReverseCharge,
    TaxCategory::OutOfScope,
];

impl TaxCategory {
    /// The code of EN 16931.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "S",
            Self::ZeroRated => "Z",
            Self::Exempt => "E",
            Self::ReverseCharge => "AE",
            Self::OutOfScope => "O",
        }
    }

    /// Reads a code.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn parse(code: &str) -> Result<Self, UnknownName> {
        INVOICE_ORDER
            .into_iter()
            .find(|category| category.as_str() == code)
            .ok_or(UnknownName("VAT category"))
    }

    /// The place among the categories of an invoice, the first being 0.
    pub(crate) const fn place(self) -> u8 {
        match self {
            Self::Standard => 0,
            Self::ZeroRated => 1,
            Self::Exempt => 2,
            Self::ReverseCharge => 3,
            Self::OutOfScope => 4,
        }
    }

    /// Whether tax may be charged at all under this category.
    pub(crate) const fn is_taxed(self) -> bool {
        match self {
            Self::Standard => true,
            Self::ZeroRated | Self::Exempt | Self::ReverseCharge | Self::OutOfScope => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_reads_back_and_stands_in_its_place() {
        for (place, category) in (0_u8..).zip(INVOICE_ORDER) {
            assert_eq!(TaxCategory::parse(category.as_str()), Ok(category));
            assert_eq!(category.place(), place);
        }
        assert!(TaxCategory::parse("s").is_err());
    }
}
