//! Plans on the wire.

use florin_api::project::v1 as wire;
use florin_platform::{
    violation::Violations,
    wire::{account_name, decimal, timestamp},
};
use florin_settlement::PlanFamily;

use super::catalogue::plan_etag;
use crate::{
    domain::{
        plan::{ChargeModel, PlanCode, PriceVersion, PricedPlan, Timing},
        tariff::{OwnPrice, own_at},
    },
    service::catalogue::{Display, Shown},
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
pub(crate) fn plan(priced: &PricedPlan, display: &Display) -> wire::Plan {
    let plan = &priced.plan;
    let (prices, current_price) = match display {
        Display::EveryCurrency => (priced.versions().map(|version| price(version, display)).collect(), None),
        Display::ForOne(shown) => for_one(priced, shown, display),
    };
    wire::Plan {
        name: plan_name(plan.code.as_str()),
        display_name: plan.display_name.clone(),
        family: wire_family(plan.family).into(),
        charge_model: wire_model(plan.model).into(),
        unit: plan.unit.to_string(),
        prices,
        retire_time: plan.retired.map(timestamp),
        charge_timing: match plan.timing {
            Timing::Arrears => wire::plan::ChargeTiming::Arrears.into(),
            Timing::Advance => wire::plan::ChargeTiming::Advance.into(),
        },
        current_price,
        etag: plan_etag(plan),
    }
}

/// The list and what was negotiated, and which of them is in force.
fn for_one(
    priced: &PricedPlan,
    shown: &Shown,
    display: &Display,
) -> (Vec<wire::PriceVersion>, Option<wire::PriceVersion>) {
    let listed = priced.versions_in(shown.currency).iter().map(|version| price(*version, display));
    let own: &[OwnPrice] =
        shown.own.as_ref().and_then(|(_, own)| own.get(&priced.plan.code)).map_or(&[], Vec::as_slice);
    let negotiated = |own: OwnPrice| {
        let version = PriceVersion { price: own.price, monthly: own.monthly, effective: own.effective };
        let account = shown.own.as_ref().map(|(account, _)| account_name(*account)).unwrap_or_default();
        wire::PriceVersion { account, end_time: own.ends.map(timestamp), ..price(version, display) }
    };
    let current = own_at(own, shown.at)
        .map(negotiated)
        .or_else(|| priced.version_at(shown.currency, shown.at).map(|version| price(version, display)));
    (listed.chain(own.iter().copied().map(negotiated)).collect(), current)
}

/// Renders a price version.
pub(crate) fn price(version: PriceVersion, display: &Display) -> wire::PriceVersion {
    let incl_tax = match display {
        Display::EveryCurrency => None,
        Display::ForOne(shown) => version.amount_incl_tax(shown.rate),
    };
    wire::PriceVersion {
        currency_code: version.price.currency().code().to_owned(),
        unit_price: Some(decimal(version.price.amount())),
        unit_price_incl_tax: incl_tax.map(decimal),
        effective_time: Some(timestamp(version.effective)),
        monthly_price: version.monthly.map(|monthly| decimal(monthly.amount())),
        account: String::new(),
        end_time: None,
    }
}

fn wire_model(model: ChargeModel) -> wire::plan::ChargeModel {
    match model {
        ChargeModel::Hourly => wire::plan::ChargeModel::Hourly,
        ChargeModel::Monthly => wire::plan::ChargeModel::Monthly,
        ChargeModel::Metered => wire::plan::ChargeModel::Metered,
    }
}
