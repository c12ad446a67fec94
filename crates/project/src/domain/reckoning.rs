//! From what is there to what may be spent: the funding standings of an account's projects (R4.8).
//!
//! Owns: which lots count, what use and holds take of them, and until when the figures move by arithmetic alone.
//! Always holds: the same facts give the same standings; nothing is remembered but what was told already.
//! Refuses to know: the database, and what the answer is used for.
//!
//! | question | rule |
//! |---|---|
//! | which lots | those alive at the settlement of the present month: `issued ≤ settlement < expires` (R7.3) |
//! | lots that end before it, while an earlier month is not invoiced | as far as that month's use goes, and no further |
//! | lots of the account, which its projects share | a project may count on what its siblings do not need: each first uses its own lots, then the account's. Every hold and every use of a sibling counts at once, so that no credit is promised twice |
//! | restricted lots | by family, see [`Standing::available_for`]; what siblings need is taken off every family |
//! | a hold that belongs to a resource | what the resource has cost is taken off it: it turns into use |

use std::collections::BTreeMap;

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_settlement::{Currency, Instant, Lot, Month, PlanFamily, ProjectRef};

use super::{
    funding::{BySet, HourlyRate, Quotas, Restricted, SETS, Standing, contains, place},
    hold::{Hold, HoldEnd, HoldId},
    project::ProjectState,
    resource::ResourceId,
};

/// What is known of an account.
#[derive(Clone, Debug)]
pub(crate) struct AccountFacts {
    /// The account.
    pub(crate) account: AccountId,
    /// How long after a month's end its settlement is.
    pub(crate) delay_seconds: u64,
    /// Whether it has an unpaid debt.
    pub(crate) in_debt: bool,
    /// Its lots and its projects', of which something is left.
    pub(crate) lots: Vec<Lot>,
    /// All of its projects.
    pub(crate) projects: Vec<ProjectFacts>,
}

/// What is known of a project.
#[derive(Clone, Debug)]
pub(crate) struct ProjectFacts {
    /// The project.
    pub(crate) project: ProjectId,
    /// Its state.
    pub(crate) state: ProjectState,
    /// The account's currency.
    pub(crate) currency: Currency,
    /// The most it is meant to use in a month.
    pub(crate) spend_cap: Option<i64>,
    /// Whether it may only start what is paid for.
    pub(crate) prepaid_only: bool,
    /// How many resources of each family it may have.
    pub(crate) quotas: Quotas,
    /// What was told last.
    pub(crate) told: Told,
    /// From which instant on no invoice has its use; the start of a month.
    pub(crate) unbilled_from: Instant,
    /// What it used in the months from there on and in the present one, or nothing if it cannot be rated.
    pub(crate) used: Option<Vec<Used>>,
    /// What runs.
    pub(crate) running: Vec<Running>,
    /// Its holds that have not ended.
    pub(crate) holds: Vec<Hold>,
}

/// What was told of a project, so that nothing is told twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// That its cap is reached.
    pub(crate) cap_reached: bool,
    /// That its funds are exhausted.
    pub(crate) exhausted: bool,
}

/// What a resource used in a month, rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    /// The resource.
    pub(crate) resource: ResourceId,
    /// Its plan's family.
    pub(crate) family: PlanFamily,
    /// The month whose invoice it stands on; none for what fell due in advance and is invoiced by itself.
    pub(crate) month: Option<Month>,
    /// What it comes to, in minor units.
    pub(crate) net: i64,
}

/// A resource that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// The resource.
    pub(crate) resource: ResourceId,
    /// Its plan's family.
    pub(crate) family: PlanFamily,
    /// What every hour adds to its use.
    pub(crate) accrual: HourlyRate,
    /// What it costs in an hour on the average.
    pub(crate) burn: HourlyRate,
    /// When its price changes, if that is known.
    pub(crate) changes: Option<Instant>,
}

