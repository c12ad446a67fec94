//! Plans on the wire.

use florin_api::project::v1 as wire;
use florin_platform::{
    violation::Violations,
    wire::{decimal, timestamp},
};
use florin_settlement::PlanFamily;

use crate::{
    domain::plan::{ChargeModel, PlanCode, PriceVersion, PricedPlan},
    service::catalogue::Display,
};

/// `plans/{plan}`.
pub(crate) fn plan_name(code: &str) -> String {
    format!("plans/{code}")
}

/// Reads `plans/{plan}` in `field`.
pub(crate) fn code(field: &str, name: &str) -> Result<PlanCode, Violations> {
    let code = name.strip_prefix("plans/").and_then(|code| PlanCode::parse(code).ok());
    code.ok_or_else(|| Violations::one(field, "is not a name of the form plans/…"))
}

/// Reads `issuers/{issuer}` in `field`; empty for none.
pub(crate) fn issuer<'n>(field: &str, name: &'n str) -> Result<Option<&'n str>, Violations> {
    match name.strip_prefix("issuers/") {
        Some(id) if !id.is_empty() && !id.contains('/') => Ok(Some(id)),
        None if name.is_empty() => Ok(None),
        Some(_) | None => Err(Violations::one(field, "is not a name of the form issuers/…")),
    }
}

/// Reads families to filter by.
pub(crate) fn families(
    field: &str,
    given: impl Iterator<Item = wire::PlanFamily>,
) -> Result<Vec<PlanFamily>, Violations> {
    let mut violations = Violations::new();
    let mut families = Vec::new();
    for (index, family) in super::project::few(field, given, &mut violations) {
        match family {
            wire::PlanFamily::Unspecified => violations.add(format!("{field}[{index}]"), "is not a family"),
            wire::PlanFamily::Instance => families.push(PlanFamily::Instance),
            wire::PlanFamily::Storage => families.push(PlanFamily::Storage),
            wire::PlanFamily::Option => families.push(PlanFamily::Option),
        }
    }
    violations.finish().map(|()| families)
}

/// Renders a family.
pub(crate) fn wire_family(family: PlanFamily) -> wire::PlanFamily {
    match family {
        PlanFamily::Instance => wire::PlanFamily::Instance,
        PlanFamily::Storage => wire::PlanFamily::Storage,
        PlanFamily::Option => wire::PlanFamily::Option,
    }
}

/// Renders a plan with its prices as `display` says.
pub(crate) fn plan(priced: &PricedPlan, display: Display) -> wire::Plan {
    let plan = &priced.plan;
    let prices = match display {
        Display::EveryCurrency => priced.versions().map(|version| price(version, display)).collect(),
        Display::WithTax(currency, _) => {
            priced.versions_in(currency).iter().map(|version| price(*version, display)).collect()
        }
    };
    wire::Plan {
        name: plan_name(plan.code.as_str()),
        display_name: plan.display_name.clone(),
        family: wire_family(plan.family).into(),
        charge_model: wire_model(plan.model).into(),
        unit: plan.unit.to_string(),
        prices,
        retire_time: plan.retired.map(timestamp),
    }
}

fn price(version: PriceVersion, display: Display) -> wire::PriceVersion {
    let incl_tax = match display {
        Display::EveryCurrency => None,
        Display::WithTax(_, rate) => version.amount_incl_tax(rate),
    };
    wire::PriceVersion {
        currency_code: version.price.currency().code().to_owned(),
        unit_price: Some(decimal(version.price.amount())),
        unit_price_incl_tax: incl_tax.map(decimal),
        effective_time: Some(timestamp(version.effective)),
    }
}

fn wire_model(model: ChargeModel) -> wire::plan::ChargeModel {
    match model {
        ChargeModel::Hourly => wire::plan::ChargeModel::Hourly,
        ChargeModel::Monthly => wire::plan::ChargeModel::Monthly,
        ChargeModel::Metered => wire::plan::ChargeModel::Metered,
    }
}
