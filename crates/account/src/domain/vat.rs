//! VAT by issuer, customer and day (R8.4): which category, which rate, which legal mention.

use florin_settlement::{TaxCategory, TaxRate};

use super::{account::Profile, issuer::Issuer};

/// How a supply to a customer is taxed on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// EN 16931 category.
    pub category: TaxCategory,
    /// In percent; zero outside the standard category.
    pub rate: TaxRate,
    /// What the document has to say, if anything.
    pub mention: Option<&'static str>,
}

/// Where the customer is, seen from the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The issuer's own country.
    Domestic,
    /// Another member state of the EU, and the issuer is in the EU too.
    OtherEu,
    /// Anywhere else.
    Outside,
}

const REVERSE_CHARGE: &str =
    "Reverse charge: VAT to be accounted for by the recipient (Art. 196, Directive 2006/112/EC)";
const OUT_OF_SCOPE: &str = "Outside the scope of VAT: place of supply outside the European Union";

impl Place {
    /// Where a customer in `customer_in_eu` country is, for `issuer`.
    #[must_use]
    pub(crate) fn of(
        issuer: &Issuer,
        issuer_in_eu: bool,
        customer_country: &str,
        customer_in_eu: bool,
    ) -> Self {
        if issuer.country == customer_country {
            Self::Domestic
        } else if issuer_in_eu && customer_in_eu {
            Self::OtherEu
        } else {
            Self::Outside
        }
    }
}

/// The treatment of a customer at `place`. `rate` is the rate in force on the day in the country whose
/// VAT applies; `confirmed` says whether the VAT number was confirmed through a validation port.
#[must_use]
pub(crate) fn treatment(place: Place, profile: &Profile, confirmed: bool, rate: TaxRate) -> Treatment {
    let zero = TaxRate::ZERO;
    match place {
        Place::Domestic => Treatment { category: TaxCategory::Standard, rate, mention: None },
        Place::OtherEu if confirmed && profile.vat_number.is_some() => {
            Treatment { category: TaxCategory::ReverseCharge, rate: zero, mention: Some(REVERSE_CHARGE) }
        }
        Place::OtherEu => Treatment { category: TaxCategory::Standard, rate, mention: None },
        Place::Outside => {
            Treatment { category: TaxCategory::OutOfScope, rate: zero, mention: Some(OUT_OF_SCOPE) }
        }
    }
}

/// Whether a VAT number is well-formed; EU numbers also by their check digits.
#[must_use]
pub(crate) fn is_valid_number(number: &str) -> bool {
    let checked = vat_id_validator::check_vat(number);
    checked.is_valid || !checked.is_supported_country
}
