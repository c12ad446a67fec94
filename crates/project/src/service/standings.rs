//! Keeping funding standings true (R4.8).
//!
//! | what changes a standing | how it is noticed |
//! |---|---|
//! | lots issued, taken, lapsed | credit's store touches the account |
//! | a project's state; resources; holds; spending controls | this slice's stores do |
//! | invoices issued; debts opened, closed | invoicing's stores do |
//! | a month ends, a price changes, a hold times out or is used up | the standing says until when it holds; [`crate::jobs`] |
//!
//! A transaction that touches few accounts has their standings computed before it commits, from everything they
//! depend on: there is no other way in which they are written. One that touches many (a billing run) says of their
//! standings that they no longer hold; the job computes them within a second, and whoever asks in between has theirs
//! computed at once.
//!
//! Most transactions of money change an account's credit and nothing else of it (`tx.touch_balance`): then the rows are
//! kept as they are, but for what depends on lots.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use florin_credit::ProjectId;
use florin_platform::{
    Platform,
    clock::Clock,
    db::{Derived, Kept, Reader, Touched, Tx},
    id::AccountId,
    notice, outbox,
    wire::money,
};
use florin_settlement::{Instant, Month, Period};
use sea_orm::DbErr;

use crate::{
    domain::{
        funding::{HourlyRate, Standing},
        hold::{Hold, HoldEnd},
        plan::{ChargeModel, PlanCode, Timing},
        project::project_name,
        reckoning::{AccountFacts, Crossed, ProjectFacts, Reckoned, Running, Used, reckon, recredit},
        usage::RatedLine,
    },
    error::Error,
    events::{PrepaidFundsExhausted, PrepaidFundsRestored, SpendCapReached},
    ports::Receivables,
    service::{advance, price_list::Prices, usage},
    spending_notices as notices,
    store::{
        self,
        standing::{Key, ProjectRow, RunningRow},
    },
};

/// A transaction that touches more accounts than this leaves their standings to the job.
const AT_ONCE_MAX: usize = 16;
const HOURS_PER_DAY: u32 = 24;

/// Keeps the standings true: what [`florin_platform::db::Db::keeping`] is given.
#[derive(Clone)]
pub struct Standings {
    clock: Clock,
    receivables: Arc<dyn Receivables>,
}

impl std::fmt::Debug for Standings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Standings").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Derived for Standings {
    async fn derive(&self, tx: &Tx, touched: &BTreeMap<AccountId, Touched>) -> Result<(), DbErr> {
        let at = self.clock.now(tx).await?;
        let of = |wanted: Touched| {
            let these = touched.iter().filter(move |(_, how)| **how == wanted);
            these.map(|(account, _)| *account).collect::<Vec<_>>()
        };
        let (anything, balance) = (of(Touched::Anything), of(Touched::Balance));
        // Budgets are about use, which no credit changes.
        store::budget::hurry(tx, at, &anything).await?;
        let all = &[&*anything, &*balance].concat();
        if all.len() > AT_ONCE_MAX {
            return store::standing::outdate(tx, at, all).await;
        }
        let computed = self.compute_both(tx, at, anything, balance).await;
        or_outdated(tx, at, all, computed).await
    }
}

impl Standings {
    /// Standings by `clock`; `receivables` knows debts and what is invoiced.
    #[must_use]
    pub fn new(clock: Clock, receivables: Arc<dyn Receivables>) -> Self {
        Self { clock, receivables }
    }

    /// Computes the standings of `accounts` anew, in a transaction of its own.
    pub(crate) async fn refresh(&self, platform: &Platform, accounts: &[AccountId]) -> Result<(), Error> {
        platform
            .db
            .write(|tx| async move {
                florin_account::lock(&tx, accounts).await?;
                let at = self.clock.now(&tx).await?;
                self.compute(&tx, at, accounts).await
            })
            .await
    }

    /// Computes and keeps the standings of `accounts`, which are locked, and tells what has come to be.
    async fn compute(&self, tx: &Tx, at: Instant, accounts: &[AccountId]) -> Result<(), Error> {
        let facts = self.facts(tx, at, accounts).await?;
        keep(tx, at, facts.iter().flat_map(|facts| reckon(facts, at)).collect()).await
    }

    /// The same for accounts of which anything may have changed, and for those of which nothing has but their credit.
    async fn compute_both(
        &self,
        tx: &Tx,
        at: Instant,
        mut anything: Vec<AccountId>,
        balance: Vec<AccountId>,
    ) -> Result<(), Error> {
        anything.extend(self.recredit(tx, at, &balance).await?);
        if anything.is_empty() { Ok(()) } else { self.compute(tx, at, &anything).await }
    }