/// What came out for one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reckoned {
    /// The standing.
    pub(crate) standing: Standing,
    /// When it has to be looked at again.
    pub(crate) due: Instant,
    /// Holds that are over, and how.
    pub(crate) ended: Vec<(HoldId, HoldEnd)>,
    /// What has to be told.
    pub(crate) crossed: Vec<Crossed>,
}

/// Something that has come to be since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crossed {
    /// This month's use has reached the cap.
    CapReached,
    /// Nothing is available to a prepaid-only project.
    Exhausted,
    /// Something is again.
    Restored,
}

/// The standings of all projects of an account at `at`.
#[must_use]
pub(crate) fn reckon(facts: &AccountFacts, at: Instant) -> Vec<Reckoned> {
    share(facts.projects.iter().map(|project| alone(facts, project, at)).collect(), at)
}

/// The same at `at` when nothing has changed since they were computed but what lots there are. `known` are the standings
/// as they were, each with the instant it is due at: who wants it looked at earlier, because of use, still does. `None`
/// if they do not tell enough: they do not hold any more, an earlier month is not invoiced, or credit is restricted.
#[must_use]
pub(crate) fn recredit(
    known: Vec<(Standing, Instant)>,
    lots: &[Lot],
    delay_seconds: u64,
    at: Instant,
) -> Option<Vec<Reckoned>> {
    let (standings, due): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    let (month, through) = (Month::of(at), standings.first()?.through);
    let is_enough = |standing: &Standing| {
        // All of what is unbilled was used in this month: what ends before its settlement pays nothing.
        let no_arrears = standing.unbilled == standing.spent;
        let holds = standing.is_valid_at(at) && !standing.unrated && standing.through == through;
        holds && no_arrears && standing.restricted.is_none()
    };
    let is_for_all = |lot: &Lot| PlanFamily::ALL.iter().all(|family| lot.restriction().allows(*family));
    if !standings.iter().all(is_enough) || !lots.iter().all(is_for_all) {
        return None;
    }
    let next = month.end().plus_seconds(delay_seconds);
    let pays = |owner: Option<ProjectRef>| {
        let lots = lots.iter().filter(move |lot| lot.project() == owner && lot.is_alive_at(next));
        sum(lots.map(|lot| lot.remaining().minor()))
    };
    let shared = pays(None);
    let alone = standings.into_iter().map(|standing| {
        let own = pays(Some(ProjectRef::from_u128(standing.project.as_u128())));
        let told = Told { cap_reached: standing.cap_reached, exhausted: standing.exhausted };
        let (others, others_rate) = (0, HourlyRate::ZERO);
        let mut standing = Standing { own, shared, others, others_rate, ..standing };
        if own != 0 || shared != 0 {
            // What stood still may have held for ever.
            standing.valid_until = standing.valid_until.min(month.end());
        }
        Alone { standing, ended: Vec::new(), told }
    });
    let reckoned = share(alone.collect(), at).into_iter().zip(due);
    Some(reckoned.map(|(reckoned, due)| Reckoned { due: reckoned.due.min(due), ..reckoned }).collect())
}

/// What each project's siblings need of the account's lots is taken off what it may count on.
fn share(alone: Vec<Alone>, at: Instant) -> Vec<Reckoned> {
    let any_shared = alone.iter().any(|alone| alone.standing.shared > 0);
    let lacks: Vec<Lack> =
        if any_shared { alone.iter().map(|alone| lack(&alone.standing)).collect() } else { Vec::new() };
    let projects = alone.into_iter().enumerate().map(|(index, alone)| {
        let Alone { mut standing, ended, told } = alone;
        for (_, lack) in lacks.iter().enumerate().filter(|(other, _)| *other != index) {
            standing.others = standing.others.saturating_add(lack.amount);
            standing.others_rate = standing.others_rate.plus(lack.rate).unwrap_or(standing.others_rate);
            if let Some(hours) = lack.changes_after {
                standing.valid_until = standing.valid_until.min(standing.instant_of(hours));
            }
        }
        finished(standing, ended, told, at)
    });
    projects.collect()
}

