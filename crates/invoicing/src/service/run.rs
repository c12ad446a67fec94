//! Billing runs: started once per issuer and month, taken up again wherever they stopped (R8.7).
//!
//! | what | how |
//! |---|---|
//! | exactly once | one run per issuer and month, one invoice per project and month: unique keys |
//! | resumable | the cursor moves in the transaction of each batch |
//! | two runners at once | the one whose cursor has moved under it is undone |
//! | one bad project | a batch that fails is tried in halves, down to the account, whose projects are then looked at one by one; the bad ones are set aside with the reason |
//! | constant memory | a batch of whole accounts at a time |
//! | money | payments are begun with the invoices and driven after the commit |

use florin_account::Issuer;
use florin_payment::{PaymentId, Payments};
use florin_platform::{Platform, audit, call::Call, db::Tx, id::AccountId, outbox, wire::top_name};
use florin_project::{BillableProject, BillingCursor, ProjectId};
use florin_settlement::{Instant, Month};
use sea_orm::ConnectionTrait;

use super::{
    dunning::after_drive,
    monthly::{Portion, ToDrive, issue_portion},
    schedule::{Next, next},
    settle::settle,
};
use crate::{
    domain::billing_run::{BillingRun, BillingRunId, SetAside, Tally, settlement_of},
    error::Error,
    events::{BillingRunCompleted, BillingRunStarted},
    store,
};

/// How many projects a batch holds; the work of one transaction (R7.7).
pub const BATCH_DEFAULT: u32 = 50;
/// How many projects are counted at a time.
const COUNT_PAGE: u32 = 1000;
const RUNS: &str = "billingRuns";

/// `billingRuns/{billing_run}`.
#[must_use]
pub(crate) fn run_name(run: BillingRunId) -> String {
    top_name(RUNS, run)
}

/// Billing runs over one platform, collecting through one [`Payments`].
#[derive(Clone, Debug)]
pub struct BillingRuns {
    platform: Platform,
    payments: Payments,
    batch: u32,
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A batch was done: so many projects of it are the issuer's.
    Batch(u32),
    /// Every project is done.
    Completed,
    /// It was completed before.
    NothingToDo,
}

/// What a request to start a month comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The month has a run.
    Known(BillingRun),
    /// It would be this one.
    New(BillingRun),
}

impl BillingRuns {
    /// Runs kept in `platform`, whose invoices are collected through `payments`.
    #[must_use]
    pub fn new(platform: Platform, payments: Payments) -> Self {
        Self { platform, payments, batch: BATCH_DEFAULT }
    }

    /// With batches of `projects`, at least one.
    #[must_use]
    pub fn with_batch(self, projects: u32) -> Self {
        Self { batch: projects.max(1), ..self }
    }

    /// Takes one step of a run: bills a batch, or completes it.
    pub(crate) async fn step(&self, call: &Call, id: BillingRunId) -> Result<Progress, Error> {
        let reader = self.platform.db.reader();
        let run = store::billing_run::find(reader, id).await?.ok_or_else(|| Error::NotFound(run_name(id)))?;
        if run.finished.is_some() {
            return Ok(Progress::NothingToDo);
        }
        let issuer = issuer(reader, &run.issuer).await?;
        if run.project_count.is_none() {
            self.count(&run).await?;
        }
        let page = whole_accounts(reader, &run, self.batch).await?;
        let Some(to) = page.last().map(|project| project.account) else {
            return self.complete(call, &run).await;
        };
        let projects = of_run(reader, &run, page).await?;
        let billed = u32::try_from(projects.len()).unwrap_or(u32::MAX);
        self.bill(call, &issuer, run, projects, to).await?;
        Ok(Progress::Batch(billed))
    }

    /// Bills `projects` and moves the cursor to `to`; in halves if it does not work as a whole.
    async fn bill(
        &self,
        call: &Call,
        issuer: &Issuer,
        mut run: BillingRun,
        projects: Vec<BillableProject>,
        to: AccountId,
    ) -> Result<(), Error> {
        let mut open = vec![(projects, to)];
        while let Some((projects, to)) = open.pop() {
            let portion = Portion { issuer, run: &run, projects: &projects, unfit: &[], to };
            let to_drive = match self.attempt(call, portion).await {
                Ok(to_drive) => to_drive,
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => match halves(&projects) {
                    Some((first, second)) => {
                        let middle = first.last().map_or(to, |project| project.account);
                        open.push((second, to));
                        open.push((first, middle));
                        continue;
                    }
                    None => self.bill_without_the_unfit(call, portion, &error).await?,
                },
            };
            run.after = Some(to);
            self.collect(call, &to_drive).await;
        }
        Ok(())
    }

