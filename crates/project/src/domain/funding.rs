//! What a project may spend (R4.8, R5.7): its funding standing, and the answer made of it.
//!
//! Owns: *available*, how it moves with time, and every reason why something may not start.
//! Always holds: what is committed at an instant is arithmetic on the standing, because HOURLY use grows by the same
//! amount every hour; where it would not (a month ends, a price changes, a hold is used up), the standing is no longer
//! valid. Nothing here is charged: the last cent of an estimate is cut against the customer, never rounded (R1.4).
//! Refuses to know: where the figures come from ([`super::reckoning`]).
//!
//! The hour begun counts in full: at 10:00 the hour up to 11:00 is committed.

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_settlement::{Currency, Decimal, Instant, Money, PlanFamily, Quantity, UnitPrice};

use super::{plan::PlanCode, project::ProjectState};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// An amount for each family of plans, in the order of [`PlanFamily::ALL`].
pub(crate) type ByFamily<T> = [T; PlanFamily::COUNT];
/// An amount for each non-empty set of families, by the bits of its members.
pub(crate) type BySet = [i64; SETS];
/// How many non-empty sets of families there are.
pub(crate) const SETS: usize = (1 << PlanFamily::COUNT) - 1;

/// The place of a family in [`ByFamily`].
#[must_use]
pub(crate) fn place(family: PlanFamily) -> usize {
    PlanFamily::ALL.iter().position(|known| *known == family).expect("every family is listed")
}

/// Whether the set of number `set` contains the family at `place`.
#[must_use]
pub(crate) const fn contains(set: usize, place: usize) -> bool {
    (set + 1) & (1 << place) != 0
}

/// Units of a currency per hour, exactly, at 20 decimals: as fine as a price times a size can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HourlyRate(i128);

impl HourlyRate {
    const SCALE: u32 = 20;
    /// Nothing an hour.
    pub(crate) const ZERO: Self = Self(0);

    /// What `size` of something costs at `price` an hour; none if it does not fit.
    #[must_use]
    pub(crate) fn of(price: UnitPrice, size: Quantity) -> Option<Self> {
        let (price, size) = (price.amount(), size.value());
        let missing = Self::SCALE.checked_sub(price.scale() + size.scale())?;
        let mantissa = price.mantissa().checked_mul(size.mantissa())?;
        mantissa.checked_mul(10_i128.checked_pow(missing)?).map(Self)
    }

    /// Reads a stored rate.
    #[must_use]
    pub(crate) fn read(value: Decimal) -> Option<Self> {
        let missing = Self::SCALE.checked_sub(value.scale())?;
        value.mantissa().checked_mul(10_i128.checked_pow(missing)?).map(Self)
    }

    /// The rate in units of its currency, for storage and display; none if it has more than 28 digits.
    #[must_use]
    pub(crate) fn value(self) -> Option<Decimal> {
        let (mut mantissa, mut scale) = (self.0, Self::SCALE);
        while scale > 0 && mantissa % 10 == 0 {
            (mantissa, scale) = (mantissa / 10, scale - 1);
        }
        Decimal::try_from_i128_with_scale(mantissa, scale).ok()
    }

    /// The sum.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference.
    #[must_use]
    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// A part of it: one of `parts`.
    #[must_use]
    pub(crate) const fn over(self, parts: i128) -> Self {
        Self(self.0 / parts)
    }

    /// Whether anything moves.
    #[must_use]
    pub(crate) const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Minor units of `currency` in `hours`, a begun one counted; the largest amount when it does not fit.
    #[must_use]
    pub(crate) fn minor(self, hours: i64, currency: Currency) -> i64 {
        let unit = Self::per_minor(currency);
        let exact = self.0.saturating_mul(i128::from(hours));
        let begun = i128::from(exact.rem_euclid(unit) != 0);
        i64::try_from(exact.div_euclid(unit) + begun).unwrap_or(i64::MAX)
    }

    /// How many whole hours `minor` minor units last; none when nothing moves.
    #[must_use]
    pub(crate) fn hours(self, minor: i64, currency: Currency) -> Option<i64> {
        let exact = i128::from(minor).checked_mul(Self::per_minor(currency))?;
        (self.0 > 0).then(|| i64::try_from(exact.div_euclid(self.0)).unwrap_or(i64::MAX))
    }

