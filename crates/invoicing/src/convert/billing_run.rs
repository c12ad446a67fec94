//! Billing runs on the wire.

use florin_api::{google::r#type::Date, invoicing::v1 as wire};
use florin_credit::project_name;
use florin_platform::{
    id::Id,
    violation::Violations,
    wire::{NameError, parse_top, timestamp},
};
use florin_settlement::Month;

use super::invoice::date;
use crate::{
    domain::{
        billing_run::{BillingItem, BillingRun, BillingRunId, ItemState, RunState, SetAside},
        invoice::invoice_name,
    },
    service::{
        items::{ItemKey, item_name},
        query::Report,
        run::run_name,
        watch::Seen,
    },
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

/// Reads the name of an item in `field`.
pub(crate) fn item_key(field: &str, name: &str) -> Result<ItemKey, Violations> {
    let parts = name.split_once("/items/");
    let key = parts
        .and_then(|(run, project)| Some((parse_top("billingRuns", run).ok()?, Id::parse(project).ok()?)));
    key.ok_or_else(|| Violations::one(field, "is not a name of the form billingRuns/…/items/…"))
}

/// Reads which items of which run are wanted.
pub(crate) fn items_wanted(
    request: &wire::ListBillingItemsRequest,
) -> Result<(BillingRunId, Vec<ItemState>), Violations> {
    let mut violations = Violations::new();
    let run = violations.take("parent", parse_top("billingRuns", &request.parent));
    let mut states = Vec::new();
    for state in request.states() {
        match state {
            wire::billing_item::State::SetAside => states.push(ItemState::SetAside),
            wire::billing_item::State::Invoiced => states.push(ItemState::Invoiced),
            wire::billing_item::State::NothingDue => states.push(ItemState::NothingDue),
            wire::billing_item::State::Unspecified => violations.add("states", "must be states of an item"),
        }
    }
    violations.finish_with(run.map(|run| (run, states)))
}

/// Renders a run without what it set aside.
pub(crate) fn rendered(run: &BillingRun) -> wire::BillingRun {
    let (state, finished, canceled) = match run.state {
        RunState::Running => (wire::billing_run::State::Running, None, None),
        RunState::Canceled { at } => (wire::billing_run::State::Canceled, None, Some(at)),
        RunState::Completed { at } => (wire::billing_run::State::Completed, Some(at), None),
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
        set_aside_items: Vec::new(),
        start_time: Some(timestamp(run.started)),
        finish_time: finished.map(timestamp),
        cancel_time: canceled.map(timestamp),
        retried_count: 0,
    }
}

/// Renders a run with what still waits of what it set aside.
pub(crate) fn whole(report: &Report) -> wire::BillingRun {
    let waiting = |item: &BillingItem| {
        let SetAside { account, project, reason } = &item.aside;
        wire::SetAsideItem { project: project_name(*account, *project), reason: reason.clone() }
    };
    wire::BillingRun {
        set_aside_items: report.waiting.iter().map(waiting).collect(),
        retried_count: report.settled_count,
        ..rendered(&report.run)
    }
}

/// Renders how far a run is.
pub(crate) fn seen(seen: &Seen) -> wire::WatchBillingRunResponse {
    let duration = |seconds| prost_types::Duration { seconds, nanos: 0 };
    wire::WatchBillingRunResponse {
        billing_run: Some(rendered(&seen.run)),
        projects_per_second: seen.projects_per_second,
        remaining_duration: seen.remaining_seconds().map(duration),
    }
}

/// Renders an item.
pub(crate) fn item(item: &BillingItem) -> wire::BillingItem {
    let SetAside { account, project, reason } = &item.aside;
    let state = match item.state() {
        ItemState::SetAside => wire::billing_item::State::SetAside,
        ItemState::Invoiced => wire::billing_item::State::Invoiced,
        ItemState::NothingDue => wire::billing_item::State::NothingDue,
    };
    let invoice = item.outcome.and_then(|outcome| outcome.invoice);
    wire::BillingItem {
        name: item_name((item.run, *project)),
        project: project_name(*account, *project),
        state: state.into(),
        reason: reason.clone(),
        attempt_count: i32::try_from(item.attempts).unwrap_or(i32::MAX),
        invoice: invoice.map(|invoice| invoice_name(*account, invoice)).unwrap_or_default(),
        create_time: Some(timestamp(item.since)),
        settle_time: item.outcome.map(|outcome| timestamp(outcome.at)),
    }
}
