//! Usage, rated: the same lines for the current figures, the estimate and the invoice.

use std::collections::{BTreeMap, BTreeSet};

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_settlement::{Instant, Period};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        plan::{PlanCode, PricedPlan},
        rating::{self, RatingError},
        tariff::{OwnPrices, Tariff},
        usage::RatedLine,
    },
    error::Error,
    store::{self, usage::Usage},
};

/// What `projects` used in `period`, as known at `until`: what still runs is counted up to there, the
/// hour that `until` cuts included. Ordered by account, project, resource, month, plan and price version.
///
/// What was charged in advance as it was added is not among them: see [`super::advance`]. What is charged in
/// advance on the 1st at which `period` ends is.
///
/// A fixed number of queries, however many projects: what they held, the plans, the prices, those negotiated.
///
/// # Errors
/// [`Error::Rating`] if anything of any of the projects cannot be rated.
pub async fn of_projects(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    period: Period,
    until: Instant,
) -> Result<Vec<RatedLine>, Error> {
    let projects: Vec<_> = projects.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let used = store::usage::held(connection, &projects, period).await?;
    let codes: BTreeSet<&PlanCode> =
        used.iter().flat_map(|usage| &usage.held).map(|held| &held.plan).collect();
    let codes: Vec<&PlanCode> = codes.into_iter().collect();
    let catalogue = store::plan::of_codes(connection, &codes).await?;
    let accounts: BTreeSet<AccountId> = used.iter().map(|usage| usage.account).collect();
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    let own = store::own_price::of_accounts(connection, &accounts).await?;
    let nothing = OwnPrices::new();
    let mut lines = Vec::new();
    for usage in &used {
        let tariff = Tariff::new(usage.currency, &catalogue);
        let tariff = tariff.with_own(own.get(&usage.account).unwrap_or(&nothing));
        lines.extend(rated(usage, &catalogue, &tariff, period, until)?);
    }
    Ok(lines)
}

fn rated(
    usage: &Usage,
    catalogue: &BTreeMap<PlanCode, PricedPlan>,
    tariff: &Tariff<'_>,
    period: Period,
    until: Instant,
) -> Result<Vec<RatedLine>, RatingError> {
    let rated = rating::rate(&usage.held, tariff, period, until)?;
    rated
        .into_iter()
        .map(|line| {
            let known =
                catalogue.get(&line.plan).ok_or_else(|| RatingError::UnknownPlan(line.plan.clone()))?;
            let plan = &known.plan;
            Ok(RatedLine {
                account: usage.account,
                project: usage.project,
                resource: usage.resource,
                resource_name: usage.name.clone(),
                region: usage.region.clone(),
                labels: usage.labels.clone(),
                plan: line.plan.to_string(),
                plan_name: plan.display_name.clone(),
                family: plan.family,
                unit: plan.unit.to_string(),
                price_effective: line.price_effective,
                period: line.period,
                quantity: line.quantity,
                divisor: line.divisor,
                unit_price: line.unit_price,
                net: line.net,
            })
        })
        .collect()
}
