//! Budgets, spending controls, and telling customers in time (R5.7).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use florin_credit::ProjectId;
use florin_platform::{
    audit, call::Call, db::Tx, etag, id::AccountId, notice, outbox, page::Page, violation::Violations,
    wire::money,
};
use florin_settlement::{Instant, Money, Month};
use sea_orm::ConnectionTrait;

use super::{query, usage};
use crate::{
    domain::{
        budget::{BUDGETS_MAX, Basis, Budget, BudgetId, Controls, Counted, NewBudget, budget_name},
        project::{Project, project_name},
        reckoning::Told,
        usage::RatedLine,
    },
    error::Error,
    events::{BudgetThresholdReached, SpendingControlsChanged},
    spending_notices as notices,
    store::{self, standing::Key},
};

/// The fields of a budget an Update may name.
pub(crate) const UPDATABLE: &[&str] = &["display_name", "amount", "threshold_percents"];

/// A budget as it is shown: with what counts against it and which thresholds were told of this month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) budget: Budget,
    pub(crate) current: Money,
    pub(crate) reached: Vec<i64>,
}

/// Creates a budget; it is looked at at once.
pub(crate) async fn create(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project): Key,
    new: &NewBudget,
) -> Result<Shown, Error> {
    let project = live(tx, call, account, project).await?;
    in_currency(&project, new.amount)?;
    if store::budget::count(tx, account, project.id).await? >= BUDGETS_MAX {
        return Err(Error::BudgetLimitReached(BUDGETS_MAX));
    }
    let new = new.clone();
    let budget = Budget {
        account,
        id: BudgetId::generate(at),
        project: project.id,
        name: new.name,
        amount: new.amount,
        basis: new.basis,
        thresholds: new.thresholds,
        filter: new.filter,
        version: 1,
        created: at,
        updated: at,
    };
    store::budget::insert(tx, &budget).await?;
    audit::record(tx, at, call, account, &budget.resource_name()).await?;
    look(tx, at, std::slice::from_ref(&budget)).await?;
    one_shown(tx, at, budget).await
}

/// What to change of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: Option<String>,
    pub(crate) amount: Option<Money>,
    pub(crate) thresholds: Option<Vec<i64>>,
}

/// Changes a budget: thresholds that are no longer reached will be told of again.
pub(crate) async fn update(
    tx: &Tx,
    at: Instant,
    call: &Call,
    key: (AccountId, ProjectId, BudgetId),
    given_etag: &str,
    change: &Change,
) -> Result<Shown, Error> {
    let budget = locked(tx, call, key, given_etag).await?;
    let project = query::owned(tx, call, key.0, key.1).await?;
    let change = change.clone();
    let budget = Budget {
        name: change.name.unwrap_or(budget.name),
        amount: change.amount.unwrap_or(budget.amount),
        thresholds: change.thresholds.unwrap_or(budget.thresholds),
        version: budget.version + 1,
        updated: at,
        ..budget
    };
    in_currency(&project, budget.amount)?;
    store::budget::save(tx, &budget).await?;
    audit::record(tx, at, call, key.0, &budget.resource_name()).await?;
    let month = Month::of(at);
    let counted =
        counted(tx, at, std::slice::from_ref(&budget)).await?.remove(&budget.id).unwrap_or_default();
    let told = store::budget::told(tx, month, &[(budget.account, budget.id)]).await?;
    for threshold in told.get(&budget.id).into_iter().flatten() {
        if !budget.has_reached(*threshold, counted) {
            store::budget::forget(tx, month, &budget, *threshold).await?;
        }
    }
    look(tx, at, std::slice::from_ref(&budget)).await?;
    one_shown(tx, at, budget).await
}

/// Deletes a budget.
pub(crate) async fn delete(
    tx: &Tx,
    at: Instant,
    call: &Call,
    key: (AccountId, ProjectId, BudgetId),
    given_etag: &str,
) -> Result<(), Error> {
    let budget = locked(tx, call, key, given_etag).await?;
    store::budget::delete(tx, budget.account, budget.id).await?;
    audit::record(tx, at, call, key.0, &budget.resource_name()).await?;
    Ok(())
}

