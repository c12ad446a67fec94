//! The entries of a catalogue file, as they are written.

use std::collections::{BTreeMap, BTreeSet};

use florin_platform::violation::Violations;
use florin_settlement::{Instant, PlanFamily, UnitPrice, rounding};
use serde::Deserialize;

use super::{check_display_name, read_price};
use crate::domain::plan::{ChargeModel, Plan, PlanCode, PriceVersion, PricedPlan, Timing, Unit};

/// Everything is optional here: what is missing is named with all the rest by [`super::shape`].
#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    plans: Vec<PlanEntry>,
}

#[derive(Deserialize)]
struct PlanEntry {
    code: Option<String>,
    name: Option<String>,
    family: Option<String>,
    model: Option<String>,
    unit: Option<String>,
    charged: Option<String>,
    retired: Option<String>,
    prices: Option<Vec<PriceEntry>>,
}

#[derive(Deserialize)]
struct PriceEntry {
    effective: Option<String>,
    /// By currency: the price of one unit.
    per_unit: Option<BTreeMap<String, String>>,
    /// By currency: the monthly price of something charged by the hour; the price of an hour is a 720th of
    /// it, to 10 decimals (R1.4).
    per_month: Option<BTreeMap<String, String>>,
}

/// A sound entry, and its place among all.
pub(super) struct Read {
    pub(super) at: usize,
    pub(super) plan: PricedPlan,
}

impl File {
    pub(super) fn count(&self) -> usize {
        self.plans.len()
    }

    pub(super) fn read(self, violations: &mut Violations) -> Vec<Read> {
        let mut codes = BTreeSet::new();
        let mut plans = Vec::new();
        for (at, entry) in self.plans.into_iter().enumerate() {
            let path = format!("plans[{at}]");
            if let Some(code) = &entry.code {
                let is_new = codes.insert(code.clone());
                violations.check(&format!("{path}.code"), is_new, format!("{code} is there twice"));
            }
            plans.extend(entry.read(&path, violations).map(|plan| Read { at, plan }));
        }
        plans
    }
}

impl PlanEntry {
    fn read(self, path: &str, violations: &mut Violations) -> Option<PricedPlan> {
        let at = |field: &str| format!("{path}.{field}");
        let code = self.code.and_then(|text| violations.take(&at("code"), PlanCode::parse(&text)));
        let family = self.family.and_then(|text| violations.take(&at("family"), PlanFamily::parse(&text)));
        let model = self.model.and_then(|text| {
            let model = ChargeModel::parse(&text).ok_or("must be HOURLY, MONTHLY or METERED");
            violations.take(&at("model"), model)
        });
        let unit = self.unit.zip(model);
        let unit = unit.and_then(|(text, model)| violations.take(&at("unit"), Unit::parse(&text, model)));
        let timing = self.charged.map_or(Some(Timing::Arrears), |text| {
            let timing = Timing::parse(&text).ok_or("must be ARREARS or ADVANCE");
            violations.take(&at("charged"), timing)
        });
        let monthly = model.is_none_or(|model| model == ChargeModel::Monthly);
        violations.check(
            &at("charged"),
            monthly || timing != Some(Timing::Advance),
            "only MONTHLY plans are charged in advance",
        );
        let retired = self.retired.map(|text| violations.take(&at("retired"), Instant::parse(&text)));
        if let Some(name) = &self.name {
            check_display_name(&at("name"), name, violations);
        }
        let versions = read_prices(self.prices, &at("prices"), model, violations);
        let plan = Plan {
            code: code?,
            display_name: self.name?,
            family: family?,
            model: model?,
            unit: unit?,
            timing: timing?,
            retired: retired.flatten(),
            version: 1,
        };
        Some(PricedPlan::new(plan, versions))
    }
}

fn read_prices(
    entries: Option<Vec<PriceEntry>>,
    path: &str,
    model: Option<ChargeModel>,
    violations: &mut Violations,
) -> Vec<PriceVersion> {
    let Some(entries) = entries else { return Vec::new() };
    violations.check(path, !entries.is_empty(), "must have at least one version");
    let mut versions: Vec<PriceVersion> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        for version in entry.read(&path, model, violations) {
            let same = |known: &PriceVersion| {
                known.effective == version.effective && known.price.currency() == version.price.currency()
            };
            let message =
                format!("has a price in {} from {} already", version.price.currency(), version.effective);
            violations.check(&path, !versions.iter().any(same), message);
            versions.push(version);
        }
    }
    versions
}

impl PriceEntry {
    fn read(self, path: &str, model: Option<ChargeModel>, violations: &mut Violations) -> Vec<PriceVersion> {
        let effective = self
            .effective
            .and_then(|text| violations.take(&format!("{path}.effective"), Instant::parse(&text)));
        let full = effective.is_none_or(|at| at.floor_hour() == at);
        violations.check(&format!("{path}.effective"), full, "must be a full hour");
        let (per_unit, per_month) = (self.per_unit.unwrap_or_default(), self.per_month.unwrap_or_default());
        let priced = !per_unit.is_empty() || !per_month.is_empty();
        violations.check(path, priced, "must have prices, per_unit or per_month");
        let by_month = per_month.is_empty() || model.is_none_or(|model| model != ChargeModel::Monthly);
        violations.check(&format!("{path}.per_month"), by_month, "is for what is charged by the hour");
        let mut versions = Vec::new();
        let mut keep = |price: UnitPrice, monthly: Option<UnitPrice>| {
            versions.extend(effective.map(|effective| PriceVersion { price, monthly, effective }));
        };
        for (code, text) in per_unit {
            if let Some(price) = read_price(&format!("{path}.per_unit.{code}"), &code, &text, violations) {
                keep(price, None);
            }
        }
        for (code, text) in per_month {
            if let Some(monthly) = read_price(&format!("{path}.per_month.{code}"), &code, &text, violations) {
                keep(rounding::hourly_from_monthly(monthly), Some(monthly));
            }
        }
        versions
    }
}
