//! VAT by issuer, customer and day (R8.4): which category, which rate, which legal mention.

use florin_settlement::{TaxCategory, TaxRate};

use super::issuer::Issuer;

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
const NO_TAX: &str = "No VAT or sales tax is charged";

/// A country whose VAT applies has no rate on the day. That is never the same as a rate of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no VAT rate is in force")]
pub(crate) struct RateMissing;

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

/// The treatment of a customer at `place`. `rate` is the rate in force on the day in the customer's
/// country, if there is one; `confirmed` says whether a register confirmed their VAT number by then.
pub(crate) fn treatment(
    place: Place,
    confirmed: bool,
    rate: Option<TaxRate>,
) -> Result<Treatment, RateMissing> {
    let standard = |rate| Treatment { category: TaxCategory::Standard, rate, mention: None };
    match place {
        Place::Domestic => rate.ok_or(RateMissing).map(|rate| {
            // A country that has no VAT says so by a rate of zero.
            if rate.is_zero() { untaxed(TaxCategory::OutOfScope, NO_TAX) } else { standard(rate) }
        }),
        Place::OtherEu if confirmed => Ok(untaxed(TaxCategory::ReverseCharge, REVERSE_CHARGE)),
        Place::OtherEu => rate.ok_or(RateMissing).map(standard),
        Place::Outside => Ok(untaxed(TaxCategory::OutOfScope, OUT_OF_SCOPE)),
    }
}

fn untaxed(category: TaxCategory, mention: &'static str) -> Treatment {
    Treatment { category, rate: TaxRate::ZERO, mention: Some(mention) }
}

/// Whether a VAT number is well-formed; EU numbers also by their check digits.
#[must_use]
pub(crate) fn is_valid_number(number: &str) -> bool {
    let checked = vat_id_validator::check_vat(number);
    checked.is_valid || !checked.is_supported_country
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> TaxRate {
        TaxRate::parse(text).expect("a rate")
    }

    fn standard(text: &str) -> Result<Treatment, RateMissing> {
        Ok(Treatment { category: TaxCategory::Standard, rate: percent(text), mention: None })
    }

    #[test]
    fn a_domestic_customer_is_charged_the_domestic_rate_even_as_a_confirmed_business() {
        assert_eq!(treatment(Place::Domestic, true, Some(percent("20"))), standard("20"));
    }

    #[test]
    fn an_eu_consumer_is_charged_the_rate_of_their_own_country() {
        assert_eq!(treatment(Place::OtherEu, false, Some(percent("21"))), standard("21"));
    }

    #[test]
    fn an_eu_business_accounts_for_the_tax_once_its_number_is_confirmed() {
        let rate = Some(percent("21"));
        assert_eq!(treatment(Place::OtherEu, false, rate), standard("21"));
        let confirmed = Ok(untaxed(TaxCategory::ReverseCharge, REVERSE_CHARGE));
        assert_eq!(treatment(Place::OtherEu, true, rate), confirmed);
        assert_eq!(treatment(Place::OtherEu, true, None), confirmed);
    }

    #[test]
    fn a_customer_outside_is_outside_the_scope() {
        let outside = Ok(untaxed(TaxCategory::OutOfScope, OUT_OF_SCOPE));
        assert_eq!(treatment(Place::Outside, false, None), outside);
        assert_eq!(treatment(Place::Outside, false, Some(percent("8.1"))), outside);
    }

    #[test]
    fn a_country_without_vat_is_outside_the_scope_at_home_and_says_so() {
        let untaxed = Ok(untaxed(TaxCategory::OutOfScope, NO_TAX));
        assert_eq!(treatment(Place::Domestic, false, Some(TaxRate::ZERO)), untaxed);
    }

    #[test]
    fn a_missing_rate_is_never_read_as_zero() {
        assert_eq!(treatment(Place::Domestic, false, None), Err(RateMissing));
        assert_eq!(treatment(Place::OtherEu, false, None), Err(RateMissing));
    }
}