    /// How many whole seconds `minor` minor units last; none when nothing moves.
    #[must_use]
    pub(crate) fn seconds(self, minor: i64, currency: Currency) -> Option<i64> {
        let exact = i128::from(minor).checked_mul(Self::per_minor(currency))?.checked_mul(3600)?;
        (self.0 > 0).then(|| i64::try_from(exact.div_euclid(self.0)).unwrap_or(i64::MAX))
    }

    fn per_minor(currency: Currency) -> i128 {
        10_i128.pow(Self::SCALE - currency.exponent().min(Self::SCALE))
    }
}

/// What a project and its account have, need and use, as of [`Standing::through`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whose.
    pub(crate) account: AccountId,
    /// Which project.
    pub(crate) project: ProjectId,
    /// Its state.
    pub(crate) state: ProjectState,
    /// The account's currency; all amounts are in its minor units.
    pub(crate) currency: Currency,
    /// Whether the account has an unpaid debt.
    pub(crate) in_debt: bool,
    /// Whether the project may only start what is paid for.
    pub(crate) prepaid_only: bool,
    /// The most it is meant to use in a month.
    pub(crate) spend_cap: Option<i64>,
    /// What its own lots can pay at the next settlement.
    pub(crate) own: i64,
    /// What the account's lots can.
    pub(crate) shared: i64,
    /// What the account's other projects need of that, having used their own.
    pub(crate) others: i64,
    /// How that grows.
    pub(crate) others_rate: HourlyRate,
    /// What it has used and no invoice has, hours up to `through` counted.
    pub(crate) unbilled: i64,
    /// What it has used since the 1st of the month, hours up to `through` counted.
    pub(crate) spent: i64,
    /// What holds reserve.
    pub(crate) reserved: i64,
    /// What it uses in an hour, as it is charged by the hour.
    pub(crate) accrual: HourlyRate,
    /// What of the reserved becomes use in an hour.
    pub(crate) conversion: HourlyRate,
    /// What it costs in an hour on the average, monthly plans included.
    pub(crate) burn: HourlyRate,
    /// How many resources it has.
    pub(crate) in_use: ByFamily<i64>,
    /// How many of each family it may have.
    pub(crate) quotas: Quotas,
    /// What it takes to know which credit may pay for what; none while no lot is restricted.
    pub(crate) restricted: Option<Box<Restricted>>,
    /// Whether the cap was reached when it was last looked at.
    pub(crate) cap_reached: bool,
    /// Whether it was exhausted when it was last looked at.
    pub(crate) exhausted: bool,
    /// Whether its use could not be rated: then the figures mean nothing.
    pub(crate) unrated: bool,
    /// Up to which full hour use is counted.
    pub(crate) through: Instant,
    /// Until when the figures move as they say.
    pub(crate) valid_until: Instant,
}

/// The same figures by family, where some credit is restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restricted {
    /// What own lots can pay for the families of each set.
    pub(crate) own: BySet,
    /// What the account's lots can.
    pub(crate) shared: BySet,
    /// What is used and not invoiced.
    pub(crate) unbilled: ByFamily<i64>,
    /// What holds reserve.
    pub(crate) reserved: ByFamily<i64>,
    /// What is used in an hour.
    pub(crate) accrual: ByFamily<HourlyRate>,
    /// What of the reserved becomes use in an hour.
    pub(crate) conversion: ByFamily<HourlyRate>,
}

impl Restricted {
    /// What is needed for the families of `set` in `hours`.
    pub(crate) fn need(&self, set: usize, hours: i64, currency: Currency) -> i64 {
        let families = (0..PlanFamily::COUNT).filter(|place| contains(set, *place));
        families.fold(0_i64, |sum, place| {
            sum.saturating_add(grown(self.unbilled[place], self.accrual[place], hours, currency))
                .saturating_add(shrunk(self.reserved[place], self.conversion[place], hours, currency))
        })
    }
}

fn grown(amount: i64, rate: HourlyRate, hours: i64, currency: Currency) -> i64 {
    amount.saturating_add(rate.minor(hours, currency))
}

fn shrunk(amount: i64, rate: HourlyRate, hours: i64, currency: Currency) -> i64 {
    amount.saturating_sub(rate.minor(hours, currency)).max(0)
}

impl Standing {
    /// How many hours beyond `through` are committed at `at`: the one begun counts.
    #[must_use]
    pub(crate) fn hours_at(&self, at: Instant) -> i64 {
        (at.floor_hour().plus_hours(1).micros() - self.through.micros()).max(0) / MICROS_PER_HOUR
    }

