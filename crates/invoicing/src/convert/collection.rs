//! Debts, and what is wanted of them, on the wire.

use florin_api::invoicing::v1::{
    self as wire,
    debt::{Cause, Stage as WireStage, State, Step as WireStep},
};
use florin_payment::PaymentMethodId;
use florin_platform::{
    approval::REASON_CHARACTERS_MAX,
    id::AccountId,
    violation::Violations,
    wire::{money, parse_account, parse_child, timestamp},
};
use florin_settlement::Money;

use crate::{
    domain::{
        debt::{DEBTS, Debt, DebtCause, DebtEnding, DebtId, debt_name},
        dunning::{Stage, Step},
        invoice::{INVOICES, InvoiceId, invoice_name},
    },
    service::query::FollowedDebt,
};

const METHODS: &str = "paymentMethods";
const DEBTS_MAX: usize = 100;

/// Reads the name of a debt in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, DebtId), Violations> {
    parse_child(DEBTS, name).map_err(|error| Violations::one(field, error))
}

/// Reads the name of an account in `field`.
pub(crate) fn account(field: &str, name: &str) -> Result<AccountId, Violations> {
    parse_account(name).map_err(|error| Violations::one(field, error))
}

/// Reads which invoice is to be paid with which method.
pub(crate) fn invoice_payment(
    request: &wire::PayInvoiceRequest,
) -> Result<(AccountId, InvoiceId, PaymentMethodId), Violations> {
    let mut violations = Violations::new();
    let invoice = violations.take("name", parse_child(INVOICES, &request.name));
    let method = method(&mut violations, invoice.map(|(owner, _)| owner), &request.payment_method);
    violations.finish_with(invoice.zip(method).map(|((owner, id), method)| (owner, id, method)))
}

/// Reads which debts are to be paid with which method.
pub(crate) fn debt_payment(
    request: &wire::PayDebtRequest,
) -> Result<(AccountId, Vec<DebtId>, PaymentMethodId), Violations> {
    let mut violations = Violations::new();
    let owner = violations.take("parent", parse_account(&request.parent));
    let method = method(&mut violations, owner, &request.payment_method);
    let few = request.debts.len() <= DEBTS_MAX;
    violations.check("debts", few, format!("must be at most {DEBTS_MAX}"));
    let mut debts = Vec::new();
    for (place, name) in request.debts.iter().enumerate().take(DEBTS_MAX) {
        let field = format!("debts[{place}]");
        let Some((of, debt)) = violations.take::<(AccountId, DebtId), _>(&field, parse_child(DEBTS, name))
        else {
            continue;
        };
        violations.check(&field, Some(of) == owner, "must be of the account that pays");
        violations.check(&field, !debts.contains(&debt), "must be named once");
        debts.push(debt);
    }
    violations.finish_with(owner.zip(method).map(|(owner, method)| (owner, debts, method)))
}

fn method(violations: &mut Violations, owner: Option<AccountId>, name: &str) -> Option<PaymentMethodId> {
    let (of, id) = violations.take("payment_method", parse_child(METHODS, name))?;
    violations.check("payment_method", Some(of) == owner, "must be of the account that pays");
    Some(id)
}

/// Reads which debt is to be written off.
pub(crate) fn write_off(request: &wire::WriteOffDebtRequest) -> Result<(AccountId, DebtId), Violations> {
    let mut violations = Violations::new();
    let debt = violations.take("name", parse_child(DEBTS, &request.name));
    reason(&mut violations, &request.reason);
    violations.finish_with(debt)
}

/// Reads whose deletion is to be held.
pub(crate) fn hold(request: &wire::HoldDeletionRequest) -> Result<AccountId, Violations> {
    let mut violations = Violations::new();
    let account = violations.take("name", parse_account(&request.name));
    reason(&mut violations, &request.reason);
    violations.finish_with(account)
}

pub(crate) fn reason(violations: &mut Violations, reason: &str) {
    let fits = (1..=REASON_CHARACTERS_MAX).contains(&reason.trim().chars().count());
    violations.check("reason", fits, format!("must be 1 to {REASON_CHARACTERS_MAX} characters"));
}

/// Renders a debt and what follows.
pub(crate) fn debt(followed: &FollowedDebt) -> wire::Debt {
    let debt = &followed.debt;
    let planned = followed.planned.filter(|_| debt.is_open());
    let next = planned.and_then(|planned| planned.next);
    let owed = if debt.is_open() { debt.owed().ok() } else { None };
    wire::Debt {
        name: debt_name(debt.account, debt.id),
        invoice: invoice_name(debt.account, debt.invoice),
        state: state(debt).into(),
        cause: cause(debt.cause).into(),
        amount_incl_tax: Some(money(debt.amount)),
        credited_incl_tax: Some(money(debt.credited)),
        owed_incl_tax: Some(money(owed.unwrap_or(Money::zero(debt.amount.currency())))),
        open_time: Some(timestamp(debt.opened)),
        close_time: debt.ended.map(|(at, _)| timestamp(at)),
        stage: planned.map_or(WireStage::Unspecified, |planned| stage(planned.dunning.stage)).into(),
        next_step: next.map_or(WireStep::Unspecified, |next| step(next.step)).into(),
        next_step_time: next.and_then(|next| next.at).map(timestamp),
        pause_time: planned.and_then(|planned| planned.dunning.paused).map(timestamp),
        deletion_held: followed.held && debt.is_open(),
        approval: String::new(),
    }
}

fn state(debt: &Debt) -> State {
    match debt.ended.map(|(_, ending)| ending) {
        None => State::Open,
        Some(DebtEnding::Paid(_)) => State::Paid,
        Some(DebtEnding::WrittenOff) => State::WrittenOff,
        Some(DebtEnding::Credited) => State::Credited,
        Some(DebtEnding::DisputeWon) => State::DisputeWon,
    }
}

fn cause(cause: DebtCause) -> Cause {
    match cause {
        DebtCause::Declined => Cause::Declined,
        DebtCause::NoMethod => Cause::NoMethod,
        DebtCause::Bounced => Cause::Bounced,
    }
}

fn stage(stage: Stage) -> WireStage {
    match stage {
        Stage::Owed => WireStage::Owed,
        Stage::Suspended => WireStage::Suspended,
        Stage::Deleting => WireStage::Deleting,
    }
}

fn step(step: Step) -> WireStep {
    match step {
        Step::Tell => WireStep::Tell,
        Step::TryOthers => WireStep::TryOtherMethods,
        Step::Retry => WireStep::Retry,
        Step::WarnOfSuspension => WireStep::WarnOfSuspension,
        Step::Suspend => WireStep::Suspend,
        Step::WarnOfDeletion => WireStep::WarnOfDeletion,
        Step::Delete => WireStep::Delete,
    }
}
