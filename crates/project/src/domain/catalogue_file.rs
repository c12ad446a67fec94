//! A catalogue written down: plans and their price versions as a YAML file (R5.1).
//!
//! Owns: the file's form, and what importing it would add to a known catalogue.
//! Always holds: every violation is named at once; a known plan or price version is never edited; a new
//! price of a plan in use begins in the future, because the past has been rated.
//! Refuses to know: how it is stored.

use std::collections::{BTreeMap, BTreeSet};

use florin_platform::violation::Violations;
use florin_settlement::{Currency, Instant, PlanFamily, UnitPrice, rounding};
use serde::Deserialize;

use super::plan::{ChargeModel, Plan, PlanCode, PriceVersion, PricedPlan, Unit};

/// The longest display name, in characters.
const DISPLAY_NAME_CHARACTERS_MAX: usize = 100;

/// A catalogue, read and checked by itself.
#[derive(Clone, Debug)]
pub(crate) struct CatalogueFile(Vec<PricedPlan>);

/// What importing a file adds to a known catalogue; nothing when it was imported before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Additions {
    /// Plans nobody knew.
    pub plans: Vec<Plan>,
    /// Known plans that are called something else, or are retired now.
    pub changed: Vec<Plan>,
    /// Price versions nobody knew.
    pub prices: Vec<(PlanCode, PriceVersion)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    plans: Vec<PlanEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanEntry {
    code: String,
    name: String,
    family: String,
    model: String,
    unit: String,
    retired: Option<String>,
    prices: Vec<PriceEntry>,
}

/// Amounts are text, so that none goes through a binary float (R1.2).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceEntry {
    effective: String,
    /// By currency: the price of one unit.
    #[serde(default)]
    per_unit: BTreeMap<String, String>,
    /// By currency: the monthly price of something charged by the hour; the price of an hour is a 720th
    /// of it, to 10 decimals (R1.4).
    #[serde(default)]
    per_month: BTreeMap<String, String>,
}

impl CatalogueFile {
    /// Reads a YAML file.
    ///
    /// # Errors
    /// Everything that is wrong in it, by path.
    pub(crate) fn parse(yaml: &str) -> Result<Self, Violations> {
        let file: File = serde_norway::from_str(yaml).map_err(|error| Violations::one("file", error))?;
        let mut violations = Violations::new();
        let mut codes = BTreeSet::new();
        let mut plans = Vec::new();
        for (index, entry) in file.plans.into_iter().enumerate() {
            let path = format!("plans[{index}]");
            let known = !codes.insert(entry.code.clone());
            violations.check(&format!("{path}.code"), !known, format!("{} is there twice", entry.code));
            plans.extend(entry.read(&path, &mut violations));
        }
        violations.finish().map(|()| Self(plans))
    }

    /// What importing it at `at` adds to `known`.
    ///
    /// # Errors
    /// Every edit of what is known, and every price that would change the past.
    pub(crate) fn additions(
        &self,
        known: &BTreeMap<PlanCode, PricedPlan>,
        at: Instant,
    ) -> Result<Additions, Violations> {
        let mut violations = Violations::new();
        let mut additions = Additions::default();
        for written in &self.0 {
            let code = &written.plan.code;
            match known.get(code) {
                None => {
                    additions.plans.push(written.plan.clone());
                    additions.prices.extend(written.versions().map(|version| (code.clone(), version)));
                }
                Some(known) => additions.compare(written, known, at, &mut violations),
            }
        }
        violations.finish().map(|()| additions)
    }
}

impl Additions {
    fn compare(
        &mut self,
        written: &PricedPlan,
        known: &PricedPlan,
        at: Instant,
        violations: &mut Violations,
    ) {
        let (plan, before) = (&written.plan, &known.plan);
        let path = format!("plans[{}]", plan.code);
        let unchanged =
            plan.family == before.family && plan.model == before.model && plan.unit == before.unit;
        violations.check(&path, unchanged, "family, model and unit of a plan never change");
        let retired = plan.retired.or(before.retired);
        if plan.display_name != before.display_name || retired != before.retired {
            self.changed.push(Plan { retired, ..plan.clone() });
        }
        for version in written.versions() {
            let currency = version.price.currency();
            let field = format!("{path}.prices[{}].{currency}", version.effective);
            let versions = known.versions_in(currency);
            match versions.iter().find(|known| known.effective == version.effective) {
                Some(known) if *known == version => {}
                Some(known) => {
                    let price = known.price;
                    violations.add(field, format!("is {price} for ever; supersede it with a later version"));
                }
                None if !versions.is_empty() && version.effective < at => {
                    violations.add(field, "begins in the past, which has been rated at the price known then");
                }
                None => self.prices.push((plan.code.clone(), version)),
            }
        }
    }
}