    /// When `hours` hours beyond `through` are committed.
    #[must_use]
    pub(crate) fn instant_of(&self, hours: i64) -> Instant {
        let micros = hours.saturating_sub(1).saturating_mul(MICROS_PER_HOUR);
        let at = self.through.micros().checked_add(micros).and_then(|at| Instant::from_micros(at).ok());
        at.unwrap_or(Instant::MAX)
    }

    /// Whether its arithmetic still holds at `at`.
    #[must_use]
    pub(crate) fn is_valid_at(&self, at: Instant) -> bool {
        at < self.valid_until
    }

    /// *Available* at `at` (R4.8), in minor units: Σ lots alive at the next settlement − unbilled use − open holds.
    /// Of the account's lots what its other projects do not need. Below zero when more is used than is there.
    #[must_use]
    pub(crate) fn available_at(&self, at: Instant) -> i64 {
        let hours = self.hours_at(at);
        let others = grown(self.others, self.others_rate, hours, self.currency);
        left(self.own, self.need(hours), self.shared, others)
    }

    /// What of that may pay for `family`: less when credit is restricted to other families, or when what may pay
    /// for it is needed by them.
    #[must_use]
    pub(crate) fn available_for(&self, family: PlanFamily, at: Instant) -> i64 {
        let Some(restricted) = &self.restricted else { return self.available_at(at) };
        let hours = self.hours_at(at);
        let others = grown(self.others, self.others_rate, hours, self.currency);
        // Hall: what is asked of the families of a set can be paid if the lots that may pay any of them have it.
        let sets = (0..SETS).filter(|set| contains(*set, place(family)));
        let left = sets.map(|set| {
            let need = restricted.need(set, hours, self.currency);
            left(restricted.own[set], need, restricted.shared[set], others)
        });
        left.min().unwrap_or_default()
    }

    fn need(&self, hours: i64) -> i64 {
        let unbilled = grown(self.unbilled, self.accrual, hours, self.currency);
        unbilled.saturating_add(shrunk(self.reserved, self.conversion, hours, self.currency))
    }

    /// What was used since the 1st of the month, in minor units.
    #[must_use]
    pub(crate) fn spent_at(&self, at: Instant) -> i64 {
        grown(self.spent, self.accrual, self.hours_at(at), self.currency)
    }

    /// Whether the cap is reached at `at`.
    #[must_use]
    pub(crate) fn is_capped_at(&self, at: Instant) -> bool {
        self.spend_cap.is_some_and(|cap| self.spent_at(at) >= cap)
    }

    /// Whether nothing is available to a project that may only use what is paid for.
    #[must_use]
    pub(crate) fn is_exhausted_at(&self, at: Instant) -> bool {
        self.prepaid_only && self.available_at(at) <= 0
    }

    /// How long what is available at `at` lasts at the present burn, in seconds; none when nothing burns.
    #[must_use]
    pub(crate) fn runway_at(&self, at: Instant) -> Option<i64> {
        self.burn.seconds(self.available_at(at).max(0), self.currency)
    }

    /// When the cap is reached or the funds are exhausted by time alone, if they are before the standing ends.
    #[must_use]
    pub(crate) fn next_crossing(&self, at: Instant) -> Option<Instant> {
        let capped = self.spend_cap.filter(|_| !self.is_capped_at(at)).and_then(|cap| {
            // Growth is counted up, so that the cap is reached with more than the cent before it.
            let hours =
                self.accrual.hours(cap.saturating_sub(self.spent).saturating_sub(1), self.currency)?;
            Some(self.instant_of(hours.saturating_add(1)))
        });
        let exhausted =
            (self.prepaid_only && !self.is_exhausted_at(at)).then(|| self.exhaustion(at)).flatten();
        capped.into_iter().chain(exhausted).filter(|crossing| *crossing < self.valid_until).min()
    }

    /// When nothing is available any more, found by halving: what is available only falls.
    fn exhaustion(&self, at: Instant) -> Option<Instant> {
        let (mut early, mut late) =
            (self.hours_at(at), self.hours_at(self.valid_until.min(at.plus_days(40))));
        if self.available_at(self.instant_of(late)) > 0 {
            return None;
        }
        while early + 1 < late {
            let middle = early + (late - early) / 2;
            if self.available_at(self.instant_of(middle)) > 0 { early = middle } else { late = middle }
        }
        Some(self.instant_of(late))
    }

