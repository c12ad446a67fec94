//! Changes of the catalogue, from the wire and back.

use florin_api::{money::Decimal as WireDecimal, project::v1 as wire};
use florin_platform::{
    etag,
    id::AccountId,
    mask::Mask,
    violation::Violations,
    wire::{instant, parse_account, rate, timestamp},
};
use florin_settlement::{Currency, Instant, PlanFamily, UnitPrice, rounding};

use super::plan::{code, plan_name, price};
use crate::{
    domain::{
        catalogue_file::{Additions, Format, check_display_name},
        plan::{ChargeModel, Plan, PlanCode, PriceVersion, PricedPlan, Timing, Unit},
        tariff::OwnPrice,
    },
    service::{
        catalogue::Display,
        plans::{PriceAdded, PriceEnd, UPDATABLE},
    },
};

/// The most decimals of a unit price (R1.2).
const PRICE_SCALE_MAX: u32 = 10;
/// The most prices a new plan is given.
const PRICES_MAX: usize = 100;

/// Reads a CreatePlan request.
pub(crate) fn new_plan(request: &wire::CreatePlanRequest) -> Result<PricedPlan, Violations> {
    let mut violations = Violations::new();
    let code = violations.take("plan_id", PlanCode::parse(&request.plan_id));
    let Some(given) = &request.plan else {
        violations.add("plan", "is required");
        return violations.finish_with(None);
    };
    let display_name = given.display_name.trim().to_owned();
    check_display_name("plan.display_name", &display_name, &mut violations);
    let family = match given.family() {
        wire::PlanFamily::Instance => Some(PlanFamily::Instance),
        wire::PlanFamily::Storage => Some(PlanFamily::Storage),
        wire::PlanFamily::Option => Some(PlanFamily::Option),
        wire::PlanFamily::Unspecified => None,
    };
    violations.check("plan.family", family.is_some(), "is required");
    let model = match given.charge_model() {
        wire::plan::ChargeModel::Hourly => Some(ChargeModel::Hourly),
        wire::plan::ChargeModel::Monthly => Some(ChargeModel::Monthly),
        wire::plan::ChargeModel::Metered => Some(ChargeModel::Metered),
        wire::plan::ChargeModel::Unspecified => None,
    };
    violations.check("plan.charge_model", model.is_some(), "is required");
    let unit = model.and_then(|model| violations.take("plan.unit", Unit::parse(&given.unit, model)));
    let timing = match given.charge_timing() {
        wire::plan::ChargeTiming::Unspecified | wire::plan::ChargeTiming::Arrears => Timing::Arrears,
        wire::plan::ChargeTiming::Advance => Timing::Advance,
    };
    violations.check(
        "plan.charge_timing",
        timing == Timing::Arrears || model == Some(ChargeModel::Monthly),
        "only MONTHLY plans are charged in advance",
    );
    let versions = first_prices(&given.prices, model, &mut violations);
    let plan = code.zip(family).zip(model.zip(unit)).map(|((code, family), (model, unit))| Plan {
        code,
        display_name,
        family,
        model,
        unit,
        timing,
        retired: None,
        version: 1,
    });
    violations.finish_with(plan.map(|plan| PricedPlan::new(plan, versions)))
}

fn first_prices(
    given: &[wire::PriceVersion],
    model: Option<ChargeModel>,
    violations: &mut Violations,
) -> Vec<PriceVersion> {
    violations.check("plan.prices", given.len() <= PRICES_MAX, format!("must be at most {PRICES_MAX}"));
    let mut versions: Vec<PriceVersion> = Vec::new();
    for (index, given) in given.iter().take(PRICES_MAX).enumerate() {
        let path = format!("plan.prices[{index}]");
        let listed = given.account.is_empty() && given.end_time.is_none();
        violations.check(&path, listed, "of a new plan are list prices, without account and end");
        let Some(version) = price_version(&path, given, model, violations) else { continue };
        let same = |known: &PriceVersion| {
            known.effective == version.effective && known.price.currency() == version.price.currency()
        };
        violations.check(&path, !versions.iter().any(same), "begins when another one in its currency does");
        versions.push(version);
    }
    versions
}