async fn locked(
    tx: &Tx,
    call: &Call,
    (account, project, id): (AccountId, ProjectId, BudgetId),
    given_etag: &str,
) -> Result<Budget, Error> {
    let name = budget_name(account, project, id);
    query::reach_part(tx, call, (account, project), || name.clone()).await?;
    florin_account::lock(tx, &[account]).await?;
    let budget = owned(tx, call, (account, project, id)).await?;
    if etag::allows(given_etag, &name, budget.version) { Ok(budget) } else { Err(Error::EtagMismatch(name)) }
}

async fn live(tx: &Tx, call: &Call, account: AccountId, project: ProjectId) -> Result<Project, Error> {
    query::reach(tx, call, account, project).await?;
    florin_account::lock(tx, &[account]).await?;
    let project = query::owned(tx, call, account, project).await?;
    if project.state.is_live() { Ok(project) } else { Err(Error::NotLive(project.state)) }
}

fn in_currency(project: &Project, amount: Money) -> Result<(), Error> {
    let (expected, given) = (project.currency, amount.currency());
    if expected == given { Ok(()) } else { Err(Error::CurrencyMismatch { expected, given }) }
}

/// The budget, or NOT_FOUND, which is also what others' budgets are.
pub(crate) async fn owned(
    connection: &impl ConnectionTrait,
    call: &Call,
    (account, project, id): (AccountId, ProjectId, BudgetId),
) -> Result<Budget, Error> {
    let name = || budget_name(account, project, id);
    query::reach_part(connection, call, (account, project), name).await?;
    store::budget::find(connection, account, project, id).await?.ok_or_else(|| Error::NotFound(name()))
}

/// A page of a project's budgets.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    (account, project): Key,
    page: &Page,
) -> Result<Vec<Budget>, Error> {
    let after = page.after.as_deref().map(BudgetId::parse).transpose();
    let after = after.map_err(|error| Error::Invalid(Violations::one("page_token", error)))?;
    Ok(store::budget::list(connection, account, project, after, page.fetch()).await?)
}

pub(crate) async fn one_shown(
    connection: &impl ConnectionTrait,
    at: Instant,
    budget: Budget,
) -> Result<Shown, Error> {
    let shown = shown(connection, at, vec![budget]).await?;
    Ok(shown.into_iter().next().expect("one budget is shown as one"))
}

/// Budgets with what counts against them at `at`.
pub(crate) async fn shown(
    connection: &impl ConnectionTrait,
    at: Instant,
    budgets: Vec<Budget>,
) -> Result<Vec<Shown>, Error> {
    let counted = counted(connection, at, &budgets).await?;
    let keys: Vec<_> = budgets.iter().map(|budget| (budget.account, budget.id)).collect();
    let mut told = store::budget::told(connection, Month::of(at), &keys).await?;
    let shown = budgets.into_iter().map(|budget| {
        let counted = counted.get(&budget.id).copied().unwrap_or_default();
        let current = Money::new(budget.current(counted), budget.amount.currency());
        Shown { current, reached: told.remove(&budget.id).unwrap_or_default(), budget }
    });
    Ok(shown.collect())
}

/// What counts against each of `budgets`: rated lines of the month, now and as they would be at its end.
async fn counted(
    connection: &impl ConnectionTrait,
    at: Instant,
    budgets: &[Budget],
) -> Result<HashMap<BudgetId, Counted>, Error> {
    let keys: BTreeSet<Key> = budgets.iter().map(|budget| (budget.account, budget.project)).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let month = Month::of(at);
    let now = usage::of_projects(connection, &keys, month.period(), at.floor_hour().plus_hours(1)).await?;
    let end = usage::of_projects(connection, &keys, month.period(), month.end()).await?;
    let count = |lines: &[RatedLine], budget: &Budget| {
        let of_project = |line: &&RatedLine| line.account == budget.account && line.project == budget.project;
        let counting = lines.iter().filter(of_project).filter(|line| budget.filter.counts(line));
        counting.fold(0_i64, |sum, line| sum.saturating_add(line.net.minor()))
    };
    let counted = budgets
        .iter()
        .map(|budget| (budget.id, Counted { actual: count(&now, budget), forecast: count(&end, budget) }));
    Ok(counted.collect())
}

