//! Plans and their price versions (R5.1).
//!
//! Owns: what a plan is, how its use becomes a charge, and which price is in force when.
//! Always holds: price versions of one plan and currency begin on full hours, no two at the same one;
//! usage is rated at the version in force when it happened.
//! Refuses to know: how a price is taxed, and who uses the plan.

use std::{collections::BTreeMap, fmt};

use florin_settlement::{Currency, Decimal, Instant, PlanFamily, TaxRate, UnitPrice};

/// The longest plan code, in bytes.
pub(crate) const CODE_BYTES_MAX: usize = 63;

/// A plan's code: what it is called in names, files and tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanCode(String);

/// What was given is not a plan code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 63 lower-case letters, digits, dots and dashes, beginning with a letter or digit")]
pub struct PlanCodeError;

impl PlanCode {
    /// Reads a code.
    ///
    /// # Errors
    /// [`PlanCodeError`].
    pub fn parse(text: &str) -> Result<Self, PlanCodeError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= CODE_BYTES_MAX && text.bytes().next().is_some_and(is_plain);
        let plain = text.bytes().all(|byte| is_plain(byte) || byte == b'-' || byte == b'.');
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(PlanCodeError) }
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How use of a plan becomes a charge (R5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChargeModel {
    /// Every wall-clock hour touched (R5.2).
    Hourly,
    /// Every month, the first one pro-rated by days (R5.3).
    Monthly,
    /// What is measured (R5.4).
    Metered,
}

impl ChargeModel {
    const ALL: [Self; 3] = [Self::Hourly, Self::Monthly, Self::Metered];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "HOURLY",
            Self::Monthly => "MONTHLY",
            Self::Metered => "METERED",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.as_str() == text)
    }

    /// What one unit of time is called under this model; metered plans count anything.
    const fn time(self) -> Option<&'static str> {
        match self {
            Self::Hourly => Some("hour"),
            Self::Monthly => Some("month"),
            Self::Metered => None,
        }
    }
}

/// What one unit is: `hour`, `month`, `GiB-hour`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unit(String);

/// The longest unit, in characters.
const UNIT_CHARACTERS_MAX: usize = 40;

impl Unit {
    /// Reads the unit of a plan charged by `model`: HOURLY plans count hours or something-hours, MONTHLY
    /// ones months or something-months.
    ///
    /// # Errors
    /// What a unit of this model looks like.
    pub fn parse(text: &str, model: ChargeModel) -> Result<Self, String> {
        let known = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let bounded = !text.is_empty() && text.chars().count() <= UNIT_CHARACTERS_MAX;
        let fits = model.time().is_none_or(|time| {
            text.strip_suffix(time)
                .is_some_and(|size| size.is_empty() || (size.len() > 1 && size.ends_with('-')))
        });
        match (known && bounded && fits, model.time()) {
            (true, _) => Ok(Self(text.to_owned())),
            (false, Some(time)) => Err(format!("must be {time} or something-{time}, in letters and digits")),
            (false, None) => Err(format!("must be 1 to {UNIT_CHARACTERS_MAX} letters, digits and dashes")),
        }
    }

    /// The unit as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A priced catalogue entry a resource is created from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its code, for life.
    pub code: PlanCode,
    /// What it is called.
    pub display_name: String,
    /// Which family it belongs to: quotas and restricted lots go by it.
    pub family: PlanFamily,
    /// How use becomes a charge.
    pub model: ChargeModel,
    /// What one of it is.
    pub unit: Unit,
    /// From when on no resource can be created from it.
    pub retired: Option<Instant>,
}

impl Plan {
    /// Whether a resource of it has a size: the unit counts something over time (`GiB-hour`), and nobody
    /// measures it.
    #[must_use]
    pub fn is_sized(&self) -> bool {
        self.model.time().is_some_and(|time| self.unit.as_str() != time)
    }

    /// Whether a resource can be created from it at `at`.
    #[must_use]
    pub fn is_sold_at(&self, at: Instant) -> bool {
        self.retired.is_none_or(|retired| at < retired)
    }
}

/// The price of one unit of a plan from an instant on, until the next version in the same currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceVersion {
    /// The price of one unit, net.
    pub price: UnitPrice,
    /// From when on it rates usage: a full hour.
    pub effective: Instant,
}

impl PriceVersion {
    /// The price of one unit with tax at `rate`, exactly: for display, never for a charge (R1.5). None for
    /// prices so large that it cannot be written exactly.
    #[must_use]
    pub fn amount_incl_tax(self, rate: TaxRate) -> Option<Decimal> {
        let (amount, percent) = (self.price.amount(), rate.percent());
        let whole = 10_i128.checked_pow(percent.scale() + 2)?;
        let mantissa = amount.mantissa().checked_mul(whole.checked_add(percent.mantissa())?)?;
        let exact = Decimal::try_from_i128_with_scale(mantissa, amount.scale() + percent.scale() + 2);
        exact.ok().map(|exact| exact.normalize())
    }
}

/// A plan and its prices in every currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedPlan {
    /// The plan.
    pub plan: Plan,
    prices: BTreeMap<&'static str, Vec<PriceVersion>>,
}

