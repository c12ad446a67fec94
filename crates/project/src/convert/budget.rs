//! Budgets and spending controls on the wire.

use florin_api::project::v1 as wire;
use florin_credit::ProjectId;
use florin_platform::{
    etag,
    id::AccountId,
    mask::Mask,
    violation::Violations,
    wire::{amount, money, parse_grandchild, timestamp},
};
use florin_settlement::Money;

use super::{plan, project};
use crate::{
    domain::budget::{Basis, BudgetId, Filter, NewBudget, check_amount, check_label, check_name, thresholds},
    service::budgets::{self, Change, Shown, ShownControls, UPDATABLE},
};

type Key = (AccountId, ProjectId);

/// Reads the name of a budget in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, ProjectId, BudgetId), Violations> {
    parse_grandchild("projects", "budgets", name).map_err(|error| Violations::one(field, error))
}

/// Reads the name of spending controls in `field`.
pub(crate) fn controls_name(field: &str, name: &str) -> Result<Key, Violations> {
    let form = "is not a name of the form accounts/…/projects/…/spendingControls";
    let project = name.strip_suffix("/spendingControls").ok_or_else(|| Violations::one(field, form))?;
    project::name(field, project).map_err(|_| Violations::one(field, form))
}

/// Reads a CreateBudget request.
pub(crate) fn new_budget(request: &wire::CreateBudgetRequest) -> Result<(Key, NewBudget), Violations> {
    let mut violations = Violations::new();
    let parent = take(&mut violations, project::name("parent", &request.parent));
    let Some(budget) = &request.budget else {
        violations.add("budget", "is required");
        return violations.finish_with(None);
    };
    let name = budget.display_name.trim().to_owned();
    check_name(&name, "budget.display_name", &mut violations);
    let amount = amount_of(budget, &mut violations);
    let basis = match budget.basis() {
        wire::budget::Basis::Unspecified => {
            violations.add("budget.basis", "is required");
            None
        }
        wire::budget::Basis::Actual => Some(Basis::Actual),
        wire::budget::Basis::Forecast => Some(Basis::Forecast),
    };
    let thresholds = thresholds_of(budget, &mut violations);
    let families = take(&mut violations, plan::families("budget.families", budget.families()));
    check_label(&budget.label_key, &budget.label_value, "budget.", &mut violations);
    let value = Some(budget.label_value.clone()).filter(|value| !value.is_empty());
    let label = Some(budget.label_key.clone()).filter(|key| !key.is_empty()).map(|key| (key, value));
    let new = amount.zip(basis).zip(families).map(|((amount, basis), families)| NewBudget {
        name,
        amount,
        basis,
        thresholds,
        filter: Filter { families, label },
    });
    violations.finish_with(parent.zip(new))
}

/// What an UpdateBudget request says: which budget, its etag, what to change.
type Update = ((AccountId, ProjectId, BudgetId), String, Change);

/// Reads an UpdateBudget request.
pub(crate) fn change(request: &wire::UpdateBudgetRequest) -> Result<Update, Violations> {
    let mut violations = Violations::new();
    let budget = request.budget.clone().unwrap_or_default();
    let named = take(&mut violations, name("budget.name", &budget.name));
    let mask = take(&mut violations, Mask::parse(request.update_mask.as_ref(), UPDATABLE));
    let mut change = Change::default();
    let has = |field| mask.as_ref().is_some_and(|mask| mask.has(field));
    if has("display_name") {
        let name = budget.display_name.trim().to_owned();
        check_name(&name, "budget.display_name", &mut violations);
        change.name = Some(name);
    }
    if has("amount") {
        change.amount = amount_of(&budget, &mut violations);
    }
    if has("threshold_percents") {
        change.thresholds = Some(thresholds_of(&budget, &mut violations));
    }
    violations.finish_with(named.map(|named| (named, budget.etag, change)))
}

fn amount_of(budget: &wire::Budget, violations: &mut Violations) -> Option<Money> {
    let Some(given) = &budget.amount else {
        violations.add("budget.amount", "is required");
        return None;
    };
    let read = violations.take("budget.amount", amount(given))?;
    check_amount(read, "budget.amount", violations);
    Some(read)
}

fn thresholds_of(budget: &wire::Budget, violations: &mut Violations) -> Vec<i64> {
    let given: Vec<i64> = budget.threshold_percents.iter().copied().map(i64::from).collect();
    thresholds(&given, "budget.threshold_percents", violations)
}

/// Reads a SetSpendCap request.
pub(crate) fn spend_cap(request: &wire::SetSpendCapRequest) -> Result<(Key, Option<Money>), Violations> {
    let mut violations = Violations::new();
    let named = take(&mut violations, controls_name("name", &request.name));
    let cap = request.spend_cap.as_ref().and_then(|given| violations.take("spend_cap", amount(given)));
    let bounded = cap.is_none_or(|cap| !cap.is_negative());
    violations.check("spend_cap", bounded, "must not be below zero");
    violations.finish_with(named.map(|named| (named, cap)))
}

fn take<T>(violations: &mut Violations, read: Result<T, Violations>) -> Option<T> {
    read.map_err(|wrong| violations.extend(wrong)).ok()
}

/// Renders a budget.
pub(crate) fn budget(shown: &Shown) -> wire::Budget {
    let budget = &shown.budget;
    let name = budget.resource_name();
    let percent = |percent: &i64| i32::try_from(*percent).unwrap_or(i32::MAX);
    let (label_key, label_value) = budget.filter.label.clone().unwrap_or_default();
    let basis = match budget.basis {
        Basis::Actual => wire::budget::Basis::Actual,
        Basis::Forecast => wire::budget::Basis::Forecast,
    };
    wire::Budget {
        etag: etag::of(&name, budget.version),
        name,
        display_name: budget.name.clone(),
        amount: Some(money(budget.amount)),
        basis: basis.into(),
        threshold_percents: budget.thresholds.iter().map(percent).collect(),
        families: budget.filter.families.iter().map(|family| plan::wire_family(*family).into()).collect(),
        label_key,
        label_value: label_value.unwrap_or_default(),
        current_amount: Some(money(shown.current)),
        reached_percents: shown.reached.iter().map(percent).collect(),
        create_time: Some(timestamp(budget.created)),
        update_time: Some(timestamp(budget.updated)),
    }
}

/// Renders spending controls.
pub(crate) fn controls(shown: &ShownControls) -> wire::SpendingControls {
    let ShownControls { project, controls, told } = shown;
    let name = budgets::controls_name(project.account, project.id);
    wire::SpendingControls {
        etag: etag::of(&name, controls.version),
        name,
        spend_cap: controls.spend_cap.map(|cap| money(Money::new(cap, project.currency))),
        prepaid_only: controls.prepaid_only,
        spend_cap_reached: told.cap_reached,
        funds_exhausted: told.exhausted,
    }
}