fn finished(mut standing: Standing, ended: Vec<(HoldId, HoldEnd)>, told: Told, at: Instant) -> Reckoned {
    if standing.unrated {
        (standing.cap_reached, standing.exhausted) = (told.cap_reached, told.exhausted);
        let due = standing.valid_until;
        return Reckoned { standing, due, ended, crossed: Vec::new() };
    }
    (standing.cap_reached, standing.exhausted) = (standing.is_capped_at(at), standing.is_exhausted_at(at));
    let mut crossed = Vec::new();
    if standing.cap_reached && !told.cap_reached {
        crossed.push(Crossed::CapReached);
    }
    if standing.exhausted && !told.exhausted {
        crossed.push(Crossed::Exhausted);
    }
    if !standing.exhausted && told.exhausted && standing.prepaid_only {
        crossed.push(Crossed::Restored);
    }
    let due = standing.next_crossing(at).unwrap_or(standing.valid_until).min(standing.valid_until);
    Reckoned { standing, due, ended, crossed }
}

/// A project by itself: nothing is known yet of what its siblings need.
struct Alone {
    standing: Standing,
    ended: Vec<(HoldId, HoldEnd)>,
    told: Told,
}

fn alone(facts: &AccountFacts, project: &ProjectFacts, at: Instant) -> Alone {
    let month = Month::of(at);
    let used = project.used.as_deref().unwrap_or_default();
    let unbilled =
        || used.iter().filter(|used| used.month.is_none_or(|month| project.unbilled_from <= month.start()));
    let arrears = sum(unbilled().filter(|used| used.month.is_none_or(|of| of < month)).map(|used| used.net));
    let credit = Credit::of(facts, project, arrears, month);
    let reserve = Reserve::of(project, used, at);
    let accrual = total(project.running.iter().map(|running| running.accrual));
    let mut in_use = [0; PlanFamily::COUNT];
    for running in &project.running {
        in_use[place(running.family)] += 1;
    }
    let restricted = credit.sets.map(|(own, shared)| {
        let mut by_family = Restricted {
            own,
            shared,
            reserved: reserve.by_family.map(|(amount, _)| amount),
            conversion: reserve.by_family.map(|(_, rate)| rate),
            ..Restricted::default()
        };
        for used in unbilled() {
            let amount = &mut by_family.unbilled[place(used.family)];
            *amount = amount.saturating_add(used.net);
        }
        for running in &project.running {
            let rate = &mut by_family.accrual[place(running.family)];
            *rate = rate.plus(running.accrual).unwrap_or(*rate);
        }
        Box::new(by_family)
    });
    let mut standing = Standing {
        account: facts.account,
        project: project.project,
        state: project.state,
        currency: project.currency,
        in_debt: facts.in_debt,
        prepaid_only: project.prepaid_only,
        spend_cap: project.spend_cap,
        own: credit.own,
        shared: credit.shared,
        others: 0,
        others_rate: HourlyRate::ZERO,
        unbilled: sum(unbilled().map(|used| used.net)),
        spent: sum(used.iter().filter(|used| used.month == Some(month)).map(|used| used.net)),
        reserved: sum(reserve.by_family.iter().map(|(amount, _)| *amount)),
        accrual,
        conversion: total(reserve.by_family.iter().map(|(_, rate)| *rate)),
        burn: total(project.running.iter().map(|running| running.burn)),
        in_use,
        quotas: project.quotas,
        restricted,
        cap_reached: project.told.cap_reached,
        exhausted: project.told.exhausted,
        unrated: project.used.is_none(),
        through: at.floor_hour().plus_hours(1),
        valid_until: Instant::MAX,
    };
    let is_still = project.running.is_empty()
        && standing.own == 0
        && standing.shared == 0
        && standing.spent == 0
        && standing.unbilled == 0;
    let ends = project.running.iter().filter_map(|running| running.changes).chain(reserve.ends);
    let conversions = reserve.conversions.iter().map(|hours| standing.instant_of(*hours));
    let month_end = (!is_still).then(|| month.end());
    standing.valid_until = ends.chain(conversions).chain(month_end).min().unwrap_or(Instant::MAX);
    if standing.unrated {
        standing.valid_until = at.plus_hours(1);
    }
    Alone { standing, ended: reserve.ended, told: project.told }
}

fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}

fn total(rates: impl Iterator<Item = HourlyRate>) -> HourlyRate {
    rates.fold(HourlyRate::ZERO, |sum, rate| sum.plus(rate).unwrap_or(sum))
}

/// What lots can pay.
struct Credit {
    own: i64,
    shared: i64,
    sets: Option<(BySet, BySet)>,
}

impl Credit {
    fn of(facts: &AccountFacts, project: &ProjectFacts, arrears: i64, month: Month) -> Self {
        let settlement = |month: Month| month.end().plus_seconds(facts.delay_seconds);
        let next = settlement(month);
        // Use of an earlier month that is not invoiced may still be paid by what ends before the next settlement.
        let earlier = (arrears > 0).then(|| settlement(Month::of(project.unbilled_from)));
        let reference = ProjectRef::from_u128(project.project.as_u128());
        let theirs = |lot: &&Lot| lot.project().is_none_or(|owner| owner == reference);
        let mut lots = Pots::default();
        for lot in facts.lots.iter().filter(theirs) {
            let is_own = lot.project().is_some();
            if lot.is_alive_at(next) {
                lots.add(lot, is_own, Ends::After);
            } else if earlier.is_some_and(|earlier| lot.expires().is_some_and(|expires| earlier < expires)) {
                lots.add(lot, is_own, Ends::Before);
            }
        }
        let capped = |pot: &Pot| pot.after.saturating_add(pot.before.min(arrears));
        // What the own lots do not pay of the arrears, the account's may.
        let rest = arrears.saturating_sub(capped(&lots.own)).max(0);
        let shared = lots.shared.after.saturating_add(lots.shared.before.min(rest));
        let sets = lots.restricted.then(|| {
            let mut sets = ([0; SETS], [0; SETS]);
            for set in 0..SETS {
                sets.0[set] = capped(&lots.own_of(set));
                let pot = lots.shared_of(set);
                sets.1[set] = pot.after.saturating_add(pot.before.min(rest));
            }
            sets
        });
        Self { own: capped(&lots.own), shared, sets }
    }
}

#[derive(Clone, Copy)]
enum Ends {
    Before,
    After,
}

/// Value that ends before the next settlement, and after it.
#[derive(Clone, Copy, Default)]
struct Pot {
    before: i64,
    after: i64,
}

impl Pot {
    fn add(&mut self, value: i64, ends: Ends) {
        match ends {
            Ends::Before => self.before = self.before.saturating_add(value),
            Ends::After => self.after = self.after.saturating_add(value),
        }
    }
}

#[derive(Default)]
struct Pots {
    own: Pot,
    shared: Pot,
    restricted: bool,
    own_by_set: [Pot; SETS],
    shared_by_set: [Pot; SETS],
}

impl Pots {
    fn add(&mut self, lot: &Lot, is_own: bool, ends: Ends) {
        let value = lot.remaining().minor();
        let payable = |place: usize| lot.restriction().allows(PlanFamily::ALL[place]);
        self.restricted |= !(0..PlanFamily::COUNT).all(payable);
        let (pot, by_set) = if is_own {
            (&mut self.own, &mut self.own_by_set)
        } else {
            (&mut self.shared, &mut self.shared_by_set)
        };
        pot.add(value, ends);
        for (set, pot) in by_set.iter_mut().enumerate() {
            if (0..PlanFamily::COUNT).any(|place| contains(set, place) && payable(place)) {
                pot.add(value, ends);
            }
        }
    }