impl PlanEntry {
    fn read(self, path: &str, violations: &mut Violations) -> Option<PricedPlan> {
        let code = violations.take(&format!("{path}.code"), PlanCode::parse(&self.code));
        let family = violations.take(&format!("{path}.family"), PlanFamily::parse(&self.family));
        let model = ChargeModel::parse(&self.model).ok_or("must be HOURLY, MONTHLY or METERED");
        let model = violations.take(&format!("{path}.model"), model);
        let unit =
            model.and_then(|model| violations.take(&format!("{path}.unit"), Unit::parse(&self.unit, model)));
        let retired =
            self.retired.and_then(|text| violations.take(&format!("{path}.retired"), Instant::parse(&text)));
        let named = (1..=DISPLAY_NAME_CHARACTERS_MAX).contains(&self.name.chars().count());
        violations.check(
            &format!("{path}.name"),
            named,
            format!("must have 1 to {DISPLAY_NAME_CHARACTERS_MAX} characters"),
        );
        violations.check(
            &format!("{path}.prices"),
            !self.prices.is_empty(),
            "must have at least one version",
        );
        let mut versions: Vec<PriceVersion> = Vec::new();
        for (index, entry) in self.prices.into_iter().enumerate() {
            let path = format!("{path}.prices[{index}]");
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
        let plan = Plan {
            code: code?,
            display_name: self.name,
            family: family?,
            model: model?,
            unit: unit?,
            retired,
        };
        Some(PricedPlan::new(plan, versions))
    }
}

impl PriceEntry {
    fn read(self, path: &str, model: Option<ChargeModel>, violations: &mut Violations) -> Vec<PriceVersion> {
        let effective = violations.take(&format!("{path}.effective"), Instant::parse(&self.effective));
        let full = effective.is_none_or(|at| at.floor_hour() == at);
        violations.check(&format!("{path}.effective"), full, "must be a full hour");
        let priced = !self.per_unit.is_empty() || !self.per_month.is_empty();
        violations.check(path, priced, "must have prices, per_unit or per_month");
        let by_month = self.per_month.is_empty() || model.is_none_or(|model| model != ChargeModel::Monthly);
        violations.check(&format!("{path}.per_month"), by_month, "is for what is charged by the hour");
        let mut versions = Vec::new();
        for (code, text) in self.per_unit {
            let price = read_price(&format!("{path}.per_unit.{code}"), &code, &text, violations);
            versions.extend(effective.zip(price));
        }
        for (code, text) in self.per_month {
            let monthly = read_price(&format!("{path}.per_month.{code}"), &code, &text, violations);
            versions.extend(effective.zip(monthly.map(rounding::hourly_from_monthly)));
        }
        versions.into_iter().map(|(effective, price)| PriceVersion { price, effective }).collect()
    }
}

fn read_price(path: &str, code: &str, text: &str, violations: &mut Violations) -> Option<UnitPrice> {
    let currency = violations.take(path, Currency::parse(code))?;
    violations.take(path, UnitPrice::parse(text, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
plans:
  - code: volume-classic
    name: Classic volume
    family: STORAGE
    model: HOURLY
    unit: GiB-hour
    prices:
      - effective: 2020-01-01T00:00:00Z
        per_month: { EUR: "0.04", USD: "0.0432" }
"#;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    fn known(yaml: &str) -> BTreeMap<PlanCode, PricedPlan> {
        let file = CatalogueFile::parse(yaml).expect("a sound file");
        file.0.into_iter().map(|priced| (priced.plan.code.clone(), priced)).collect()
    }

    fn fields(violations: &Violations) -> Vec<&str> {
        violations.as_slice().iter().map(|violation| violation.field.as_str()).collect()
    }

    #[test]
    fn a_monthly_price_becomes_a_720th_of_it_per_hour() {
        let known = known(FILE);
        let volume = known.values().next().expect("one plan");
        let prices: Vec<_> = volume.versions().map(|version| version.price.to_string()).collect();
        assert_eq!(prices, ["0.0000555556 EUR", "0.00006 USD"]);
    }

    #[test]
    fn importing_the_same_file_again_adds_nothing() {
        let file = CatalogueFile::parse(FILE).expect("a sound file");
        let first = file.additions(&BTreeMap::new(), at("2027-01-01T00:00:00Z")).expect("sound");
        assert_eq!((first.plans.len(), first.prices.len()), (1, 2));
        assert_eq!(file.additions(&known(FILE), at("2027-01-01T00:00:00Z")), Ok(Additions::default()));
    }

    #[test]
    fn an_edit_of_a_known_plan_or_price_is_refused_and_every_one_is_named() {
        let edited = FILE.replace("0.0432", "0.05").replace("family: STORAGE", "family: OPTION");
        let file = CatalogueFile::parse(&edited).expect("sound by itself");
        let refused = file.additions(&known(FILE), at("2027-01-01T00:00:00Z")).expect_err("it edits");
        assert_eq!(
            fields(&refused),
            ["plans[volume-classic]", "plans[volume-classic].prices[2020-01-01T00:00:00Z].USD"]
        );
    }

    #[test]
    fn a_price_in_use_is_superseded_in_the_future_only() {
        let superseded = |effective: &str| {
            let version = format!("      - {{ effective: {effective}, per_unit: {{ EUR: \"0.1\" }} }}\n");
            let file = CatalogueFile::parse(&(FILE.to_owned() + &version)).expect("sound by itself");
            file.additions(&known(FILE), at("2027-01-01T00:30:00Z")).map(|additions| additions.prices.len())
        };
        assert_eq!(superseded("2027-01-01T01:00:00Z"), Ok(1));
        assert!(superseded("2027-01-01T00:00:00Z").is_err());
    }

    #[test]
    fn a_new_name_is_a_change_and_not_an_edit() {
        let file = CatalogueFile::parse(&FILE.replace("Classic volume", "Volume")).expect("a sound file");
        let additions = file.additions(&known(FILE), at("2027-01-01T00:00:00Z")).expect("no edit");
        assert_eq!((additions.changed.len(), additions.prices.len()), (1, 0));
    }

    #[test]
    fn everything_wrong_in_a_file_is_named_at_once() {
        let wrong = r#"
plans:
  - code: A plan
    name: ""
    family: DISK
    model: HOURLY
    unit: month
    prices:
      - effective: 2020-01-01T00:30:00Z
        per_unit: { EUR: "0.00000000001", XAU: "1" }
      - effective: 2020-02-01T00:00:00Z
  - code: b3-8
    name: B3-8
    family: INSTANCE
    model: MONTHLY
    unit: month
    prices:
      - effective: 2020-01-01T00:00:00Z
        per_unit: { EUR: "1" }
        per_month: { EUR: "1" }
"#;
        let violations = CatalogueFile::parse(wrong).expect_err("everything is wrong");
        assert_eq!(
            fields(&violations),
            [
                "plans[0].code",
                "plans[0].family",
                "plans[0].unit",
                "plans[0].name",
                "plans[0].prices[0].effective",
                "plans[0].prices[0].per_unit.EUR",
                "plans[0].prices[0].per_unit.XAU",
                "plans[0].prices[1]",
                "plans[1].prices[0].per_month",
                "plans[1].prices[0]",
            ]
        );
    }

    #[test]
    fn an_amount_written_as_a_number_is_read_as_text_and_never_as_a_float() {
        let unquoted = FILE.replace("\"0.04\"", "0.0400000001");
        let prices: Vec<_> = known(&unquoted).values().flat_map(PricedPlan::versions).collect();
        assert_eq!(prices[0].price.to_string(), "0.0000555556 EUR");
        assert!(CatalogueFile::parse(&FILE.replace("\"0.04\"", "4e-2")).is_err());
    }
}