    /// An amount of its currency.
    #[must_use]
    pub(crate) const fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency)
    }
}

fn left(own: i64, need: i64, shared: i64, others: i64) -> i64 {
    own.saturating_sub(need).saturating_add(shared.saturating_sub(others).max(0))
}

/// What is to be started, as the catalogue sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing in particular: only the project is asked about.
    Nothing,
    /// Something that can be started, at this estimate for all of it.
    Something {
        /// Its family.
        family: PlanFamily,
        /// How many resources it makes.
        count: i64,
        /// What it costs over its cover.
        estimate: Money,
    },
    /// Something that cannot be started by anybody.
    Unavailable(Denial),
}

/// Why something may not start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The project is not ACTIVE.
    ProjectNotActive(ProjectState),
    /// The account has an unpaid debt.
    DebtUnpaid,
    /// The month's cap is reached.
    SpendCapReached {
        /// What was used.
        spent: Money,
        /// The cap.
        cap: Money,
    },
    /// A prepaid-only project has less than this costs.
    FundsExhausted {
        /// What is available for it.
        available: Money,
        /// What it is estimated to cost.
        estimate: Money,
    },
    /// There is no such plan.
    PlanUnknown(PlanCode),
    /// The plan is no longer sold.
    PlanRetired(PlanCode),
    /// The plan has no price in the account's currency now.
    PriceMissing(PlanCode, Currency),
    /// The project would have more resources of the family than it may have (R4.7).
    QuotaExceeded {
        /// The family.
        family: PlanFamily,
        /// How many it may have.
        quota: i64,
        /// How many it has.
        in_use: i64,
    },
}

/// How many resources of each family a project may have; none for as many as it likes.
pub(crate) type Quotas = ByFamily<Option<i64>>;

/// Every reason why `wanted` may not start at `at`, in a fixed order.
#[must_use]
pub(crate) fn denials(standing: &Standing, wanted: &Wanted, at: Instant) -> Vec<Denial> {
    let mut denials = Vec::new();
    if standing.state != ProjectState::Active {
        denials.push(Denial::ProjectNotActive(standing.state));
    }
    if standing.in_debt {
        denials.push(Denial::DebtUnpaid);
    }
    if let Some(cap) = standing.spend_cap.filter(|_| standing.is_capped_at(at)) {
        let (spent, cap) = (standing.money(standing.spent_at(at)), standing.money(cap));
        denials.push(Denial::SpendCapReached { spent, cap });
    }
    match wanted {
        Wanted::Nothing => {
            if standing.is_exhausted_at(at) {
                let available = standing.money(standing.available_at(at));
                denials.push(Denial::FundsExhausted { available, estimate: standing.money(0) });
            }
        }
        Wanted::Something { family, count, estimate } => {
            let available = standing.available_for(*family, at);
            if standing.prepaid_only && (available <= 0 || available < estimate.minor()) {
                let available = standing.money(available);
                denials.push(Denial::FundsExhausted { available, estimate: *estimate });
            }
            let (quota, in_use) = (standing.quotas[place(*family)], standing.in_use[place(*family)]);
            if let Some(quota) = quota.filter(|quota| in_use.saturating_add(*count) > *quota) {
                denials.push(Denial::QuotaExceeded { family: *family, quota, in_use });
            }
        }
        Wanted::Unavailable(denial) => denials.push(denial.clone()),
    }
    denials
}

impl Denial {
    /// What is wrong and what to do about it.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::ProjectNotActive(state) => format!("the project is {}, not ACTIVE", state.as_str()),
            Self::DebtUnpaid => "the account has an unpaid debt: pay it".to_owned(),
            Self::SpendCapReached { spent, cap } => {
                format!(
                    "{spent} of the month's cap of {cap} are used: raise or lift the cap, or wait for the next month"
                )
            }
            Self::FundsExhausted { available, estimate } => {
                format!(
                    "the project is prepaid-only; {available} is available and {estimate} needed: buy credit"
                )
            }
            Self::PlanUnknown(plan) => format!("there is no plan {plan}"),
            Self::PlanRetired(plan) => format!("plan {plan} is no longer sold"),
            Self::PriceMissing(plan, currency) => format!("plan {plan} has no price in {currency} now"),
            Self::QuotaExceeded { family, quota, in_use } => format!(
                "the project has {in_use} of at most {quota} resources of family {}: remove some, or ask for more",
                family.as_str()
            ),
        }
    }
}

#[cfg(test)]
mod tests;
