//! May this start now (R4.8): the hottest read, and what it takes to answer it with one row.

use florin_credit::ProjectId;
use florin_platform::{Platform, call::Call, coalesce::Coalescer, db::Kept, id::AccountId};
use florin_settlement::{Instant, Money, Period, Quantity};
use sea_orm::DbErr;

use super::{
    price_list::{PriceList, Prices},
    query,
    standings::Standings,
};
use crate::{
    domain::{
        funding::{Denial, Standing, Wanted, denials},
        hold::{covered_until, times},
        plan::{Plan, PlanCode, Timing},
        project::project_name,
        rating::{self, Held},
        tariff::Tariff,
    },
    error::Error,
    store::{
        self,
        standing::{Found, KEYS_MAX, Key},
    },
};

/// How often a standing that no longer holds is computed anew for one call.
const TRIES_MAX: u32 = 3;

/// What is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) launch: Option<Launch>,
}

/// So many resources of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) plan: PlanCode,
    pub(crate) size: Option<Quantity>,
    pub(crate) count: i64,
    pub(crate) cover_hours: i64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) standing: Standing,
    pub(crate) wanted: Wanted,
    pub(crate) denials: Vec<Denial>,
    pub(crate) at: Instant,
}

impl Checked {
    /// Until when the answer holds if nobody changes anything: until the standing ends, or time alone turns a yes
    /// into a no.
    #[must_use]
    pub(crate) fn valid_until(&self) -> Instant {
        let Wanted::Something { family, estimate, .. } = &self.wanted else {
            return self.standing.valid_until;
        };
        if !self.standing.prepaid_only || !self.denials.is_empty() {
            return self.standing.next_crossing(self.at).unwrap_or(self.standing.valid_until);
        }
        let spare = self.standing.available_for(*family, self.at).saturating_sub(estimate.minor());
        let lasts = self.standing.accrual.hours(spare, self.standing.currency);
        let flips =
            lasts.map(|hours| self.at.floor_hour().plus_hours(u32::try_from(hours).unwrap_or(u32::MAX)));
        flips.map_or(self.standing.valid_until, |flips| flips.plus_hours(1).min(self.standing.valid_until))
    }
}

/// Answers `CheckFunding`.
#[derive(Clone, Debug)]
pub(crate) struct Funding {
    platform: Platform,
    standings: Standings,
    prices: PriceList,
    found: Coalescer<Key, Result<Option<Found>, DbErr>>,
}

impl Funding {
    /// Over `platform`, whose standings `standings` keeps true. Within a runtime.
    #[must_use]
    pub(crate) fn new(platform: Platform, standings: Standings) -> Self {
        let kept = Kept::new(platform.db.clone());
        let found = Coalescer::new(KEYS_MAX, move |keys: Vec<Key>| {
            let kept = kept.clone();
            async move {
                match store::standing::of_keys(&kept, &keys).await {
                    Ok(found) => keys.iter().map(|key| Ok(found.get(key).cloned())).collect(),
                    Err(error) => keys.iter().map(|_| Err(error.clone())).collect(),
                }
            }
        });
        Self { platform, standings, prices: PriceList::default(), found }
    }

    /// What keeps the standings.
    pub(crate) const fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Where everything is kept.
    pub(crate) const fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Whether what is asked may start now.
    pub(crate) async fn check(&self, call: &Call, ask: &Ask) -> Result<Checked, Error> {
        let key = (ask.account, ask.project);
        let name = || project_name(ask.account, ask.project);
        if !call.may_see(ask.account) {
            query::reach(self.platform.db.reader(), call, ask.account, ask.project).await?;
        }
        for _ in 0..TRIES_MAX {
            let found = self.found.ask(key).await.map_err(Error::Unanswered)??;
            let found = found.ok_or_else(|| Error::NotFound(name()))?;
            let at = self.platform.clock.now_ahead_by(found.clock_offset)?;
            if found.standing.is_valid_at(at) {
                let prices = self.prices.at(&self.platform.db, found.catalogue_version).await?;
                return checked(found.standing, ask.launch.as_ref(), &prices, at);
            }
            self.standings.refresh(&self.platform, &[ask.account]).await?;
        }
        Err(Error::Database(DbErr::Custom(format!("the standing of {} does not hold", name()))))
    }
}

/// Whether `launch` may start in a project of this standing at `at`.
pub(crate) fn checked(
    standing: Standing,
    launch: Option<&Launch>,
    prices: &Prices,
    at: Instant,
) -> Result<Checked, Error> {
    if standing.unrated {
        return Err(Error::Unrated(project_name(standing.account, standing.project)));
    }
    let wanted = match launch {
        Some(launch) => wanted(launch, &prices.tariff(standing.account, standing.currency), at)?,
        None => Wanted::Nothing,
    };
    let denials = denials(&standing, &wanted, at);
    Ok(Checked { standing, wanted, denials, at })
}

/// What a launch is to whoever pays this tariff: what it costs over its cover, or why nobody can start it.
pub(crate) fn wanted(launch: &Launch, tariff: &Tariff<'_>, at: Instant) -> Result<Wanted, Error> {
    let unavailable = |denial| Ok(Wanted::Unavailable(denial));
    let Ok(priced) = tariff.plan(&launch.plan) else {
        return unavailable(Denial::PlanUnknown(launch.plan.clone()));
    };
    if !priced.plan.is_sold_at(at) {
        return unavailable(Denial::PlanRetired(launch.plan.clone()));
    }
    if tariff.price(&launch.plan, at).is_err() {
        return unavailable(Denial::PriceMissing(launch.plan.clone(), tariff.currency()));
    }
    let size = launch.sized(&priced.plan)?;
    let one = estimate(&launch.plan, size, launch.cover_hours, tariff, at)?;
    let (family, estimate) = (priced.plan.family, times(one, launch.count)?);
    Ok(Wanted::Something { family, count: launch.count, estimate })
}

impl Launch {
    /// How much of the plan each is, if the plan has a size.
    pub(crate) fn sized(&self, plan: &Plan) -> Result<Quantity, Error> {
        let size = self.size.unwrap_or_else(|| Quantity::whole(1));
        let fits = plan.is_sized() || size == Quantity::whole(1);
        let mut violations = florin_platform::violation::Violations::new();
        violations.check(
            "size",
            fits,
            format!("must be 1 or absent: {} is charged per {}", plan.code, plan.unit),
        );
        violations.finish()?;
        Ok(size)
    }
}

/// What `size` of `plan` costs from `at` on for so many hours, by the code that rates use: whole hours, monthly
/// charges that fall due, what is charged in advance. What is measured costs nothing before it is.
pub(crate) fn estimate(
    plan: &PlanCode,
    size: Quantity,
    cover_hours: i64,
    tariff: &Tariff<'_>,
    at: Instant,
) -> Result<Money, Error> {
    let until = covered_until(at, cover_hours);
    let held = Held { plan: plan.clone(), size, from: at, to: None };
    let period = Period::try_new(at.start_of_month(), until.max(at).start_of_next_month());
    let period = period.expect("the next month begins after this one");
    let at_once = match tariff.plan(plan)?.plan.timing {
        Timing::Advance => rating::due_at_once(&[], &held, tariff)?,
        Timing::Arrears => None,
    };
    let lines = rating::rate(&[held], tariff, period, until)?;
    let nets = lines.into_iter().chain(at_once).map(|line| line.net);
    Ok(Money::sum(nets, tariff.currency())?)
}
