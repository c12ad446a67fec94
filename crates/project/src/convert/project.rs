//! Projects on the wire.

use florin_api::{error::v1::ErrorReason, project::v1 as wire};
use florin_credit::{ProjectId, VOUCHER_TEXT_BYTES_MAX};
use florin_payment::{PaymentMethodId, method_name};
use florin_platform::{
    etag,
    id::AccountId,
    mask::Mask,
    violation::Violations,
    wire::{amount, money, parse_account, parse_child, timestamp},
};
use florin_settlement::Instant;

use crate::{
    domain::{
        eligibility::{Offer, UnmetCondition},
        life::{DeletionCause, Suspension, SuspensionCause},
        project::{Funding, Project, ProjectName, ProjectState},
    },
    error::reason,
    service::{
        create::NewProject,
        eligibility::Eligibility,
        update::{Change, UPDATABLE},
    },
};

/// The most values a list is narrowed to.
const FILTERS_MAX: usize = 16;

/// Reads the name of an account in `field`.
pub(crate) fn account(field: &str, name: &str) -> Result<AccountId, Violations> {
    parse_account(name).map_err(|error| Violations::one(field, error))
}

/// Reads the name of a project in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, ProjectId), Violations> {
    parse_child("projects", name).map_err(|error| Violations::one(field, error))
}

/// Reads a CreateProject request.
pub(crate) fn new_project(request: &wire::CreateProjectRequest) -> Result<NewProject, Violations> {
    let mut violations = Violations::new();
    let account = violations.take("parent", parse_account(&request.parent));
    let name = match &request.project {
        Some(project) => violations.take("project.display_name", ProjectName::parse(&project.display_name)),
        None => {
            violations.add("project", "is required");
            None
        }
    };
    let offer = request.funding.as_ref().and_then(|funding| offer(funding, account, &mut violations));
    let is_offered = request.funding.is_some();
    let new = account.zip(name).filter(|_| offer.is_some() == is_offered);
    violations.finish_with(new.map(|(account, name)| NewProject { account, name, offer }))
}

fn offer(
    funding: &wire::create_project_request::Funding,
    account: Option<AccountId>,
    violations: &mut Violations,
) -> Option<Offer> {
    use wire::create_project_request::Funding as Given;
    match funding {
        Given::PaymentMethod(name) => {
            let (owner, method) = violations
                .take("payment_method", parse_child::<_>("paymentMethods", name))
                .map(|(owner, method): (AccountId, PaymentMethodId)| (owner, method))?;
            let own = account.is_none_or(|account| account == owner);
            violations.check("payment_method", own, "must be a method of the parent account");
            Some(Offer::PaymentMethod(method))
        }
        Given::InitialCredit(credit) => match &credit.amount {
            None => Some(Offer::InitialCredit(None)),
            Some(given) => {
                let net = violations.take("initial_credit.amount", amount(given))?;
                Some(Offer::InitialCredit(Some(net)))
            }
        },
        Given::VoucherCode(code) => {
            let bounded = !code.trim().is_empty() && code.len() <= VOUCHER_TEXT_BYTES_MAX;
            violations.check(
                "voucher_code",
                bounded,
                format!("must have 1 to {VOUCHER_TEXT_BYTES_MAX} characters"),
            );
            Some(Offer::Voucher(code.clone()))
        }
    }
}

/// Reads an UpdateProject request.
pub(crate) fn change(request: &wire::UpdateProjectRequest) -> Result<Change, Violations> {
    let mut violations = Violations::new();
    let project = request.project.clone().unwrap_or_default();
    let named = violations.take("project.name", parse_child("projects", &project.name));
    if let Err(wrong) = Mask::parse(request.update_mask.as_ref(), UPDATABLE) {
        violations.extend(wrong);
    }
    let name = violations.take("project.display_name", ProjectName::parse(&project.display_name));
    let etag = project.etag;
    violations.finish_with(named.zip(name).map(|((account, project), name)| Change {
        account,
        project,
        etag,
        name,
    }))
}

/// Renders a project.
pub(crate) fn project(project: &Project) -> wire::Project {
    let name = project.resource_name();
    let (credit_order, payment_method) = match project.funding {
        Funding::CreditOrder(order) => (florin_credit::order_name(project.account, order), String::new()),
        Funding::PaymentMethod(method) => (String::new(), method_name(project.account, method)),
        Funding::NotAsked | Funding::Voucher | Funding::LaunchPad => (String::new(), String::new()),
    };
    let suspension = project.suspension.as_ref();
    let deletion = project.deletion.as_ref();
    wire::Project {
        etag: etag::of(&name, project.version),
        name,
        display_name: project.name.to_string(),
        state: wire_state(project.state).into(),
        funding: wire_funding(project.funding).into(),
        credit_order,
        payment_method,
        create_time: Some(timestamp(project.created)),
        activate_time: project.activated.map(timestamp),
        update_time: Some(timestamp(project.updated)),
        suspend_time: suspension.map(|suspension| timestamp(suspension.since)),
        suspensions: suspension.map(suspensions).unwrap_or_default(),
        deletion_cause: deletion.map(|deletion| wire_deletion(deletion.cause)).unwrap_or_default().into(),
        metering_stop_time: deletion.map(|deletion| timestamp(deletion.stopped)),
        grace_end_time: deletion.map(|deletion| timestamp(deletion.grace_ends)),
        delete_time: deletion.and_then(|deletion| deletion.finished).map(timestamp),
    }
}