    async fn attempt(&self, call: &Call, portion: Portion<'_>) -> Result<ToDrive, Error> {
        let clock = self.platform.clock;
        let issue = |tx: Tx| async move {
            let now = clock.now(&tx).await?;
            issue_portion(&tx, now, call, portion).await
        };
        self.platform.db.write(issue).await
    }

    /// The projects of one account that failed together: those that cannot even be drafted alone are set
    /// aside and the others billed; if that fails too, all are set aside.
    async fn bill_without_the_unfit(
        &self,
        call: &Call,
        portion: Portion<'_>,
        error: &Error,
    ) -> Result<ToDrive, Error> {
        let Portion { run, projects, .. } = portion;
        let mut unfit = Vec::new();
        for project in projects {
            let alone = std::slice::from_ref(project);
            if let Err(error) = settle(self.platform.db.reader(), run.month, run.settlement, alone).await {
                unfit.push(set_aside(project, &error));
            }
        }
        if !unfit.is_empty() {
            match self.attempt(call, Portion { unfit: &unfit, ..portion }).await {
                Err(error) if !error.is_passing() => {}
                outcome => return outcome,
            }
        }
        let all = projects.iter().map(|project| set_aside(project, error)).collect::<Vec<_>>();
        self.attempt(call, Portion { unfit: &all, ..portion }).await
    }

