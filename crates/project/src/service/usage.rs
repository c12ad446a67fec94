//! Usage, rated: the same lines for the current figures, the estimate and the invoice.

use std::collections::{BTreeMap, BTreeSet};

use florin_credit::ProjectId;
use florin_platform::{db::Tx, id::AccountId};
use florin_settlement::{Currency, Instant, Month, Period};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        metered::{self, Metered, Sum},
        plan::{PlanCode, PricedPlan},
        rating::{self, Rated, RatingError},
        resource::{Labels, ResourceId},
        tariff::{OwnPrices, Tariff},
        usage::RatedLine,
    },
    error::Error,
    store::{self, usage::Usage, usage_month::Which},
};

/// What `projects` used in `period`, as known at `until`: what still runs is counted up to there, the hour that
/// `until` cuts included; and what was measured and is due with the last month of `period`, late usage of earlier
/// months included (R5.5). Ordered by account, project, resource, month, plan and price version.
///
/// What was charged in advance as it was added is not among them: see [`super::advance`]. What is charged in
/// advance on the 1st at which `period` ends is.
///
/// A fixed number of queries, however many projects: what they held, what was measured, the plans, the prices, those
/// negotiated; one more when a price changed within what was measured.
///
/// Whoever invoices these lines, of whatever kind the invoice is, calls [`close`] in the same transaction: otherwise
/// the measured ones are due again.
///
/// # Errors
/// [`Error::Rating`] if anything of any of the projects cannot be rated.
pub async fn of_projects(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    period: Period,
    until: Instant,
) -> Result<Vec<RatedLine>, Error> {
    let last = period.to().minus(std::time::Duration::from_micros(1));
    let due = Which::Due { after: None, through: Month::of(last) };
    let known = Known::read(connection, projects, period, due).await?;
    known.lines(period, until, |_| None)
}

/// Says that `month` of `projects` is invoiced, or that nothing of it was due: measured usage that comes from now on
/// belongs to later invoices (R5.5). Everything due with `month`, as [`of_projects`] reads it, must have been
/// billed in this transaction, with the accounts locked.
///
/// | usage comes | and the project's month | then it is billed |
/// |---|---|---|
/// | before the lock is taken | is open | with this month: it was read under the lock |
/// | after the commit | is closed | with the next month: ingestion holds the same lock and sees the closing |
/// | for a project the run did not look at | stays open | with the next month that is billed: that one carries everything since the last closing |
pub async fn close(
    tx: &Tx,
    at: Instant,
    month: Month,
    projects: &[(AccountId, ProjectId)],
) -> Result<(), Error> {
    Ok(store::usage_month::close(tx, at, month, projects).await?)
}

/// Everything that usage of some projects is rated by.
pub(crate) struct Known {
    pub(crate) held: Vec<Usage>,
    pub(crate) metered: Vec<Metered>,
    pub(crate) catalogue: BTreeMap<PlanCode, PricedPlan>,
    own: BTreeMap<AccountId, OwnPrices>,
}

impl Known {
    /// Reads it: what was held in `period`, and the measured sums wanted.
    pub(crate) async fn read(
        connection: &impl ConnectionTrait,
        projects: &[(AccountId, ProjectId)],
        period: Period,
        which: Which,
    ) -> Result<Self, Error> {
        let projects: Vec<_> = projects.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let held = store::usage::held(connection, &projects, period).await?;
        let metered = store::usage_month::sums(connection, &projects, which).await?;
        let held_plans = held.iter().flat_map(|usage| &usage.held).map(|held| &held.plan);
        let measured_plans = metered.iter().flat_map(|metered| &metered.sums).map(|sum| &sum.plan);
        let codes: BTreeSet<&PlanCode> = held_plans.chain(measured_plans).collect();
        let codes: Vec<&PlanCode> = codes.into_iter().collect();
        let catalogue = store::plan::of_codes(connection, &codes).await?;
        let accounts: BTreeSet<AccountId> = held.iter().map(|usage| usage.account).collect();
        let accounts: BTreeSet<AccountId> =
            accounts.into_iter().chain(metered.iter().map(|metered| metered.account)).collect();
        let own =
            store::own_price::of_accounts(connection, &accounts.into_iter().collect::<Vec<_>>()).await?;
        let mut known = Self { held, metered, catalogue, own };
        known.cut(connection, which).await?;
        Ok(known)
    }