    const fn own_of(&self, set: usize) -> Pot {
        self.own_by_set[set]
    }

    const fn shared_of(&self, set: usize) -> Pot {
        self.shared_by_set[set]
    }
}

/// What holds reserve, and until when that moves by arithmetic.
#[derive(Default)]
struct Reserve {
    by_family: [(i64, HourlyRate); PlanFamily::COUNT],
    ended: Vec<(HoldId, HoldEnd)>,
    ends: Vec<Instant>,
    conversions: Vec<i64>,
}

impl Reserve {
    fn of(project: &ProjectFacts, used: &[Used], at: Instant) -> Self {
        let mut cost: BTreeMap<ResourceId, i64> = BTreeMap::new();
        for used in used {
            let sum = cost.entry(used.resource).or_default();
            *sum = sum.saturating_add(used.net);
        }
        let mut reserve = Self::default();
        for hold in &project.holds {
            if hold.expires <= at {
                reserve.ended.push((hold.id, HoldEnd::TimedOut));
                continue;
            }
            let amount = hold.unit_amount.minor();
            match hold.resource {
                None => {
                    let amount = amount.saturating_mul(hold.count - hold.used);
                    reserve.add(hold.family, amount, HourlyRate::ZERO);
                }
                Some(resource) => {
                    let Some(running) = project.running.iter().find(|running| running.resource == resource)
                    else {
                        reserve.ended.push((hold.id, HoldEnd::Removed));
                        continue;
                    };
                    let left = amount.saturating_sub(cost.get(&resource).copied().unwrap_or_default());
                    if left <= 0 {
                        reserve.ended.push((hold.id, HoldEnd::Used));
                        continue;
                    }
                    reserve.add(running.family, left, running.accrual);
                    let hours = running.accrual.hours(left, project.currency);
                    reserve.conversions.extend(hours.map(|hours| hours.saturating_add(1)));
                }
            }
            reserve.ends.push(hold.expires);
        }
        reserve
    }

    fn add(&mut self, family: PlanFamily, amount: i64, rate: HourlyRate) {
        let (sum, conversion) = &mut self.by_family[place(family)];
        *sum = sum.saturating_add(amount);
        *conversion = conversion.plus(rate).unwrap_or(*conversion);
    }
}

/// What a project needs of the account's lots, having used its own, and how that grows.
#[derive(Clone, Copy)]
struct Lack {
    amount: i64,
    rate: HourlyRate,
    changes_after: Option<i64>,
}

/// The upper one of lines that grow by the hour: nothing, and what each set of families lacks.
fn lack(standing: &Standing) -> Lack {
    let whole = standing.unbilled.saturating_add(standing.reserved).saturating_sub(standing.own);
    let rate = standing.accrual.minus(standing.conversion).unwrap_or(standing.accrual);
    let mut lines = vec![(0, HourlyRate::ZERO), (whole, rate)];
    if let Some(restricted) = &standing.restricted {
        lines.extend((0..SETS).map(|set| {
            let amount = restricted.need(set, 0, standing.currency).saturating_sub(restricted.own[set]);
            let places = (0..PlanFamily::COUNT).filter(|place| contains(set, *place));
            let rate = total(places.map(|place| {
                let (accrual, conversion) = (restricted.accrual[place], restricted.conversion[place]);
                accrual.minus(conversion).unwrap_or(accrual)
            }));
            (amount, rate)
        }));
    }
    let (amount, rate) = lines.iter().copied().max().unwrap_or((0, HourlyRate::ZERO));
    let changes = lines.iter().filter_map(|(other, steeper)| {
        let gap = steeper.minus(rate).filter(|gap| gap.is_positive())?;
        gap.hours(amount.saturating_sub(*other), standing.currency).map(|hours| hours.saturating_add(1))
    });
    Lack { amount, rate, changes_after: changes.min() }
}

#[cfg(test)]
mod tests;