    /// Drives what was begun. What does not get through is taken up by the payments' own reconciliation.
    async fn collect(&self, call: &Call, to_drive: &[(AccountId, PaymentId)]) {
        for (account, payment) in to_drive {
            let driven = match self.payments.drive(call, *account, *payment).await {
                Ok(driven) => after_drive(&self.platform, &driven).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = driven {
                tracing::warn!(%payment, error = &error as &dyn std::error::Error, "collection waits");
            }
        }
    }

    async fn complete(&self, call: &Call, run: &BillingRun) -> Result<Progress, Error> {
        let clock = self.platform.clock;
        let finish = |tx: Tx| async move {
            let now = clock.now(&tx).await?;
            if !store::billing_run::finish(&tx, run, now).await? {
                return Err(Error::Overtaken);
            }
            let name = run_name(run.id);
            audit::record(&tx, now, call, AccountId::NONE, &name).await?;
            let Tally { invoiced, nothing_due, set_aside } = run.done;
            let fact = BillingRunCompleted {
                billing_run: name,
                invoiced_count: invoiced,
                nothing_due_count: nothing_due,
                set_aside_count: set_aside,
            };
            outbox::append(&tx, now, AccountId::NONE, &fact).await?;
            Ok(())
        };
        self.platform.db.write(finish).await?;
        Ok(Progress::Completed)
    }

    /// Counts what there is to bill, page by page, and notes it.
    async fn count(&self, run: &BillingRun) -> Result<(), Error> {
        let reader = self.platform.db.reader();
        let mut count = 0_i64;
        let mut after = None;
        loop {
            let page = florin_project::billable(reader, run.month.period(), after, COUNT_PAGE).await?;
            let Some(last) = page.last().map(BillableProject::cursor) else { break };
            let projects = of_run(reader, run, page).await?;
            count = count.saturating_add(i64::try_from(projects.len()).unwrap_or(i64::MAX));
            after = Some(last);
        }
        let id = run.id;
        let note = |tx: Tx| async move { store::billing_run::set_project_count(&tx, id, count).await };
        Ok(self.platform.db.write(note).await?)
    }
}

/// Decides what starting `month` of `issuer` comes to (R8.7).
pub(crate) async fn decide(
    connection: &impl ConnectionTrait,
    now: Instant,
    issuer_id: &str,
    month: Month,
) -> Result<Start, Error> {
    let issuer = issuer(connection, issuer_id).await?;
    if let Some(run) = store::billing_run::of_month(connection, issuer_id, month).await? {
        return Ok(Start::Known(run));
    }
    let settlement = settlement_of(month, &issuer);
    if now < settlement {
        return Err(Error::PeriodNotOver { settlement });
    }
    match next(connection, &issuer, now).await? {
        Next::Running(other) => Err(Error::RunInProgress { run: run_name(other.id) }),
        Next::Unstarted { month: earlier, .. } if earlier.start() < month.start() => {
            Err(Error::EarlierMonthUnbilled { month: earlier })
        }
        Next::Unstarted { .. } | Next::Nothing => Ok(Start::New(BillingRun {
            id: BillingRunId::generate(now),
            issuer: issuer_id.to_owned(),
            month,
            settlement,
            project_count: None,
            done: Tally::default(),
            after: None,
            started: now,
            finished: None,
        })),
    }
}

/// Starts the run of `month`, or answers with the one there is.
pub(crate) async fn start(
    tx: &Tx,
    now: Instant,
    call: &Call,
    issuer: &str,
    month: Month,
) -> Result<BillingRun, Error> {
    let run = match decide(tx, now, issuer, month).await? {
        Start::Known(run) => return Ok(run),
        Start::New(run) => run,
    };
    if !store::billing_run::insert(tx, &run).await? {
        let other = store::billing_run::of_month(tx, issuer, month).await?;
        return other.ok_or(Error::Overtaken);
    }
    let name = run_name(run.id);
    audit::record(tx, now, call, AccountId::NONE, &name).await?;
    let fact = BillingRunStarted {
        billing_run: name,
        issuer: format!("issuers/{issuer}"),
        month: month.to_string(),
    };
    outbox::append(tx, now, AccountId::NONE, &fact).await?;
    Ok(run)
}

async fn issuer(connection: &impl ConnectionTrait, id: &str) -> Result<Issuer, Error> {
    let found = florin_account::issuer(connection, id).await?;
    found.ok_or_else(|| Error::NotFound(format!("issuers/{id}")))
}

/// The next projects of a run, of every issuer: whole accounts, about `batch` projects; none at the end.
async fn whole_accounts(
    connection: &impl ConnectionTrait,
    run: &BillingRun,
    batch: u32,
) -> Result<Vec<BillableProject>, Error> {
    let after = run.after.map(end_of);
    let mut limit = batch.saturating_add(1);
    loop {
        let mut page = florin_project::billable(connection, run.month.period(), after, limit).await?;
        let is_all = u32::try_from(page.len()).is_ok_and(|found| found < limit);
        if is_all {
            return Ok(page);
        }
        // The last account may be cut in two: it goes with the next batch, unless it is the only one.
        let last = page.last().map(|project| project.account);
        if page.first().map(|project| project.account) != last {
            page.retain(|project| Some(project.account) != last);
            return Ok(page);
        }
        limit = limit.saturating_mul(2);
    }
}

/// The place after every project of `account`.
pub(crate) fn end_of(account: AccountId) -> BillingCursor {
    BillingCursor { account, created: Instant::MAX, project: ProjectId::from_uuid(uuid::Uuid::max()) }
}

/// The projects a run bills: those of its issuer that are not billed by a final invoice of an earlier
/// settlement (R4.6).
async fn of_run(
    connection: &impl ConnectionTrait,
    run: &BillingRun,
    mut projects: Vec<BillableProject>,
) -> Result<Vec<BillableProject>, Error> {
    projects.retain(|project| !project.ends_before(run.settlement));
    let mut owners = projects.iter().map(|project| project.account).collect::<Vec<_>>();
    owners.dedup();
    let mut own = std::collections::HashSet::new();
    for account in florin_account::find_many(connection, &owners).await? {
        if account.issuer == run.issuer {
            own.insert(account.id);
        }
    }
    projects.retain(|project| own.contains(&project.account));
    Ok(projects)
}

/// Two halves of whole accounts; none if there is one account only.
fn halves(projects: &[BillableProject]) -> Option<(Vec<BillableProject>, Vec<BillableProject>)> {
    let accounts = projects.chunk_by(|one, next| one.account == next.account).collect::<Vec<_>>();
    if accounts.len() < 2 {
        return None;
    }
    let (first, second) = accounts.split_at(accounts.len() / 2);
    Some((first.concat(), second.concat()))
}

fn set_aside(project: &BillableProject, error: &Error) -> SetAside {
    SetAside { account: project.account, project: project.project, reason: error.chain() }
}