    /// The same for accounts of which nothing has changed but their credit: three queries, where everything takes more
    /// than a dozen. Those for which that is not enough.
    async fn recredit(&self, tx: &Tx, at: Instant, accounts: &[AccountId]) -> Result<Vec<AccountId>, Error> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = store::standing::complete_of(tx, accounts).await?;
        let delays = florin_account::billing_delays(tx, accounts).await?;
        let mut lots = by(florin_credit::lots::of_accounts(tx, accounts).await?);
        let (mut reckoned, mut others) = (Vec::new(), Vec::new());
        for account in accounts {
            let standings = known.remove(account).unwrap_or_default();
            let delay = delays.get(account).copied().unwrap_or_default();
            let lots = lots.remove(account).unwrap_or_default();
            match recredit(standings, &lots, delay, at) {
                Some(of_account) => reckoned.extend(of_account),
                None => others.push(*account),
            }
        }
        keep(tx, at, reckoned).await?;
        Ok(others)
    }

    /// The standings of `accounts` as they would be computed at `at`; nothing is kept.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn computed_anew(
        &self,
        tx: &Tx,
        at: Instant,
        accounts: &[AccountId],
    ) -> Result<Vec<Standing>, Error> {
        let facts = self.facts(tx, at, accounts).await?;
        Ok(facts.iter().flat_map(|facts| reckon(facts, at)).map(|reckoned| reckoned.standing).collect())
    }

    /// Everything the standings of `accounts` depend on, in a fixed number of queries.
    async fn facts(&self, tx: &Tx, at: Instant, accounts: &[AccountId]) -> Result<Vec<AccountFacts>, Error> {
        let rows = store::standing::projects_of(tx, accounts).await?;
        // What a project that is over used is invoiced, with its final invoice.
        let lasting = || rows.iter().filter(|row| !row.state.is_over());
        let keys: Vec<Key> = lasting().map(|row| (row.account, row.project)).collect();
        let reader = Reader::Within(tx);
        let billed = self.receivables.billed_until(reader, &keys).await?;
        let debtors = self.receivables.in_debt(reader, accounts).await?;
        let delays = florin_account::billing_delays(tx, accounts).await?;
        let mut lots = by(florin_credit::lots::of_accounts(tx, accounts).await?);
        let holds = store::hold::unended_of(tx, accounts).await?;
        let running = store::standing::running_of(tx, accounts).await?;
        let codes: BTreeSet<_> = running.iter().map(|row| &row.plan).collect();
        let prices = Prices::of(tx, &codes.into_iter().collect::<Vec<_>>(), accounts).await?;
        let (usual, own_quotas) = store::standing::quotas_of(tx, accounts).await?;

        let from = |row: &ProjectRow| {
            let billed = billed.get(&(row.account, row.project)).copied();
            billed.unwrap_or_else(|| row.created.start_of_month())
        };
        let month = Month::of(at);
        let attached = holds.iter().filter(|hold| hold.resource.is_some());
        let since = lasting().map(from).chain(attached.map(|hold| hold.created.start_of_month())).min();
        let since = since.unwrap_or_else(|| month.start()).min(month.start());
        let period = Period::try_new(since, month.end()).expect("a month ends after any of its instants");
        let mut used = self.used(tx, &keys, period, at.floor_hour().plus_hours(1)).await?;

        let mut holds = by(holds.into_iter().map(|hold| ((hold.account, hold.project), hold)));
        let mut running = by(running.into_iter().map(|row| ((row.account, row.project), row)));
        let mut projects: BTreeMap<AccountId, Vec<ProjectFacts>> = BTreeMap::new();
        for row in &rows {
            let key = (row.account, row.project);
            let running: Vec<RunningRow> = running.remove(&key).unwrap_or_default();
            let running: Option<Vec<Running>> =
                running.iter().map(|running| rates(running, row, &prices, at)).collect();
            let holds: Vec<Hold> = holds.remove(&key).unwrap_or_default();
            projects.entry(row.account).or_default().push(ProjectFacts {
                project: row.project,
                state: row.state,
                currency: row.currency,
                spend_cap: row.spend_cap,
                prepaid_only: row.prepaid_only,
                quotas: own_quotas.get(&key).copied().unwrap_or(usual),
                told: row.told,
                unbilled_from: from(row),
                used: used.remove(&key).unwrap_or_else(|| Some(Vec::new())).filter(|_| running.is_some()),
                running: running.unwrap_or_default(),
                holds,
            });
        }
        let facts = projects.into_iter().map(|(account, projects)| AccountFacts {
            account,
            delay_seconds: delays.get(&account).copied().unwrap_or_default(),
            in_debt: debtors.contains(&account),
            lots: lots.remove(&account).unwrap_or_default(),
            projects,
        });
        Ok(facts.collect())
    }

    /// What each project used; nothing of a project whose use cannot be rated.
    async fn used(
        &self,
        tx: &Tx,
        keys: &[Key],
        period: Period,
        until: Instant,
    ) -> Result<HashMap<Key, Option<Vec<Used>>>, Error> {
        match lines(tx, keys, period, until).await {
            Ok(lines) => Ok(by(lines).into_iter().map(|(key, used)| (key, Some(used))).collect()),
            // One project that cannot be rated must not be every project's misfortune.
            Err(Error::Rating(error)) if keys.len() == 1 => {
                tracing::error!(project = %keys[0].1, %error, "what a project used cannot be rated");
                Ok(keys.iter().map(|key| (*key, None)).collect())
            }
            Err(Error::Rating(_)) => {
                let mut all = HashMap::new();
                for key in keys {
                    all.extend(Box::pin(self.used(tx, std::slice::from_ref(key), period, until)).await?);
                }
                Ok(all)
            }
            Err(error) => Err(error),
        }
    }
}