/// Reads an UpdatePlan request: the plan, the etag seen, the new display name.
pub(crate) fn renamed(request: &wire::UpdatePlanRequest) -> Result<(PlanCode, String, String), Violations> {
    let mut violations = Violations::new();
    let mask = Mask::parse(request.update_mask.as_ref(), UPDATABLE);
    if let Err(wrong) = mask {
        violations.extend(wrong);
    }
    let Some(given) = &request.plan else {
        violations.add("plan", "is required");
        return violations.finish_with(None);
    };
    let code = take(&mut violations, code("plan.name", &given.name));
    let display_name = given.display_name.trim().to_owned();
    check_display_name("plan.display_name", &display_name, &mut violations);
    violations.finish_with(code.map(|code| (code, given.etag.clone(), display_name)))
}

/// Reads a RetirePlan request: the plan, and from when on.
pub(crate) fn retired(request: &wire::RetirePlanRequest) -> Result<(PlanCode, Option<Instant>), Violations> {
    let mut violations = Violations::new();
    let code = take(&mut violations, code("name", &request.name));
    let from = request.retire_time.as_ref().map(|time| violations.take("retire_time", instant(time)));
    violations.finish_with(code.map(|code| (code, from.flatten())))
}

/// Reads an AddPriceVersion request. Whether a monthly price suits the plan is known when the plan is.
pub(crate) fn added_price(
    request: &wire::AddPriceVersionRequest,
) -> Result<(PlanCode, PriceAdded), Violations> {
    let mut violations = Violations::new();
    let code = take(&mut violations, code("name", &request.name));
    let Some(given) = &request.price else {
        violations.add("price", "is required");
        return violations.finish_with(None);
    };
    let version = price_version("price", given, None, &mut violations);
    let ends = given.end_time.as_ref().and_then(|time| full_hour("price.end_time", time, &mut violations));
    let begins = version.map(|version| version.effective);
    let ordered = ends.zip(begins).is_none_or(|(ends, begins)| begins < ends);
    violations.check("price.end_time", ordered, "must be after the beginning");
    let account = if given.account.is_empty() {
        violations.check("price.end_time", given.end_time.is_none(), "is for negotiated prices only");
        None
    } else {
        violations.take("price.account", parse_account(&given.account))
    };
    let added = version.map(|version| match account {
        None => PriceAdded::Listed(version),
        Some(account) => {
            let PriceVersion { price, monthly, effective } = version;
            PriceAdded::Negotiated(account, OwnPrice { price, monthly, effective, ends })
        }
    });
    violations.finish_with(code.zip(added))
}

/// Reads an EndPriceVersion request.
pub(crate) fn ended_price(request: &wire::EndPriceVersionRequest) -> Result<PriceEnd, Violations> {
    let mut violations = Violations::new();
    let plan = take(&mut violations, code("name", &request.name));
    let account = violations.take("account", parse_account(&request.account));
    let mut at = |field: &str, time: Option<&prost_types::Timestamp>| match time {
        Some(time) => full_hour(field, time, &mut violations),
        None => {
            violations.add(field, "is required");
            None
        }
    };
    let effective = at("effective_time", request.effective_time.as_ref());
    let ends = at("end_time", request.end_time.as_ref());
    let ordered = effective.zip(ends).is_none_or(|(effective, ends)| effective < ends);
    violations.check("end_time", ordered, "must be after the beginning");
    let end = plan.zip(account).zip(effective.zip(ends));
    violations.finish_with(end.map(|((plan, account), (effective, ends))| PriceEnd {
        plan,
        account,
        effective,
        ends,
    }))
}

/// Reads the file of an ImportCatalogue request.
pub(crate) fn file(content: &[u8]) -> Result<&str, Violations> {
    let text = std::str::from_utf8(content).map_err(|error| Violations::one("content", error))?;
    if text.trim().is_empty() { Err(Violations::one("content", "is required")) } else { Ok(text) }
}

/// Reads the format of an ExportCatalogue request.
pub(crate) fn format(request: &wire::ExportCatalogueRequest) -> Result<Format, Violations> {
    match request.format() {
        wire::export_catalogue_request::Format::Yaml => Ok(Format::Yaml),
        wire::export_catalogue_request::Format::Json => Ok(Format::Json),
        wire::export_catalogue_request::Format::Unspecified => {
            Err(Violations::one("format", "must be a format"))
        }
    }
}

