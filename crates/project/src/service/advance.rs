//! What falls due in advance (R5.3): noted with the change that makes it due, invoiced by the slice above.

use std::collections::{BTreeMap, BTreeSet};

use florin_credit::ProjectId;
use florin_platform::{
    db::Tx,
    id::AccountId,
    outbox,
    wire::{money, timestamp},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        plan::{PlanCode, PricedPlan, Timing},
        rating::{Held, RatingError, due_at_once},
        resource::Resource,
        tariff::Tariff,
        usage::{AdvanceBilled, AdvanceDue, RatedLine},
    },
    error::Error,
    events::AdvanceChargeDue,
    store::{self, advance::Unbilled, resource::Ordinal},
};

/// Notes what falls due as `resource` begins to hold its plan at `at`, after it held `before`. Nothing for
/// plans that are charged in arrears.
pub(crate) async fn note(
    tx: &Tx,
    at: Instant,
    resource: &Resource,
    ordinal: Ordinal,
    before: &[Held],
    priced: &PricedPlan,
) -> Result<(), Error> {
    if priced.plan.timing == Timing::Arrears {
        return Ok(());
    }
    let own = store::own_price::of_accounts(tx, &[resource.account]).await?;
    let own = own.get(&resource.account).cloned().unwrap_or_default();
    let project = store::project::find(tx, resource.account, resource.project).await?;
    let project = project.ok_or_else(|| DbErr::RecordNotFound(resource.name()))?;
    let plans = BTreeMap::from([(resource.plan.clone(), priced.clone())]);
    let tariff = Tariff::new(project.currency, &plans).with_own(&own);
    let new = Held { plan: resource.plan.clone(), size: resource.size, from: at, to: None };
    let Some(due) = due_at_once(before, &new, &tariff)?.filter(|due| due.net.is_positive()) else {
        return Ok(());
    };
    store::advance::insert(tx, at, resource, ordinal, &due).await?;
    let fact = AdvanceChargeDue {
        resource: resource.name(),
        plan: format!("plans/{}", resource.plan),
        net: Some(money(due.net)),
        period_start_time: Some(timestamp(due.period.from())),
        period_end_time: Some(timestamp(due.period.to())),
    };
    outbox::append(tx, at, resource.account, &fact).await?;
    Ok(())
}

/// What fell due in advance for `projects` up to `until` and stands on no invoice yet. Whoever issues an
/// invoice of these lines says so with [`bill`], in the same transaction.
///
/// # Errors
/// [`Error::Rating`] if a plan is not in the catalogue.
pub async fn unbilled(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    until: Instant,
) -> Result<Vec<RatedLine>, Error> {
    let projects: Vec<_> = projects.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let unbilled = store::advance::unbilled(connection, &projects, until).await?;
    if unbilled.is_empty() {
        return Ok(Vec::new());
    }
    let catalogue = store::plan::of_codes(connection, &store::advance::plans_of(&unbilled)).await?;
    Ok(unbilled.into_iter().map(|charge| line(charge, &catalogue)).collect::<Result<_, _>>()?)
}

fn line(charge: Unbilled, catalogue: &BTreeMap<PlanCode, PricedPlan>) -> Result<RatedLine, RatingError> {
    let due = charge.due;
    let plan = &catalogue.get(&due.plan).ok_or_else(|| RatingError::UnknownPlan(due.plan.clone()))?.plan;
    Ok(RatedLine {
        account: charge.account,
        project: charge.project,
        resource: charge.resource,
        resource_name: charge.name,
        region: charge.region,
        labels: charge.labels,
        plan: due.plan.to_string(),
        plan_name: plan.display_name.clone(),
        family: plan.family,
        unit: plan.unit.to_string(),
        price_effective: due.price_effective,
        period: due.period,
        quantity: due.quantity,
        divisor: due.divisor,
        unit_price: due.unit_price,
        net: due.net,
        billed_with: None,
    })
}

/// Notes which invoices bill what fell due in advance: of each one's project everything up to the instant it
/// is settled at, which from now on [`unbilled`] does not give. The accounts are locked. How many charges that
/// were.
///
/// # Errors
/// The database's.
pub async fn bill(tx: &Tx, at: Instant, billed: &[AdvanceBilled]) -> Result<u64, DbErr> {
    store::advance::bill(tx, at, billed).await
}

/// What is to be invoiced first: projects with something due in advance and the instants it fell due at,
/// oldest first, at most `limit`.
///
/// # Errors
/// The database's.
pub async fn first_due(connection: &impl ConnectionTrait, limit: u32) -> Result<Vec<AdvanceDue>, DbErr> {
    store::advance::first_due(connection, limit).await
}

/// Since when each of `accounts` has something due in advance that stands on no invoice; those that have
/// nothing are left out.
///
/// # Errors
/// The database's.
pub async fn oldest_unbilled(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, Instant)>, DbErr> {
    store::advance::oldest_unbilled(connection, accounts).await
}
