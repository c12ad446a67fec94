//! Plans and their price versions (R5.1).
//!
//! Owns: what a plan is, how its use becomes a charge, and which price is in force when.
//! Always holds: price versions of one plan and currency begin on full hours, no two at the same one;
//! usage is rated at the version in force when it happened.
//! Refuses to know: how a price is taxed, and who uses the plan.

use std::{collections::BTreeMap, fmt, sync::Arc};

use florin_settlement::{Currency, Decimal, Instant, PlanFamily, TaxRate, UnitPrice};

/// The longest plan code, in bytes.
pub(crate) const CODE_BYTES_MAX: usize = 63;

/// A plan's code: what it is called in names, files and tables. Cheap to clone: every event that is measured has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanCode(Arc<str>);

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
        if fits && plain { Ok(Self(text.into())) } else { Err(PlanCodeError) }
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

/// When the price of a month is charged (R5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Timing {
    /// On the invoice of the month in which it falls due.
    #[default]
    Arrears,
    /// For the month to come: at once when it is added, then on each 1st. MONTHLY plans only.
    Advance,
}

impl Timing {
    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrears => "ARREARS",
            Self::Advance => "ADVANCE",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Arrears, Self::Advance].into_iter().find(|timing| timing.as_str() == text)
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

    /// What a size of something charged by `model` counts: `GiB` for `GiB-hour`, nothing for `hour`. None for
    /// what is measured.
    fn size(&self, model: ChargeModel) -> Option<&str> {
        self.0.strip_suffix(model.time()?).map(|size| size.trim_end_matches('-'))
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
    /// When a month of it is charged.
    pub timing: Timing,
    /// From when on no resource can be created from it.
    pub retired: Option<Instant>,
    /// Grows with every change of it or its list prices.
    pub version: i64,
}

/// Why a resource of one plan cannot go on under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanChangeError {
    /// What is measured has no size, and each event is rated by the plan it was measured under.
    #[error("what is metered is not resized")]
    Metered,
    /// An instance does not become a volume.
    #[error("the plans are of different families")]
    Family,
    /// GiB do not become vCPUs.
    #[error("the plans count different sizes")]
    Size,
    /// Hours become months by a switch, and never back (R5.3).
    #[error("the plans are charged by different models")]
    Model,
    /// What was charged in advance cannot be charged again by another plan.
    #[error("a resource charged in advance keeps its plan, and others keep out of such plans")]
    Advance,
    /// A switch goes from hours to months (R5.3).
    #[error("only what is charged by the hour is switched to a plan charged by the month, and never back")]
    NotToMonthly,
}

impl Plan {
    /// Whether a resource of it has a size: the unit counts something over time (`GiB-hour`), and nobody
    /// measures it.
    #[must_use]
    pub fn is_sized(&self) -> bool {
        self.model.time().is_some_and(|time| self.unit.as_str() != time)
    }

    /// Whether a resource of it can be resized to `to`, which may be the same plan:
    ///
    /// | from | to | allowed |
    /// |---|---|---|
    /// | HOURLY | HOURLY of the same family, counting the same sizes | yes |
    /// | MONTHLY in arrears | MONTHLY in arrears of the same family, counting the same sizes | yes |
    /// | MONTHLY in advance | itself, with another size | yes |
    /// | HOURLY, MONTHLY | the other | no: a switch goes from hours to months |
    /// | METERED | anything | no |
    ///
    /// # Errors
    /// Which row of the table it breaks.
    pub fn resizes_to(&self, to: &Self) -> Result<(), PlanChangeError> {
        match (self.model, to.model) {
            (ChargeModel::Metered, _) | (_, ChargeModel::Metered) => Err(PlanChangeError::Metered),
            (one, other) if one != other => Err(PlanChangeError::Model),
            (ChargeModel::Hourly | ChargeModel::Monthly, _) => {
                self.holds_the_same_as(to)?;
                let in_advance = self.timing == Timing::Advance || to.timing == Timing::Advance;
                if in_advance && self.code != to.code { Err(PlanChangeError::Advance) } else { Ok(()) }
            }
        }
    }

