//! The tax status of an account on the wire.

use florin_api::{
    account::v1::{self as wire, TaxCategory as WireTaxCategory, country_evidence, vat_number_standing},
    google::r#type::Decimal,
};
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{account_name, parse_account, timestamp},
};
use florin_settlement::TaxCategory;

use crate::{
    domain::{
        evidence::{CountryEvidence, EvidenceKind},
        vat_number::{VatCheck, VatNumberStanding, VatNumberState},
    },
    service::tax_status::TaxStatus,
};

const LAST_SEGMENT: &str = "/taxStatus";

/// Reads the name of a tax status: whose.
pub(crate) fn name(name: &str) -> Result<AccountId, Violations> {
    name.strip_suffix(LAST_SEGMENT)
        .and_then(|account| parse_account(account).ok())
        .ok_or_else(|| Violations::one("name", "is not a name of the form accounts/…/taxStatus"))
}

/// Renders how an account is taxed, and why.
pub(crate) fn tax_status(status: &TaxStatus) -> wire::TaxStatus {
    wire::TaxStatus {
        name: format!("{}{LAST_SEGMENT}", account_name(status.account)),
        tax_category: tax_category(status.treatment.category).into(),
        tax_rate: Some(Decimal { value: status.treatment.rate.to_string() }),
        tax_mention: status.treatment.mention.unwrap_or_default().to_owned(),
        vat_number_standings: status.standings.iter().map(standing).collect(),
        vat_checks: status.checks.iter().map(check).collect(),
        next_check_time: status.next_check.map(timestamp),
        country_evidence: status.evidence.iter().map(evidence).collect(),
        country_proven: status.country_proven,
    }
}

fn standing(standing: &VatNumberStanding) -> wire::VatNumberStanding {
    let state = match standing.state {
        VatNumberState::Claimed => vat_number_standing::State::Claimed,
        VatNumberState::Confirmed => vat_number_standing::State::Confirmed,
        VatNumberState::Refused => vat_number_standing::State::Refused,
        VatNumberState::Withdrawn => vat_number_standing::State::Withdrawn,
    };
    wire::VatNumberStanding {
        vat_number: standing.number.clone(),
        state: state.into(),
        effective_time: Some(timestamp(standing.effective)),
    }
}

fn check(check: &VatCheck) -> wire::VatCheck {
    wire::VatCheck {
        vat_number: check.number.clone(),
        registry: check.registry.clone(),
        registered: check.registered,
        consultation: check.consultation.clone(),
        check_time: Some(timestamp(check.checked)),
    }
}

fn evidence(evidence: &CountryEvidence) -> wire::CountryEvidence {
    let kind = match evidence.kind {
        EvidenceKind::BillingAddress => country_evidence::Kind::BillingAddress,
        EvidenceKind::PaymentMethod => country_evidence::Kind::PaymentMethod,
    };
    wire::CountryEvidence {
        kind: kind.into(),
        country: evidence.country.clone(),
        source: evidence.source.clone(),
        record_time: Some(timestamp(evidence.recorded)),
    }
}

/// Renders a VAT category.
#[must_use]
pub fn tax_category(category: TaxCategory) -> WireTaxCategory {
    match category {
        TaxCategory::Standard => WireTaxCategory::Standard,
        TaxCategory::ReverseCharge => WireTaxCategory::ReverseCharge,
        TaxCategory::OutOfScope => WireTaxCategory::OutOfScope,
        // No treatment gives these (R8.4); the wire has no word for them.
        TaxCategory::ZeroRated | TaxCategory::Exempt => WireTaxCategory::Unspecified,
    }
}
