//! Writing a catalogue down, so that reading it gives the same.

use std::{collections::BTreeMap, fmt::Write as _};

use florin_settlement::Instant;
use serde_json::{Map, Value, json};

use crate::domain::plan::{PricedPlan, Timing};

/// How a catalogue is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Yaml,
    /// For programs.
    Json,
}

const HEADER: &str = "\
# The catalogue: plans and their price versions, net of VAT.
#
#   per_unit   the price of one unit: an hour, a GiB-hour, a month
#   per_month  for what is charged by the hour: an hour costs a 720th of it, to 10 decimals
#
# A price is for ever once imported: to change one, add a version with a later `effective`, on a full hour.

plans:
";

/// Prices by currency, as text.
type Amounts<'p> = BTreeMap<&'p str, String>;

/// The versions of one instant: by unit, by month.
#[derive(Default)]
struct Versions<'p> {
    per_unit: Amounts<'p>,
    per_month: Amounts<'p>,
}

/// Writes `plans` down.
#[must_use]
pub(crate) fn write<'p>(plans: impl IntoIterator<Item = &'p PricedPlan>, format: Format) -> String {
    match format {
        Format::Yaml => {
            let mut text = HEADER.to_owned();
            for plan in plans {
                text.push_str(&yaml(plan));
            }
            text
        }
        Format::Json => {
            let plans: Vec<Value> = plans.into_iter().map(record).collect();
            format!("{:#}\n", json!({ "plans": plans }))
        }
    }
}

fn versions(priced: &PricedPlan) -> BTreeMap<Instant, Versions<'static>> {
    let mut by_instant: BTreeMap<Instant, Versions<'static>> = BTreeMap::new();
    for version in priced.versions() {
        let at = by_instant.entry(version.effective).or_default();
        let code = version.price.currency().code();
        match version.monthly {
            Some(monthly) => at.per_month.insert(code, monthly.amount().to_string()),
            None => at.per_unit.insert(code, version.price.amount().to_string()),
        };
    }
    by_instant
}

fn yaml(priced: &PricedPlan) -> String {
    let plan = &priced.plan;
    let mut text = String::new();
    let mut line = |indent: &str, field: &str, value: &str| {
        let _ = writeln!(text, "{indent}{field}: {value}");
    };
    line("  - ", "code", &quoted(plan.code.as_str()));
    line("    ", "name", &quoted(&plan.display_name));
    line("    ", "family", plan.family.as_str());
    line("    ", "model", plan.model.as_str());
    line("    ", "unit", &quoted(plan.unit.as_str()));
    if plan.timing == Timing::Advance {
        line("    ", "charged", plan.timing.as_str());
    }
    if let Some(retired) = plan.retired {
        line("    ", "retired", &retired.to_string());
    }
    line("    ", "prices", "");
    for (effective, versions) in versions(priced) {
        line("      - ", "effective", &effective.to_string());
        for (field, amounts) in [("per_unit", &versions.per_unit), ("per_month", &versions.per_month)] {
            if !amounts.is_empty() {
                let amounts: Vec<_> =
                    amounts.iter().map(|(code, amount)| format!("{code}: {}", quoted(amount))).collect();
                line("        ", field, &format!("{{ {} }}", amounts.join(", ")));
            }
        }
    }
    text
}

/// A JSON string is a double-quoted scalar of YAML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn record(priced: &PricedPlan) -> Value {
    let plan = &priced.plan;
    let mut record = Map::new();
    let mut put = |field: &str, value: Value| record.insert(field.to_owned(), value);
    put("code", plan.code.as_str().into());
    put("name", plan.display_name.as_str().into());
    put("family", plan.family.as_str().into());
    put("model", plan.model.as_str().into());
    put("unit", plan.unit.as_str().into());
    if plan.timing == Timing::Advance {
        put("charged", plan.timing.as_str().into());
    }
    if let Some(retired) = plan.retired {
        put("retired", retired.to_string().into());
    }
    let prices: Vec<Value> = versions(priced)
        .into_iter()
        .map(|(effective, versions)| {
            let mut price = Map::new();
            price.insert("effective".to_owned(), effective.to_string().into());
            for (field, amounts) in [("per_unit", versions.per_unit), ("per_month", versions.per_month)] {
                if !amounts.is_empty() {
                    price.insert(field.to_owned(), json!(amounts));
                }
            }
            Value::Object(price)
        })
        .collect();
    put("prices", prices.into());
    Value::Object(record)
}