fn by<K: std::hash::Hash + Eq, V>(pairs: impl IntoIterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut found: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in pairs {
        found.entry(key).or_default().push(value);
    }
    found
}

/// What was used, and what fell due in advance and is not invoiced.
async fn lines(tx: &Tx, keys: &[Key], period: Period, until: Instant) -> Result<Vec<(Key, Used)>, Error> {
    let lines = usage::of_projects(tx, keys, period, until).await?;
    let codes: BTreeSet<PlanCode> =
        lines.iter().filter_map(|line| PlanCode::parse(&line.plan).ok()).collect();
    let catalogue = store::plan::of_codes(tx, &codes.iter().collect::<Vec<_>>()).await?;
    let charged = |line: &RatedLine| {
        let priced = PlanCode::parse(&line.plan).ok().and_then(|code| catalogue.get(&code));
        priced.map(|priced| (priced.plan.model, priced.plan.timing))
    };
    let present = Month::of(until.minus(std::time::Duration::from_micros(1)));
    let due = advance::unbilled(tx, keys, until).await?;
    let used = |line: &RatedLine, month| {
        let (family, net) = (line.family, line.net.minor());
        ((line.account, line.project), Used { resource: line.resource, family, month, net })
    };
    let lines = lines.iter().map(|line| {
        let month = Month::of(line.period.from());
        let month = match charged(line) {
            // What was measured in an earlier month and is given here is on no invoice yet, also when the month's is
            // issued (R5.5).
            Some((ChargeModel::Metered, _)) => Some(month).filter(|month| *month == present),
            // Renewed on the 1st, it stands on the invoice of the month that ends there.
            Some((_, Timing::Advance)) => {
                Some(Month::of(line.period.from().minus(std::time::Duration::from_micros(1))))
            }
            Some((_, Timing::Arrears)) | None => Some(month),
        };
        used(line, month)
    });
    Ok(lines.chain(due.iter().map(|line| used(line, None))).collect())
}

/// How fast a resource is used now; none if that cannot be told.
fn rates(running: &RunningRow, row: &ProjectRow, prices: &Prices, at: Instant) -> Option<Running> {
    let tariff = prices.tariff(row.account, row.currency);
    let plan = &tariff.plan(&running.plan).ok()?.plan;
    let per_unit = || HourlyRate::of(tariff.price(&running.plan, at).ok()?.price, running.size);
    let (accrual, burn) = match plan.model {
        ChargeModel::Hourly => (per_unit()?, per_unit()?),
        ChargeModel::Monthly => {
            let hours = i128::from(Month::of(at).days().get() * HOURS_PER_DAY);
            (HourlyRate::ZERO, per_unit()?.over(hours))
        }
        ChargeModel::Metered => (HourlyRate::ZERO, HourlyRate::ZERO),
    };
    let changes = tariff.changes(&running.plan).ok()?.filter(|change| at < *change).min();
    Some(Running { resource: running.resource, family: plan.family, accrual, burn, changes })
}

/// What cannot be read or rated stops nobody from being paid: its row is out of date until it can.
async fn or_outdated(
    tx: &Tx,
    at: Instant,
    accounts: &[AccountId],
    computed: Result<(), Error>,
) -> Result<(), DbErr> {
    match computed {
        Ok(()) => Ok(()),
        Err(Error::Database(error @ (DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_)))) => Err(error),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a funding standing cannot be computed"
            );
            store::standing::outdate(tx, at, accounts).await
        }
    }
}

/// Keeps standings that were computed, and tells what has come to be.
async fn keep(tx: &Tx, at: Instant, reckoned: Vec<Reckoned>) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(reckoned.len());
    let mut crossed = Vec::new();
    for reckoned in reckoned {
        end_holds(tx, at, &reckoned).await?;
        let Reckoned { standing, due, crossed: now, .. } = reckoned;
        crossed.extend(now.into_iter().map(|crossed| (standing.clone(), crossed)));
        rows.push((standing, due));
    }
    store::standing::save(tx, &rows).await?;
    tell(tx, at, &crossed).await
}

