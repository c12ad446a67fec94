//! Billing runs on the wire.

use florin_api::{google::r#type::Date, invoicing::v1 as wire};
use florin_credit::project_name;
use florin_platform::{
    violation::Violations,
    wire::{NameError, parse_top, timestamp},
};
use florin_settlement::Month;

use super::invoice::date;
use crate::{
    domain::billing_run::{BillingRun, BillingRunId, SetAside},
    service::run::run_name,
};

/// Whose month to bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MonthToBill {
    pub(crate) issuer: String,
    pub(crate) month: Month,
}

/// Reads the name of a run in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<BillingRunId, Violations> {
    let parsed: Result<BillingRunId, NameError> = parse_top("billingRuns", name);
    parsed.map_err(|error| Violations::one(field, error))
}

/// Reads a StartBillingRun request.
pub(crate) fn month_to_bill(request: &wire::StartBillingRunRequest) -> Result<MonthToBill, Violations> {
    let mut violations = Violations::new();
    let issuer = violations.take("issuer", issuer_id(&request.issuer));
    let month = match &request.billing_month {
        Some(date) => violations.take("billing_month", month(date)),
        None => {
            violations.add("billing_month", "is required");
            None
        }
    };
    violations.finish_with(issuer.zip(month).map(|(issuer, month)| MonthToBill { issuer, month }))
}

/// Reads the issuer to filter by, if one is named.
pub(crate) fn issuer_filter(request: &wire::ListBillingRunsRequest) -> Result<Option<String>, Violations> {
    if request.issuer.is_empty() {
        return Ok(None);
    }
    issuer_id(&request.issuer).map(Some).map_err(|error| Violations::one("issuer", error))
}

pub(crate) fn issuer_id(name: &str) -> Result<String, &'static str> {
    match name.strip_prefix("issuers/") {
        Some(id) if !id.is_empty() && !id.contains('/') => Ok(id.to_owned()),
        Some(_) | None => Err("is not a name of the form issuers/…"),
    }
}

fn month(date: &Date) -> Result<Month, &'static str> {
    if date.day != 0 {
        return Err("must be a month: a year and a month, with day 0");
    }
    Month::parse(&format!("{:04}-{:02}", date.year, date.month)).map_err(|_| "must be a year and a month")
}

/// Renders a run.
pub(crate) fn run(run: &BillingRun, set_aside: &[SetAside]) -> wire::BillingRun {
    let state = match run.finished {
        Some(_) => wire::billing_run::State::Completed,
        None => wire::billing_run::State::Running,
    };
    wire::BillingRun {
        name: run_name(run.id),
        issuer: format!("issuers/{}", run.issuer),
        billing_month: Some(date(run.month)),
        settlement_time: Some(timestamp(run.settlement)),
        state: state.into(),
        project_count: run.project_count.unwrap_or_default(),
        invoiced_count: run.done.invoiced,
        nothing_due_count: run.done.nothing_due,
        set_aside_count: run.done.set_aside,
        set_aside_items: set_aside.iter().map(item).collect(),
        start_time: Some(timestamp(run.started)),
        finish_time: run.finished.map(timestamp),
    }
}

fn item(item: &SetAside) -> wire::SetAsideItem {
    wire::SetAsideItem { project: project_name(item.account, item.project), reason: item.reason.clone() }
}
