//! The work of a billing run: workers, of one server or of several, that share its ranges (R8.7).
//!
//! | what | how |
//! |---|---|
//! | exactly once | one invoice per project and month: a unique key; the cursor of a range moves in the transaction of each batch |
//! | resumable | a range is taken up at its cursor, by whoever comes once its hold is over |
//! | two on one range | the one whose cursor has moved under it is undone |
//! | one bad project | a batch that fails is tried in halves, down to the account, whose projects are then looked at one by one; the bad ones are set aside with the reason |
//! | constant memory | a batch of whole accounts at a time, per worker |
//! | money | payments are begun with the invoices and driven after the commit, beside the next batches |

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use florin_account::Issuer;
use florin_payment::Payments;
use florin_platform::{
    Platform,
    call::Call,
    clock::Clock,
    db::Tx,
    id::{AccountId, Id, Kind},
};
use florin_project::BillableProject;
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbBackend};
use tokio::task::JoinSet;

use super::{
    collector::Collector,
    monthly::{Portion, ToDrive, issue_portion},
    run::{complete, found, issuer},
    settle::settle,
};
use crate::{
    domain::billing_run::{BillingRange, BillingRun, BillingRunId, RunState, SetAside, divide},
    error::Error,
    store::{self, billing_range::Hold},
};

/// How many projects a batch holds; the work of one transaction (R7.7).
pub const BATCH_DEFAULT: u32 = 50;
/// How many batches a range has, about.
const BATCHES_A_RANGE: u32 = 5;
/// How long a range is held without a batch of it being committed, in microseconds. Too short is no mistake, only
/// work done twice of which one is undone.
const HOLD_MICROS: i64 = 3_000_000;
/// When to look again for what others hold.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often, before the rest is left to them.
const LOOKS_MAX: u32 = 200;

/// Marks the name of one worker.
enum Worker {}
impl Kind for Worker {
    const PREFIX: &'static str = "worker";
}

/// Billing runs over one platform, collecting through one [`Payments`].
#[derive(Clone, Debug)]
pub struct BillingRuns {
    platform: Platform,
    collector: Collector,
    batch: u32,
    workers: u32,
}

/// How much may still be done of what was asked for.
#[derive(Clone, Debug)]
struct Budget(Arc<AtomicI64>);

impl Budget {
    fn new(projects: u32) -> Self {
        Self(Arc::new(AtomicI64::new(projects.into())))
    }

    fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= 0
    }

    /// A batch counts at least as one, also when none of its projects is the issuer's.
    fn spend(&self, projects: usize) {
        self.0.fetch_sub(i64::try_from(projects.max(1)).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    fn spent_of(&self, projects: u32) -> u32 {
        let left = self.0.load(Ordering::Relaxed);
        u32::try_from(i64::from(projects) - left).unwrap_or(u32::MAX)
    }
}

impl BillingRuns {
    /// Runs kept in `platform`, whose invoices are collected through `payments`; one worker.
    #[must_use]
    pub fn new(platform: Platform, payments: Payments) -> Self {
        let collector = Collector::new(platform.clone(), payments);
        Self { platform, collector, batch: BATCH_DEFAULT, workers: 1 }
    }

    /// With batches of `projects`, at least one.
    #[must_use]
    pub fn with_batch(self, projects: u32) -> Self {
        Self { batch: projects.max(1), ..self }
    }

    /// With so many workers at once, at least one. On SQLite there is one writer, and one worker.
    #[must_use]
    pub fn with_workers(self, workers: u32) -> Self {
        let is_sqlite = self.platform.db.backend() == DbBackend::Sqlite;
        Self { workers: if is_sqlite { 1 } else { workers.max(1) }, ..self }
    }

    /// Goes on with a run until it completes or about `limit` projects are done; how many that were, and one for
    /// its completion. Waits for what other workers hold, and in the end for what is being collected.
    pub(crate) async fn go_on(&self, call: &Call, id: BillingRunId, limit: u32) -> Result<u32, Error> {
        let budget = Budget::new(limit);
        let mut looks = 0;
        while !budget.is_spent() {
            let run = found(self.platform.db.reader(), id).await?;
            if run.state != RunState::Running {
                break;
            }
            if run.project_count.is_none() {
                self.divide(&run).await?;
            }
            let before = budget.spent_of(limit);
            self.work(call, &run, &budget).await?;
            if budget.is_spent() {
                return Ok(budget.spent_of(limit));
            }
            if !store::billing_range::any_open(self.platform.db.reader(), id).await? {
                self.complete(call, id).await?;
                budget.spend(1);
                break;
            }
            looks = if budget.spent_of(limit) > before { 0 } else { looks + 1 };
            if looks > LOOKS_MAX {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.collector.finish().await;
        Ok(budget.spent_of(limit))
    }

    async fn complete(&self, call: &Call, id: BillingRunId) -> Result<(), Error> {
        let clock = self.platform.clock;
        let finish = |tx: Tx| async move {
            let now = clock.now(&tx).await?;
            complete(&tx, now, call, id).await
        };
        match self.platform.db.write(finish).await {
            // Somebody else completed it, or canceled it.
            Err(Error::Overtaken) => Ok(()),
            done => done,
        }
    }

    /// Divides a run into ranges of accounts, and counts what there is to bill; once, whoever comes first.
    async fn divide(&self, run: &BillingRun) -> Result<(), Error> {
        let reader = self.platform.db.reader();
        let issuer = issuer(reader, &run.issuer).await?;
        let (mut count, mut ends) = (0_i64, Vec::new());
        for series in 0..florin_account::series_in_use(reader, &issuer).await? {
            let (projects, ends_of_series) = self.divide_series(run, series).await?;
            count = count.saturating_add(projects);
            ends.push(ends_of_series);
        }
        let ranges = &divide(run.id, &ends);
        let note = |tx: Tx| async move {
            if store::billing_run::set_project_count(&tx, run.id, count).await? {
                store::billing_range::insert(&tx, ranges).await?;
            }
            Ok::<_, Error>(())
        };
        self.platform.db.write(note).await
    }

    /// How many projects there are to bill in a series, and where its ranges end but the last, which has no end.
    async fn divide_series(&self, run: &BillingRun, series: u32) -> Result<(i64, Vec<AccountId>), Error> {
        let reader = self.platform.db.reader();
        let range = self.batch.saturating_mul(BATCHES_A_RANGE);
        let (mut count, mut ends) = (0_i64, Vec::new());
        loop {
            let after = ends.last().copied();
            let of = (run.issuer.as_str(), series);
            let accounts = florin_account::of_series(reader, of, after, None, range).await?;
            let (period, settlement) = (run.month.period(), run.settlement);
            let projects = florin_project::billable_count(reader, period, settlement, &accounts).await?;
            count = count.saturating_add(projects);
            match accounts.last() {
                Some(last) if is_full(&accounts, range) => ends.push(*last),
                Some(_) | None => return Ok((count, ends)),
            }
        }
    }

    /// Has the workers bill ranges until none is free or the budget is spent. What ails one worker is told when
    /// all are done.
    async fn work(&self, call: &Call, run: &BillingRun, budget: &Budget) -> Result<(), Error> {
        let issuer = issuer(self.platform.db.reader(), &run.issuer).await?;
        if self.workers == 1 {
            return self.bill_ranges(call, &issuer, run, budget).await;
        }
        let mut workers = JoinSet::new();
        for _ in 0..self.workers {
            let (this, call, issuer) = (self.clone(), call.clone(), issuer.clone());
            let (run, budget) = (run.clone(), budget.clone());
            workers.spawn(async move { this.bill_ranges(&call, &issuer, &run, &budget).await });
        }
        let mut outcome = Ok(());
        while let Some(joined) = workers.join_next().await {
            let done = joined.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Ok(()),
            });
            outcome = outcome.and(done);
        }
        outcome
    }

    /// One worker: range after range.
    async fn bill_ranges(
        &self,
        call: &Call,
        issuer: &Issuer,
        run: &BillingRun,
        budget: &Budget,
    ) -> Result<(), Error> {
        let name = &Id::<Worker>::generate(self.machine_time().await?).to_string();
        let bill = async {
            while let Some(range) = self.take(run.id, name).await? {
                match self.bill_range(call, (issuer, run, name), range, budget).await {
                    // Somebody else is on it, or the run was canceled.
                    Ok(()) | Err(Error::Overtaken) => {}
                    Err(error) => return Err(error),
                }
                if budget.is_spent() {
                    break;
                }
            }
            Ok(())
        };
        let outcome = bill.await;
        let release = |tx: Tx| async move { store::billing_range::release(&tx, run.id, name).await };
        outcome.and(self.platform.db.write(release).await.map_err(Error::from))
    }

    async fn machine_time(&self) -> Result<Instant, Error> {
        Ok(Clock::System.now(self.platform.db.reader()).await?)
    }

    async fn take(&self, run: BillingRunId, worker: &str) -> Result<Option<BillingRange>, Error> {
        let now = self.machine_time().await?.micros();
        let hold = Hold { holder: worker, now, until: now + HOLD_MICROS };
        let take = |tx: Tx| async move {
            // What was canceled is not taken up: its workers would find out batch by batch.
            if !store::billing_run::hold_running(&tx, run).await? {
                return Ok(None);
            }
            store::billing_range::take(&tx, run, hold).await
        };
        Ok(self.platform.db.write(take).await?)
    }

    /// Bills a range to its end, or until the budget is spent.
    async fn bill_range(
        &self,
        call: &Call,
        (issuer, run, worker): (&Issuer, &BillingRun, &str),
        mut range: BillingRange,
        budget: &Budget,
    ) -> Result<(), Error> {
        while !budget.is_spent() {
            let page = whole_accounts(self.platform.db.reader(), run, &range, self.batch).await?;
            let Some((projects, to)) = page else { return self.end(&range).await };
            let count = projects.len();
            self.bill(call, (issuer, run, worker), &mut range, projects, to).await?;
            budget.spend(count);
        }
        Ok(())
    }

    async fn end(&self, range: &BillingRange) -> Result<(), Error> {
        let end = |tx: Tx| async move { store::billing_range::finish(&tx, range).await };
        if self.platform.db.write(end).await? { Ok(()) } else { Err(Error::Overtaken) }
    }

    /// Bills `projects` and moves the cursor of `range` to `to`; in halves if it does not work as a whole.
    async fn bill(
        &self,
        call: &Call,
        (issuer, run, worker): (&Issuer, &BillingRun, &str),
        range: &mut BillingRange,
        projects: Vec<BillableProject>,
        to: AccountId,
    ) -> Result<(), Error> {
        let mut open = vec![(projects, to)];
        while let Some((projects, to)) = open.pop() {
            let now = self.machine_time().await?.micros();
            let hold = Hold { holder: worker, now, until: now + HOLD_MICROS };
            let portion = Portion { issuer, run, range, projects: &projects, unfit: &[], to, hold };
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
            range.cursor = Some(to);
            self.collector.take(call, to_drive);
        }
        Ok(())
    }

    async fn attempt(&self, call: &Call, portion: Portion<'_>) -> Result<ToDrive, Error> {
        let clock = self.platform.clock;
        let issue = |tx: Tx| async move {
            let now = clock.now(&tx).await?;
            let to_drive = issue_portion(&tx, now, call, portion).await?;
            tracing::debug!(
                run = %portion.run.id,
                projects = portion.projects.len(),
                statements = tx.statements(),
                "a batch of a billing run"
            );
            Ok(to_drive)
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
}

/// The next projects of a range, about `batch` of them, of whole accounts; and the last account that is done with them.
/// None at the end of the range.
async fn whole_accounts(
    connection: &impl ConnectionTrait,
    run: &BillingRun,
    range: &BillingRange,
    batch: u32,
) -> Result<Option<(Vec<BillableProject>, AccountId)>, Error> {
    let of = (run.issuer.as_str(), range.series);
    let accounts = florin_account::of_series(connection, of, range.place(), range.to, batch).await?;
    let Some(to) = accounts.last().copied() else { return Ok(None) };
    let mut limit = batch.saturating_add(1);
    loop {
        let (period, settlement) = (run.month.period(), run.settlement);
        let mut page = florin_project::billable(connection, period, settlement, &accounts, limit).await?;
        if !is_full(&page, limit) {
            return Ok(Some((page, to)));
        }
        // The last account may be cut in two: it goes with the next batch, unless it is the only one.
        let cut = page.last().map(|project| project.account);
        page.retain(|project| Some(project.account) != cut);
        if let Some(to) = page.last().map(|project| project.account) {
            return Ok(Some((page, to)));
        }
        limit = limit.saturating_mul(2);
    }
}

/// Whether there are as many as asked for, and so perhaps more.
fn is_full<T>(found: &[T], limit: u32) -> bool {
    u32::try_from(found.len()).is_ok_and(|found| found >= limit)
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