/// Looks at `budgets`, whose accounts are locked: tells of every threshold that is reached and was not told of this
/// month, and says when to look again.
pub(crate) async fn look(tx: &Tx, at: Instant, budgets: &[Budget]) -> Result<(), Error> {
    let month = Month::of(at);
    let counted = counted(tx, at, budgets).await?;
    let keys: Vec<_> = budgets.iter().map(|budget| (budget.account, budget.id)).collect();
    let told = store::budget::told(tx, month, &keys).await?;
    let mut looks = Vec::with_capacity(budgets.len());
    let mut reached = Vec::new();
    for budget in budgets {
        let counted = counted.get(&budget.id).copied().unwrap_or_default();
        let told = told.get(&budget.id).map_or(&[][..], Vec::as_slice);
        let new = budget.thresholds.iter().filter(|percent| !told.contains(percent));
        reached.extend(
            new.filter(|percent| budget.has_reached(**percent, counted))
                .map(|percent| (budget, *percent, counted)),
        );
        looks.push((budget.account, budget.id, budget.next_look(counted, at)));
    }
    store::budget::look_again(tx, &looks).await?;
    let owners: BTreeSet<AccountId> = reached.iter().map(|(budget, _, _)| budget.account).collect();
    let owners = florin_account::find_many(tx, &owners.into_iter().collect::<Vec<_>>()).await?;
    let owners: BTreeMap<_, _> = owners.into_iter().map(|owner| (owner.id, owner)).collect();
    for (budget, percent, counted) in reached {
        store::budget::tell(tx, at, month, budget, percent).await?;
        let current = Money::new(budget.current(counted), budget.amount.currency());
        let fact = BudgetThresholdReached {
            budget: budget.resource_name(),
            threshold_percent: i32::try_from(percent).unwrap_or(i32::MAX),
            amount: Some(money(budget.amount)),
            current_amount: Some(money(current)),
            forecast: budget.basis == Basis::Forecast,
        };
        outbox::append(tx, at, budget.account, &fact).await?;
        if let Some(owner) = owners.get(&budget.account) {
            let told = notices::threshold_reached(owner, budget, percent, current);
            notice::raise(tx, at, budget.account, &told).await?;
        }
    }
    Ok(())
}

/// What of the controls to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// The cap; none lifts it.
    SpendCap(Option<Money>),
    /// Whether only what is paid for may start.
    PrepaidOnly(bool),
}

/// A project's controls, and what they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownControls {
    pub(crate) project: Project,
    pub(crate) controls: Controls,
    pub(crate) told: Told,
}

/// Changes a project's controls.
pub(crate) async fn set(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project): Key,
    given_etag: &str,
    control: Control,
) -> Result<ShownControls, Error> {
    let project = live(tx, call, account, project).await?;
    let name = controls_name(account, project.id);
    let before = store::control::find(tx, account, project.id).await?;
    if !etag::allows(given_etag, &name, before.version) {
        return Err(Error::EtagMismatch(name));
    }
    let changed = match control {
        Control::SpendCap(cap) => {
            if let Some(cap) = cap {
                in_currency(&project, cap)?;
            }
            Controls { spend_cap: cap.map(Money::minor), ..before }
        }
        Control::PrepaidOnly(prepaid_only) => Controls { prepaid_only, ..before },
    };
    let controls = Controls { version: before.version + 1, ..changed };
    store::control::save(tx, at, account, project.id, controls).await?;
    audit::record(tx, at, call, account, &name).await?;
    let fact = SpendingControlsChanged {
        project: project.resource_name(),
        spend_cap: controls.spend_cap.map(|cap| money(Money::new(cap, project.currency))),
        prepaid_only: controls.prepaid_only,
    };
    outbox::append(tx, at, account, &fact).await?;
    // The answer says what the new controls come to.
    tx.derive().await?;
    let told = store::standing::told(tx, account, project.id).await?;
    Ok(ShownControls { project, controls, told })
}

/// A project's controls.
pub(crate) async fn controls(
    connection: &impl ConnectionTrait,
    call: &Call,
    (account, project): Key,
) -> Result<ShownControls, Error> {
    let project = query::owned(connection, call, account, project).await?;
    let controls = store::control::find(connection, account, project.id).await?;
    let told = store::standing::told(connection, account, project.id).await?;
    Ok(ShownControls { project, controls, told })
}

/// `accounts/{account}/projects/{project}/spendingControls`.
#[must_use]
pub(crate) fn controls_name(account: AccountId, project: ProjectId) -> String {
    format!("{}/spendingControls", project_name(account, project))
}
