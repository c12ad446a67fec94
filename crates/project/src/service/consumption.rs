//! What a project consumed, as its owner looks at it: now, foretold, and month by month (R5.6).
//!
//! Nothing here reads an event: what was measured is read from its sums, so that a look costs the same however many
//! events a month has, and in however many hours.

use std::collections::BTreeMap;

use florin_credit::ProjectId;
use florin_platform::{
    db::{Db, Reader},
    page::Page,
    violation::Violations,
};
use florin_settlement::{Instant, Month, Period};

use super::usage::Known;
use crate::{
    domain::{
        forecast,
        metered::Sum,
        project::{Project, ProjectState},
        usage::{BillableProject, RatedLine},
    },
    error::Error,
    ports::{ForecastPayment, InvoiceForecast},
    store::{self, usage_month::Which},
};

/// How many projects of an account are simulated beside the one that is looked at.
const PROJECTS_MAX: u64 = 1000;

/// What a project used since the 1st.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) period: Period,
    pub(crate) lines: Vec<RatedLine>,
    /// Usage of earlier months the next invoice carries as well.
    pub(crate) late: Vec<RatedLine>,
}

/// What `project` used since the 1st, as known at `now`.
pub(crate) async fn current(
    db: &Db,
    now: Instant,
    invoices: &dyn InvoiceForecast,
    project: &Project,
) -> Result<Current, Error> {
    let (connection, month) = (db.reader(), Month::of(now));
    let wanted = [(project.account, project.id)];
    let known = Known::read(connection, &wanted, month.period(), Which::Used(month, month)).await?;
    let lines = known.lines(month.period(), now, |sum| carried_by(sum, &BTreeMap::new()))?;
    let billed = billed_before(db, invoices, project, now).await?;
    let due = Known::read(connection, &wanted, month.period(), Which::Due { after: billed, through: month })
        .await?;
    let mut late = due.lines(month.period(), now, |_| None)?;
    late.retain(|line| line.period.from() < month.start());
    Ok(Current { period: month.period(), lines, late })
}

/// The month whose invoice is still to come although it is over: its usage is not the present month's.
async fn billed_before(
    db: &Db,
    invoices: &dyn InvoiceForecast,
    project: &Project,
    now: Instant,
) -> Result<Option<Month>, Error> {
    let next = invoices.next_month(Reader::Committed(db), now, &project.into()).await?;
    Ok(Some(next).filter(|next| *next < Month::of(now)))
}

/// What a project will have used at the month's end, and what the invoice of the month carries beside it: the months
/// charged in advance that begin there.
#[derive(Clone, Debug)]
pub(crate) struct Foretold {
    pub(crate) period: Period,
    pub(crate) lines: Vec<RatedLine>,
    /// What of it has been used already.
    pub(crate) used: Vec<RatedLine>,
    pub(crate) payment: ForecastPayment,
}

/// What `project` will have used at the end of the month of `now`, and which lots would pay for it, after what the
/// account's other projects take.
pub(crate) async fn foretell(
    db: &Db,
    now: Instant,
    invoices: &dyn InvoiceForecast,
    project: &Project,
) -> Result<Foretold, Error> {
    let (connection, month) = (db.reader(), Month::of(now));
    let projects = siblings(db, project).await?;
    let keys: Vec<_> = projects.iter().map(|sibling| (sibling.account, sibling.project)).collect();
    let billed = billed_before(db, invoices, project, now).await?;
    let mut known =
        Known::read(connection, &keys, month.period(), Which::Due { after: billed, through: month }).await?;
    let own = |line: &RatedLine| line.project == project.id;
    let mut used = known.lines(month.period(), now, |_| None)?;
    used.retain(own);
    let mut measured = std::mem::take(&mut known.metered);
    for metered in &mut measured {
        let held = known.held.iter().find(|held| held.resource == metered.resource);
        let held = held.map_or(&[][..], |held| &held.held);
        forecast::extend(metered, held, &known.tariff(metered.account, metered.currency), now)?;
    }
    known.metered = measured;
    // What is charged in advance at the very end is settled with this month, and takes of the same lots (R5.3, R7.3).
    let lines = known.lines(month.period(), month.end(), |_| None)?;
    let mut by_project: BTreeMap<ProjectId, Vec<RatedLine>> = BTreeMap::new();
    for line in lines {
        by_project.entry(line.project).or_default().push(line);
    }
    let lines = by_project.get(&project.id).cloned().unwrap_or_default();
    let of_projects = projects
        .into_iter()
        .map(|sibling| {
            let lines = by_project.remove(&sibling.project).unwrap_or_default();
            (sibling, lines)
        })
        .collect();
    let payment = invoices.payment(Reader::Committed(db), month, of_projects, project.id).await?;
    Ok(Foretold { period: month.period(), lines, used, payment })
}