    /// Whether a resource of it can be switched to `to`: from hours to months, of the same family and
    /// counting the same sizes (R5.3).
    ///
    /// # Errors
    /// Why not.
    pub fn switches_to(&self, to: &Self) -> Result<(), PlanChangeError> {
        match (self.model, to.model) {
            (ChargeModel::Hourly, ChargeModel::Monthly) => self.holds_the_same_as(to),
            (ChargeModel::Hourly | ChargeModel::Monthly | ChargeModel::Metered, _) => {
                Err(PlanChangeError::NotToMonthly)
            }
        }
    }

    fn holds_the_same_as(&self, to: &Self) -> Result<(), PlanChangeError> {
        if self.family != to.family {
            Err(PlanChangeError::Family)
        } else if self.unit.size(self.model) != to.unit.size(to.model) {
            Err(PlanChangeError::Size)
        } else {
            Ok(())
        }
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
    /// The price of a month it was derived from, if it was (R1.4): for display.
    pub monthly: Option<UnitPrice>,
    /// From when on it rates usage: a full hour.
    pub effective: Instant,
}

/// The first instant at which a price may begin or end that is made known at `now`: the next full hour. The
/// hour that has begun is rated already.
#[must_use]
pub fn earliest_change(now: Instant) -> Instant {
    now.floor_hour().plus_hours(1)
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
        PriceVersion { price, monthly: None, effective: at(effective) }
    }

    fn plan(model: ChargeModel, unit: &str) -> Plan {
        Plan {
            code: PlanCode::parse("b3-8").expect("a code"),
            display_name: "B3-8".to_owned(),
            family: PlanFamily::Instance,
            model,
            unit: Unit::parse(unit, model).expect("a unit"),
            timing: Timing::Arrears,
            retired: None,
            version: 1,
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
    fn plans_change_within_their_model_family_and_size_and_switch_from_hours_to_months_only() {
        let (hours, months) = (plan(ChargeModel::Hourly, "hour"), plan(ChargeModel::Monthly, "month"));
        let gib = plan(ChargeModel::Hourly, "GiB-hour");
        let storage = Plan { family: PlanFamily::Storage, ..hours.clone() };
        let metered = plan(ChargeModel::Metered, "GiB");
        assert_eq!(hours.resizes_to(&hours), Ok(()));
        assert_eq!(hours.resizes_to(&months), Err(PlanChangeError::Model));
        assert_eq!(hours.resizes_to(&gib), Err(PlanChangeError::Size));
        assert_eq!(hours.resizes_to(&storage), Err(PlanChangeError::Family));
        assert_eq!(metered.resizes_to(&metered), Err(PlanChangeError::Metered));
        assert_eq!(hours.switches_to(&months), Ok(()));
        assert_eq!(gib.switches_to(&months), Err(PlanChangeError::Size));
        assert_eq!(gib.switches_to(&plan(ChargeModel::Monthly, "GiB-month")), Ok(()));
        assert_eq!(months.switches_to(&hours), Err(PlanChangeError::NotToMonthly));
        let advance = Plan { timing: Timing::Advance, ..months.clone() };
        assert_eq!(advance.resizes_to(&advance), Ok(()));
        let other = Plan { code: PlanCode::parse("b3-16").expect("a code"), ..advance.clone() };
        assert_eq!(advance.resizes_to(&other), Err(PlanChangeError::Advance));
        assert_eq!(
            months.resizes_to(&Plan { timing: Timing::Advance, ..other }),
            Err(PlanChangeError::Advance)
        );
    }

    #[test]
    fn a_price_changes_at_the_next_full_hour_at_the_earliest() {
        assert_eq!(earliest_change(at("2027-03-10T11:00:00Z")), at("2027-03-10T12:00:00Z"));
        assert_eq!(earliest_change(at("2027-03-10T11:59:59.999999Z")), at("2027-03-10T12:00:00Z"));
    }

    #[test]
    fn a_retired_plan_is_no_longer_sold() {
        let retired = Plan { retired: Some(at("2027-01-01T00:00:00Z")), ..plan(ChargeModel::Hourly, "hour") };
        assert!(retired.is_sold_at(at("2026-12-31T23:59:59Z")));
        assert!(!retired.is_sold_at(at("2027-01-01T00:00:00Z")));
    }
}