impl PricedPlan {
    /// The plan with these versions, in whatever order they come.
    #[must_use]
    pub fn new(plan: Plan, versions: impl IntoIterator<Item = PriceVersion>) -> Self {
        let mut prices: BTreeMap<&'static str, Vec<PriceVersion>> = BTreeMap::new();
        for version in versions {
            prices.entry(version.price.currency().code()).or_default().push(version);
        }
        for versions in prices.values_mut() {
            versions.sort_by_key(|version| version.effective);
        }
        Self { plan, prices }
    }

    /// Every version, by currency and effective instant.
    pub fn versions(&self) -> impl Iterator<Item = PriceVersion> {
        self.prices.values().flatten().copied()
    }

    /// The versions in one currency, by effective instant.
    #[must_use]
    pub fn versions_in(&self, currency: Currency) -> &[PriceVersion] {
        self.prices.get(currency.code()).map_or(&[], Vec::as_slice)
    }

    /// The version in force at `at`, if the plan was priced in `currency` then.
    #[must_use]
    pub fn version_at(&self, currency: Currency, at: Instant) -> Option<PriceVersion> {
        self.versions_in(currency).iter().rev().find(|version| version.effective <= at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    fn version(text: &str, currency: Currency, effective: &str) -> PriceVersion {
        let price = UnitPrice::parse(text, currency).expect("a price");
        PriceVersion { price, effective: at(effective) }
    }

    fn plan(model: ChargeModel, unit: &str) -> Plan {
        Plan {
            code: PlanCode::parse("b3-8").expect("a code"),
            display_name: "B3-8".to_owned(),
            family: PlanFamily::Instance,
            model,
            unit: Unit::parse(unit, model).expect("a unit"),
            retired: None,
        }
    }

    #[test]
    fn a_code_is_short_lower_case_and_plain() {
        for code in ["b3-8", "c3.large", "3d"] {
            assert_eq!(PlanCode::parse(code).map(|code| code.to_string()).as_deref(), Ok(code));
        }
        for wrong in ["", "-b3", "B3-8", "b3 8", "b3/8", &"x".repeat(64)] {
            assert_eq!(PlanCode::parse(wrong), Err(PlanCodeError), "{wrong}");
        }
    }

    #[test]
    fn the_unit_of_a_plan_counts_the_time_its_model_charges() {
        assert!(!plan(ChargeModel::Hourly, "hour").is_sized());
        assert!(plan(ChargeModel::Hourly, "GiB-hour").is_sized());
        assert!(plan(ChargeModel::Monthly, "vCPU-month").is_sized());
        assert!(!plan(ChargeModel::Metered, "GiB-hour").is_sized());
        assert!(Unit::parse("month", ChargeModel::Hourly).is_err());
        assert!(Unit::parse("-hour", ChargeModel::Hourly).is_err());
        assert!(Unit::parse("GiBhour", ChargeModel::Hourly).is_err());
        assert!(Unit::parse("", ChargeModel::Metered).is_err());
    }

    #[test]
    fn the_price_in_force_is_the_last_one_that_has_begun_in_the_currency() {
        let priced = PricedPlan::new(
            plan(ChargeModel::Hourly, "hour"),
            [
                version("0.2", Currency::EUR, "2027-02-01T00:00:00Z"),
                version("0.1", Currency::EUR, "2027-01-01T00:00:00Z"),
                version("0.3", Currency::USD, "2027-01-01T00:00:00Z"),
            ],
        );
        let in_force =
            |currency, text| priced.version_at(currency, at(text)).map(|v| v.price.amount().to_string());
        assert_eq!(in_force(Currency::EUR, "2026-12-31T23:59:59Z"), None);
        assert_eq!(in_force(Currency::EUR, "2027-01-31T23:59:59Z").as_deref(), Some("0.1"));
        assert_eq!(in_force(Currency::EUR, "2027-02-01T00:00:00Z").as_deref(), Some("0.2"));
        assert_eq!(in_force(Currency::GBP, "2027-02-01T00:00:00Z"), None);
    }

    #[test]
    fn a_price_with_tax_is_exact() {
        let with_tax = |price, rate| {
            let rate = TaxRate::parse(rate).expect("a rate");
            version(price, Currency::EUR, "2027-01-01T00:00:00Z").amount_incl_tax(rate).map(|d| d.to_string())
        };
        assert_eq!(with_tax("0.111", "20").as_deref(), Some("0.1332"));
        assert_eq!(with_tax("0.0000555556", "20").as_deref(), Some("0.00006666672"));
        assert_eq!(with_tax("100", "5.5").as_deref(), Some("105.5"));
        assert_eq!(with_tax("999999999999999999.9999999999", "20"), None);
    }

    #[test]
    fn a_retired_plan_is_no_longer_sold() {
        let retired = Plan { retired: Some(at("2027-01-01T00:00:00Z")), ..plan(ChargeModel::Hourly, "hour") };
        assert!(retired.is_sold_at(at("2026-12-31T23:59:59Z")));
        assert!(!retired.is_sold_at(at("2027-01-01T00:00:00Z")));
    }
}