fn suspensions(suspension: &Suspension) -> Vec<wire::project::Suspension> {
    let begun = |cause: SuspensionCause, at: Instant, reason: &str| wire::project::Suspension {
        cause: wire_suspension(cause).into(),
        start_time: Some(timestamp(at)),
        reason: reason.to_owned(),
    };
    let operator = suspension.by_operator.as_ref();
    let operator = operator.map(|operator| begun(SuspensionCause::Operator, operator.at, &operator.reason));
    let debt = suspension.for_debt.map(|at| begun(SuspensionCause::Debt, at, ""));
    operator.into_iter().chain(debt).collect()
}

/// Renders why a project is suspended.
pub(crate) fn wire_suspension(cause: SuspensionCause) -> wire::project::SuspensionCause {
    match cause {
        SuspensionCause::Operator => wire::project::SuspensionCause::Operator,
        SuspensionCause::Debt => wire::project::SuspensionCause::Debt,
    }
}

/// Renders who wanted a project deleted.
pub(crate) fn wire_deletion(cause: DeletionCause) -> wire::project::DeletionCause {
    match cause {
        DeletionCause::Customer => wire::project::DeletionCause::Customer,
        DeletionCause::Debt => wire::project::DeletionCause::Debt,
    }
}

/// The first of `given`, each with its index; more than anybody can mean is a violation of `field`, because
/// each of them would be bound to a query.
pub(crate) fn few<T>(
    field: &str,
    given: impl Iterator<Item = T>,
    violations: &mut Violations,
) -> Vec<(usize, T)> {
    let mut given = given.enumerate().peekable();
    let first = given.by_ref().take(FILTERS_MAX).collect();
    violations.check(field, given.peek().is_none(), format!("must be at most {FILTERS_MAX}"));
    first
}

/// Reads states to filter by.
pub(crate) fn states(
    field: &str,
    given: impl Iterator<Item = wire::project::State>,
) -> Result<Vec<ProjectState>, Violations> {
    let mut violations = Violations::new();
    let mut states = Vec::new();
    for (index, state) in few(field, given, &mut violations) {
        match state {
            wire::project::State::Unspecified => {
                violations.add(format!("{field}[{index}]"), "is not a state")
            }
            wire::project::State::PendingFunding => states.push(ProjectState::PendingFunding),
            wire::project::State::Active => states.push(ProjectState::Active),
            wire::project::State::Suspended => states.push(ProjectState::Suspended),
            wire::project::State::Deleting => states.push(ProjectState::Deleting),
            wire::project::State::Deleted => states.push(ProjectState::Deleted),
            wire::project::State::Canceled => states.push(ProjectState::Canceled),
        }
    }
    violations.finish().map(|()| states)
}

fn wire_state(state: ProjectState) -> wire::project::State {
    match state {
        ProjectState::PendingFunding => wire::project::State::PendingFunding,
        ProjectState::Active => wire::project::State::Active,
        ProjectState::Suspended => wire::project::State::Suspended,
        ProjectState::Deleting => wire::project::State::Deleting,
        ProjectState::Deleted => wire::project::State::Deleted,
        ProjectState::Canceled => wire::project::State::Canceled,
    }
}

fn wire_funding(funding: Funding) -> wire::project::Funding {
    match funding {
        Funding::NotAsked => wire::project::Funding::NotAsked,
        Funding::PaymentMethod(_) => wire::project::Funding::PaymentMethod,
        Funding::CreditOrder(_) => wire::project::Funding::CreditOrder,
        Funding::Voucher => wire::project::Funding::Voucher,
        Funding::LaunchPad => wire::project::Funding::Launchpad,
    }
}

/// Renders the answer to CheckEligibility.
pub(crate) fn eligibility(found: &Eligibility) -> wire::CheckEligibilityResponse {
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    wire::CheckEligibilityResponse {
        eligible: found.unmet.is_empty(),
        unmet_conditions: found.unmet.iter().map(unmet).collect(),
        funding_required: found.funding_required,
        initial_credit_minimum: Some(money(found.initial_credit_minimum)),
        initial_credit_minimum_incl_tax: Some(money(found.initial_credit_minimum_incl_tax)),
        default_display_name: found.offered_name.to_string(),
        live_project_count: count(found.live_projects),
        live_project_limit: count(found.project_limit),
    }
}

fn unmet(condition: &UnmetCondition) -> wire::UnmetCondition {
    let reason: ErrorReason = reason(condition);
    let terms_documents = match condition {
        UnmetCondition::TermsNotAccepted(documents) => documents.clone(),
        UnmetCondition::AccountNotActive(_)
        | UnmetCondition::DebtUnpaid
        | UnmetCondition::ProjectLimitReached(_)
        | UnmetCondition::FundingRequired => Vec::new(),
    };
    let (message, remedy) = (condition.message(), condition.remedy().to_owned());
    wire::UnmetCondition { reason: reason.into(), message, remedy, terms_documents }
}
