//! What goes on costing: for runways, holds and caps, never for a charge (R4.8).

use std::collections::{BTreeMap, BTreeSet};

use florin_credit::ProjectId;
use florin_platform::id::AccountId;
use florin_settlement::{Currency, Instant, Period, Quantity};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        plan::PlanCode,
        rating::{Burn, StartingCost, burn_per_hour, cost_of_starting},
        tariff::{OwnPrices, Tariff},
    },
    error::Error,
    store,
};

/// What runs in each of `projects` at `at` costs per hour, at the prices then in force; those in which nothing
/// runs are left out. A fixed number of queries, however many projects.
///
/// # Errors
/// [`Error::Rating`] if anything has no price.
pub async fn of_projects(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    at: Instant,
) -> Result<BTreeMap<(AccountId, ProjectId), Burn>, Error> {
    let projects: Vec<_> = projects.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let Ok(now) = Period::try_new(at, at.plus(std::time::Duration::from_micros(1))) else {
        return Ok(BTreeMap::new());
    };
    let used = store::usage::held(connection, &projects, now).await?;
    let codes: BTreeSet<&PlanCode> =
        used.iter().flat_map(|usage| &usage.held).map(|held| &held.plan).collect();
    let catalogue = store::plan::of_codes(connection, &codes.into_iter().collect::<Vec<_>>()).await?;
    let accounts: BTreeSet<AccountId> = used.iter().map(|usage| usage.account).collect();
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    let own = store::own_price::of_accounts(connection, &accounts).await?;
    let nothing = OwnPrices::new();
    let mut burns = BTreeMap::new();
    for usage in &used {
        let tariff = Tariff::new(usage.currency, &catalogue);
        let tariff = tariff.with_own(own.get(&usage.account).unwrap_or(&nothing));
        let running = usage.held.iter().filter(|held| held.to.is_none_or(|to| at < to));
        let burn = burn_per_hour(running.map(|held| (&held.plan, held.size)), &tariff, at)?;
        let of_project =
            burns.entry((usage.account, usage.project)).or_insert_with(|| Burn::none(usage.currency));
        *of_project = of_project.checked_add(burn)?;
    }
    Ok(burns)
}

/// What starting `size` of `plan` costs an account at `at`, with what was negotiated with it.
///
/// # Errors
/// [`Error::PlanUnknown`], [`Error::Rating`] if it has no price then.
pub async fn of_starting(
    connection: &impl ConnectionTrait,
    (account, currency): (AccountId, Currency),
    plan: &PlanCode,
    size: Quantity,
    at: Instant,
) -> Result<StartingCost, Error> {
    let catalogue = store::plan::of_codes(connection, &[plan]).await?;
    if !catalogue.contains_key(plan) {
        return Err(Error::PlanUnknown(plan.to_string()));
    }
    let own = store::own_price::of_accounts(connection, &[account]).await?;
    let nothing = OwnPrices::new();
    let tariff = Tariff::new(currency, &catalogue).with_own(own.get(&account).unwrap_or(&nothing));
    Ok(cost_of_starting(plan, size, &tariff, at)?)
}