fn price_version(
    path: &str,
    given: &wire::PriceVersion,
    model: Option<ChargeModel>,
    violations: &mut Violations,
) -> Option<PriceVersion> {
    let currency = violations.take(&format!("{path}.currency_code"), Currency::parse(&given.currency_code));
    let field = format!("{path}.effective_time");
    let effective = match &given.effective_time {
        Some(time) => full_hour(&field, time, violations),
        None => {
            violations.add(field, "is required");
            None
        }
    };
    let amounts = match (&given.unit_price, &given.monthly_price) {
        (Some(unit), None) => {
            unit_price(&format!("{path}.unit_price"), unit, currency, violations).map(|price| (price, None))
        }
        (None, Some(monthly)) => {
            let field = format!("{path}.monthly_price");
            violations.check(
                &field,
                model != Some(ChargeModel::Monthly),
                "is for what is charged by the hour; give unit_price",
            );
            unit_price(&field, monthly, currency, violations)
                .map(|monthly| (rounding::hourly_from_monthly(monthly), Some(monthly)))
        }
        (Some(_), Some(_)) | (None, None) => {
            violations.add(path, "needs either unit_price or monthly_price");
            None
        }
    };
    effective.zip(amounts).map(|(effective, (price, monthly))| PriceVersion { price, monthly, effective })
}

fn unit_price(
    field: &str,
    given: &WireDecimal,
    currency: Option<Currency>,
    violations: &mut Violations,
) -> Option<UnitPrice> {
    let amount = violations.take(field, rate(given, PRICE_SCALE_MAX))?;
    // Also of a currency nobody knows, the amount is judged.
    let price = UnitPrice::try_new(amount, currency.unwrap_or(Currency::EUR));
    violations.take(field, price).filter(|_| currency.is_some())
}

fn full_hour(field: &str, given: &prost_types::Timestamp, violations: &mut Violations) -> Option<Instant> {
    let at = violations.take(field, instant(given))?;
    let exact = given.nanos % 1000 == 0;
    violations.check(field, exact && at == at.floor_hour(), "must be a full hour");
    Some(at)
}

fn take<T>(violations: &mut Violations, read: Result<T, Violations>) -> Option<T> {
    read.map_err(|wrong| violations.extend(wrong)).ok()
}

/// Whose prices a read asks for: an issuer's, an account's, or none named.
pub(crate) fn buyer<'r>(
    issuer: &'r str,
    account: &str,
) -> Result<crate::service::catalogue::Buyer<'r>, Violations> {
    use crate::service::catalogue::Buyer;
    let mut violations = Violations::new();
    let named = take(&mut violations, super::plan::issuer("issuer", issuer)).flatten();
    let of: Option<AccountId> =
        if account.is_empty() { None } else { violations.take("account", parse_account(account)) };
    violations.check("account", named.is_none() || account.is_empty(), "and issuer exclude each other");
    let buyer = match (named, of) {
        (Some(issuer), _) => Buyer::Issuer(issuer),
        (None, Some(account)) => Buyer::Account(account),
        (None, None) => Buyer::WhoAsks,
    };
    violations.finish().map(|()| buyer)
}

/// Renders what an import changed.
pub(crate) fn changes(additions: &Additions) -> wire::ImportCatalogueResponse {
    use wire::catalogue_change::Kind;
    let added = additions.plans.iter().map(|plan| wire::CatalogueChange {
        kind: Kind::PlanAdded.into(),
        plan: plan_name(plan.code.as_str()),
        display_name: plan.display_name.clone(),
        retire_time: plan.retired.map(timestamp),
        ..wire::CatalogueChange::default()
    });
    let renamed =
        additions.changed.iter().filter(|changed| changed.before.display_name != changed.after.display_name);
    let renamed = renamed.map(|changed| wire::CatalogueChange {
        kind: Kind::PlanRenamed.into(),
        plan: plan_name(changed.after.code.as_str()),
        display_name: changed.after.display_name.clone(),
        previous_display_name: changed.before.display_name.clone(),
        ..wire::CatalogueChange::default()
    });
    let retired = additions.changed.iter().filter(|changed| changed.before.retired != changed.after.retired);
    let retired = retired.map(|changed| wire::CatalogueChange {
        kind: Kind::PlanRetired.into(),
        plan: plan_name(changed.after.code.as_str()),
        display_name: changed.after.display_name.clone(),
        retire_time: changed.after.retired.map(timestamp),
        ..wire::CatalogueChange::default()
    });
    let prices = additions.prices.iter().map(|(code, version)| wire::CatalogueChange {
        kind: Kind::PriceAdded.into(),
        plan: plan_name(code.as_str()),
        price: Some(price(*version, &Display::EveryCurrency)),
        ..wire::CatalogueChange::default()
    });
    wire::ImportCatalogueResponse { changes: added.chain(renamed).chain(retired).chain(prices).collect() }
}

/// The etag of a plan.
pub(crate) fn plan_etag(plan: &Plan) -> String {
    etag::of(&plan_name(plan.code.as_str()), plan.version)
}