    /// The catalogue as `account` sees it.
    pub(crate) fn tariff(&self, account: AccountId, currency: Currency) -> Tariff<'_> {
        let tariff = Tariff::new(currency, &self.catalogue);
        self.own.get(&account).map_or(tariff, |own| tariff.with_own(own))
    }

    /// Cuts the measured sums of plans whose price changes within them: those are read hour by hour.
    async fn cut(&mut self, connection: &impl ConnectionTrait, which: Which) -> Result<(), Error> {
        let (mut plans, mut cuts) = (BTreeSet::new(), BTreeSet::new());
        for metered in &self.metered {
            let tariff = self.tariff(metered.account, metered.currency);
            for sum in &metered.sums {
                let of_sum = metered::cuts(sum, &tariff)?;
                if !of_sum.is_empty() {
                    plans.insert((metered.account, metered.project, sum.plan.clone()));
                    cuts.extend(of_sum);
                }
            }
        }
        if plans.is_empty() {
            return Ok(());
        }
        let cuts: Vec<Instant> = cuts.into_iter().collect();
        let mut parts = store::usage_hour::cut(connection, &plans, which, &cuts).await?;
        for metered in &mut self.metered {
            let (account, project) = (metered.account, metered.project);
            metered.sums.retain(|sum| !plans.contains(&(account, project, sum.plan.clone())));
            metered.sums.extend(parts.remove(&(account, metered.resource)).unwrap_or_default());
        }
        Ok(())
    }

    /// The lines, up to `until`; measured ones say by which month's invoice they are carried if `carried` does.
    pub(crate) fn lines(
        &self,
        period: Period,
        until: Instant,
        carried: impl Fn(&Sum) -> Option<Month>,
    ) -> Result<Vec<RatedLine>, Error> {
        let mut lines = Vec::new();
        for usage in &self.held {
            let tariff = self.tariff(usage.account, usage.currency);
            for line in rating::rate(&usage.held, &tariff, period, until)? {
                lines.push(self.line(Subject::of(usage), line, None)?);
            }
        }
        for metered in &self.metered {
            let tariff = self.tariff(metered.account, metered.currency);
            for (billed_with, line) in metered::rate(metered, &tariff, &carried)? {
                lines.push(self.line(Subject::measured(metered), line, billed_with)?);
            }
        }
        sort(&mut lines);
        Ok(lines)
    }

    /// One line of one resource.
    pub(crate) fn line(
        &self,
        subject: Subject<'_>,
        rated: Rated,
        billed_with: Option<Month>,
    ) -> Result<RatedLine, RatingError> {
        let known = self.catalogue.get(&rated.plan);
        let plan = &known.ok_or_else(|| RatingError::UnknownPlan(rated.plan.clone()))?.plan;
        Ok(RatedLine {
            account: subject.account,
            project: subject.project,
            resource: subject.resource,
            resource_name: subject.name.to_owned(),
            region: subject.region.to_owned(),
            labels: subject.labels.clone(),
            plan: rated.plan.to_string(),
            plan_name: plan.display_name.clone(),
            family: plan.family,
            unit: plan.unit.to_string(),
            price_effective: rated.price_effective,
            period: rated.period,
            quantity: rated.quantity,
            divisor: rated.divisor,
            unit_price: rated.unit_price,
            net: rated.net,
            billed_with,
        })
    }
}

/// The order of lines: by account, project, resource, month, plan and price version.
pub(crate) fn sort(lines: &mut [RatedLine]) {
    lines.sort_by(|one, other| {
        let key = |line: &RatedLine| {
            let place = (line.account, line.project, line.resource, Month::of(line.period.from()));
            (place, line.price_effective, line.divisor, line.billed_with)
        };
        let (place, version) = (key(one), key(other));
        (place.0, &one.plan, place.1, place.2, place.3).cmp(&(
            version.0,
            &other.plan,
            version.1,
            version.2,
            version.3,
        ))
    });
}

/// What a line is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    account: AccountId,
    project: ProjectId,
    resource: ResourceId,
    name: &'a str,
    region: &'a str,
    labels: &'a Labels,
}

impl<'a> Subject<'a> {
    fn of(usage: &'a Usage) -> Self {
        Self {
            account: usage.account,
            project: usage.project,
            resource: usage.resource,
            name: &usage.name,
            region: &usage.region,
            labels: &usage.labels,
        }
    }

    /// What measured usage is about.
    pub(crate) fn measured(metered: &'a Metered) -> Self {
        Self {
            account: metered.account,
            project: metered.project,
            resource: metered.resource,
            name: &metered.name,
            region: &metered.region,
            labels: &metered.labels,
        }
    }
}