/// The projects of the account that settle together with `project`, in settlement order, it among them.
async fn siblings(db: &Db, project: &Project) -> Result<Vec<BillableProject>, Error> {
    let states: Vec<_> = ProjectState::ALL
        .into_iter()
        .filter(|state| !matches!(state, ProjectState::PendingFunding | ProjectState::Canceled))
        .collect();
    let found = store::project::list(db.reader(), project.account, &states, None, PROJECTS_MAX).await?;
    let mut siblings: Vec<_> = found.iter().map(BillableProject::from).collect();
    if !siblings.iter().any(|sibling| sibling.project == project.id) {
        siblings.push(project.into());
    }
    siblings.sort();
    Ok(siblings)
}

/// What a project used in one month.
#[derive(Clone, Debug)]
pub(crate) struct Monthly {
    pub(crate) month: Month,
    pub(crate) lines: Vec<RatedLine>,
    /// When the month was invoiced.
    pub(crate) closed: Option<Instant>,
}

/// What `project` used month by month, the present month first: one more than the page holds, if there are.
pub(crate) async fn history(
    db: &Db,
    now: Instant,
    project: &Project,
    page: &Page,
) -> Result<Vec<Monthly>, Error> {
    let oldest = Month::of(project.created);
    let newest = match page.after.as_deref().map(Month::parse).transpose() {
        Ok(after) => after.map_or(Month::of(now), Month::previous),
        Err(error) => return Err(Error::Invalid(Violations::one("page_token", error))),
    };
    let months: Vec<Month> = std::iter::successors(Some(newest), |month| Some(month.previous()))
        .take_while(|month| *month >= oldest)
        .take(usize::try_from(page.fetch()).unwrap_or(usize::MAX))
        .collect();
    let (Some(last), Some(first)) = (months.first().copied(), months.last().copied()) else {
        return Ok(Vec::new());
    };
    let Ok(period) = Period::try_new(first.start(), last.end()) else { return Ok(Vec::new()) };
    let wanted = [(project.account, project.id)];
    let known = Known::read(db.reader(), &wanted, period, Which::Used(first, last)).await?;
    let closings = store::usage_month::closings(db.reader(), project.account, project.id, first).await?;
    let mut by_month: BTreeMap<Month, Vec<RatedLine>> = BTreeMap::new();
    for line in known.lines(period, now, |sum| carried_by(sum, &closings))? {
        by_month.entry(Month::of(line.period.from())).or_default().push(line);
    }
    let monthly = |month: Month| Monthly {
        month,
        lines: by_month.remove(&month).unwrap_or_default(),
        closed: closings.get(&month).copied(),
    };
    Ok(months.into_iter().map(monthly).collect())
}

/// The month whose invoice carries the sum, if it is not the month of use: the first that was closed from the one
/// on that could carry it.
fn carried_by(sum: &Sum, closings: &BTreeMap<Month, Instant>) -> Option<Month> {
    let closed = closings.range(sum.billed_with..).next().map(|(month, _)| *month);
    Some(closed.unwrap_or(sum.billed_with)).filter(|month| *month != sum.month)
}