async fn end_holds(tx: &Tx, at: Instant, reckoned: &Reckoned) -> Result<(), DbErr> {
    for end in [HoldEnd::TimedOut, HoldEnd::Used, HoldEnd::Removed] {
        let ended = reckoned.ended.iter().filter(|(_, by)| *by == end);
        let ended: Vec<_> = ended.map(|(hold, _)| *hold).collect();
        store::hold::end(tx, at, reckoned.standing.account, end, &ended).await?;
    }
    Ok(())
}

async fn tell(tx: &Tx, at: Instant, crossed: &[(Standing, Crossed)]) -> Result<(), Error> {
    let owners: BTreeSet<AccountId> = crossed.iter().map(|(standing, _)| standing.account).collect();
    if owners.is_empty() {
        return Ok(());
    }
    let owners = florin_account::find_many(tx, &owners.into_iter().collect::<Vec<_>>()).await?;
    let owners: BTreeMap<_, _> = owners.into_iter().map(|owner| (owner.id, owner)).collect();
    for (standing, crossed) in crossed {
        let project = project_name(standing.account, standing.project);
        let available = standing.money(standing.available_at(at));
        let told = match crossed {
            Crossed::CapReached => {
                let cap = standing.money(standing.spend_cap.unwrap_or_default());
                let spent = standing.money(standing.spent_at(at));
                let fact = SpendCapReached {
                    project: project.clone(),
                    spend_cap: Some(money(cap)),
                    spent: Some(money(spent)),
                };
                outbox::append(tx, at, standing.account, &fact).await?;
                owners.get(&standing.account).map(|owner| notices::cap_reached(owner, &project, cap, spent))
            }
            Crossed::Exhausted => {
                let fact =
                    PrepaidFundsExhausted { project: project.clone(), available: Some(money(available)) };
                outbox::append(tx, at, standing.account, &fact).await?;
                owners.get(&standing.account).map(|owner| notices::funds_exhausted(owner, &project))
            }
            Crossed::Restored => {
                let fact = PrepaidFundsRestored { project, available: Some(money(available)) };
                outbox::append(tx, at, standing.account, &fact).await?;
                None
            }
        };
        if let Some(told) = told {
            notice::raise(tx, at, standing.account, &told).await?;
        }
    }
    Ok(())
}

/// For the consistency tests: what stands in the row, what would be computed at the row's own hour, and what would be
/// computed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The project.
    pub project: ProjectId,
    /// What the row says is available now, in minor units, with what was used this month.
    pub stored: (i64, i64),
    /// What is, when everything is computed anew.
    pub computed: (i64, i64),
    /// Every figure that differs between the row and the same computed anew, when nothing but time has passed; empty
    /// when the row is outdated and says so.
    pub difference: Option<String>,
}

impl Standings {
    /// Computes the standings of `account` from scratch and compares them with the rows.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn compare(&self, platform: &Platform, account: AccountId) -> Result<Vec<Comparison>, Error> {
        let tx = platform.db.begin_write().await?;
        let at = self.clock.now(&tx).await?;
        let rows = store::standing::projects_of(&tx, &[account]).await?;
        let keys: Vec<Key> = rows.iter().map(|row| (row.account, row.project)).collect();
        let computed = self.computed_anew(&tx, at, &[account]).await?;
        tx.rollback().await;
        let mut stored = store::standing::of_keys(&Kept::new(platform.db.clone()), &keys).await?;
        let mut compared = Vec::with_capacity(computed.len());
        for now in computed {
            let Some(found) = stored.remove(&(now.account, now.project)) else {
                let difference = Some("there is no row".to_owned());
                let figures = (now.available_at(at), now.spent_at(at));
                compared.push(Comparison {
                    project: now.project,
                    stored: (0, 0),
                    computed: figures,
                    difference,
                });
                continue;
            };
            let row = found.standing;
            let settled = |standing: &Standing| {
                (
                    (standing.state, standing.in_debt, standing.prepaid_only, standing.spend_cap),
                    (standing.own, standing.shared, standing.accrual, standing.burn, standing.in_use),
                    (standing.unrated, standing.restricted.is_some(), standing.quotas),
                )
            };
            let difference = (row.is_valid_at(at) && settled(&row) != settled(&now))
                .then(|| format!("the row says {row:?}, computed is {now:?}"));
            compared.push(Comparison {
                project: now.project,
                stored: (row.available_at(at), row.spent_at(at)),
                computed: (now.available_at(at), now.spent_at(at)),
                difference,
            });
        }
        Ok(compared)
    }
}
