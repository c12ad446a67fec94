//! Measured usage: what a second takes in, and what a look costs, each against a baseline of the same run.
//!
//! | figure | ours | baseline |
//! |---|---|---|
//! | storing | one gRPC stream, 1000 events a batch, few sums | the same rows into a copy of the table, ids checked: one `unnest` statement per batch on PostgreSQL, a prepared loop per batch on SQLite |
//! | storing, two hundred sums | the same, two hundred resources measured in every batch, in one hour | the same |
//! | storing, new sums | the same, every event the first of its sum | the same |
//! | storing, known sums | the same, every event of a batch in a sum of its own, which is there already | the same |
//! | single events | 64 callers, one event a call | one row a transaction, one connection |
//! | a look | `GetCurrentUsage` with many events | the same with few: events may not show |
//!
//! The baseline of both storings is what a program that only wants to keep the events would do: one connection, the same
//! rows in batches of the same size, in the same order, an id that is known passed over and each new one told. It keeps no
//! sums, holds no account and judges nothing; ours is to reach half of it while every event brings a second row.
//!
//! Run by `make bench`; `-- sqlite` or `-- postgres` measures one backend, `known` only the storing of known sums. `FLORIN_TEST_BENCH_EVENTS` says how many events a round has. Ratios within one run hold,
//! absolute figures do not.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "it prints its figures")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "ratios of times are no money")]

use std::time::{Duration, Instant as Stopwatch};

use florin_api::{
    money::Decimal,
    project::v1::{GetCurrentUsageRequest, RecordUsageRequest, StreamUsageRequest, UsageEvent},
};
use florin_platform::wire;
use florin_settlement::Instant;
use florin_testbed::{Backend, TestDatabase};
use florin_tests::florin::{Customer, Florin};
use futures::{StreamExt, stream};
use sea_orm::{
    ConnectionTrait, DatabaseConnection,
    sqlx::{self, AssertSqlSafe},
};
use uuid::Uuid;

const BATCH: usize = 1000;
const ROUNDS: usize = 3;
/// As many as a project may have of the family; with the hours of the month, sums for three rounds.
const RESOURCES: usize = 500;
const HOURS: usize = 24 * 25;
const EGRESS: &str = "plans/object-egress";

fn main() {
    // `cargo test --benches` and `--list` only ask whether it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let asked = Backend::ALL.into_iter().filter(|backend| is_wanted(&backend.to_string()));
    let asked: Vec<_> = asked.collect();
    for backend in if asked.is_empty() { Backend::ALL.to_vec() } else { asked } {
        runtime.block_on(measure(backend));
    }
}

/// Whether the arguments ask for `what`.
fn is_wanted(what: &str) -> bool {
    std::env::args().skip(1).any(|argument| argument == what)
}

fn events_of_a_round() -> usize {
    let asked = std::env::var_os("FLORIN_TEST_BENCH_EVENTS").and_then(|events| events.to_str()?.parse().ok());
    asked.unwrap_or(100_000).max(BATCH)
}

/// A server with a project whose resources are measured.
struct Bench {
    florin: Florin,
    customer: Customer,
    project: String,
    resources: Vec<String>,
    raw: DatabaseConnection,
    next: usize,
    /// Where the events of the present spread begin.
    first: usize,
}

async fn measure(backend: Backend) {
    let database = TestDatabase::create(backend).await;
    let florin = Florin::start(&database).await;
    let (customer, project) = florin.customer_with_project("bench").await;
    let mut resources = Vec::new();
    for _ in 0..RESOURCES {
        resources.push(customer.add(&project, EGRESS, "1").await.unwrap().name);
    }
    florin.advance_to("2027-03-28T00:00:00Z").await;
    let raw = database.connect().await;
    create_copy(&raw, backend).await;
    let mut bench = Bench { florin, customer, project, resources, raw, next: 0, first: 0 };

    println!("\n{backend}: measured usage, {} events a round, {BATCH} a batch", events_of_a_round());
    let spreads = [
        ("storing, ten sums a batch", Spread::FewSums),
        ("storing, two hundred sums a batch", Spread::SumPerResource),
        ("storing, every event a new sum", Spread::NewSums),
        ("storing, every event a known sum of its own", Spread::KnownSums),
    ];
    let all = !is_wanted("known");
    for (name, spread) in spreads.into_iter().filter(|(_, spread)| all || *spread == Spread::KnownSums) {
        bench.first = bench.next;
        let (mut ours, mut baseline) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let events = bench.events(events_of_a_round(), spread);
            baseline.push(bench.raw(backend, &events).await);
            ours.push(bench.streamed(events).await);
        }
        report(name, events_of_a_round(), median(ours), median(baseline));
    }
    if all {
        bench.small_batches(backend).await;
    }
    bench.florin.stop().await;
    drop(bench.raw);
    if all {
        looks(backend).await;
    }
}

fn report(name: &str, events: usize, ours: Duration, baseline: Duration) {
    let rate = |time: Duration| events as f64 / time.as_secs_f64();
    let ratio = rate(ours) / rate(baseline);
    println!("  {name}: {ratio:.2} of raw ({:.0} against {:.0} events/s)", rate(ours), rate(baseline));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// How many sums a batch touches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// Ten resources in one hour.
    FewSums,
    /// Two hundred resources in one hour.
    SumPerResource,
    /// Every event has an hour and resource of its own, as long as there are hours.
    NewSums,
    /// Every event has an hour and resource of its own in its batch, and has been measured before.
    KnownSums,
}

impl Spread {
    /// The resource and the hour of the event `n`.
    const fn place(self, n: usize) -> (usize, usize) {
        match self {
            Self::FewSums => (n % 10, 0),
            Self::SumPerResource => (n % 200, 0),
            Self::NewSums => (n % RESOURCES, 1 + (n / RESOURCES) % (HOURS - 1)),
            Self::KnownSums => (n % RESOURCES, 1 + (n / RESOURCES) % 10),
        }
    }
}

impl Bench {
    fn events(&mut self, count: usize, spread: Spread) -> Vec<UsageEvent> {
        let from = Instant::parse("2027-03-02T00:00:00Z").unwrap();
        let (first, of_spread) = (self.next, self.first);
        self.next += count;
        (first..first + count)
            .map(|n| {
                let (resource, hour) = spread.place(n - of_spread);
                let when = from.plus_seconds(hour as u64 * 3600 + (n % 3600) as u64);
                UsageEvent {
                    id: format!("0198{n:032}"),
                    resource: self.resources[resource].clone(),
                    quantity: Some(Decimal { value: "0.0123456789".to_owned() }),
                    usage_time: Some(wire::timestamp(when)),
                    label: String::new(),
                }
            })
            .collect()
    }

    /// Many callers with an event each, and batches of all sizes.
    async fn small_batches(&mut self, backend: Backend) {
        let (mut ours, mut baseline) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let events = self.events(2000, Spread::FewSums);
            baseline.push(self.raw_singly(backend, &events).await);
            ours.push(self.singly(events).await);
        }
        report("single events, 64 callers", 2000, median(ours), median(baseline));
        if backend == Backend::Postgres {
            self.memory().await;
        }
    }

    /// One stream, from the first batch to the last answer.
    async fn streamed(&self, events: Vec<UsageEvent>) -> Duration {
        let count = events.len();
        let batches: Vec<_> = events
            .chunks(BATCH)
            .map(|events| StreamUsageRequest { sequence: 0, events: events.to_vec() })
            .collect();
        let mut usage = self.florin.operator.usage();
        let begun = Stopwatch::now();
        let mut answers = usage.stream_usage(stream::iter(batches)).await.unwrap().into_inner();
        let mut accepted = 0;
        while let Some(answer) = answers.message().await.unwrap() {
            accepted += answer.counts.unwrap().accepted_count;
        }
        let time = begun.elapsed();
        assert_eq!(usize::try_from(accepted).unwrap(), count);
        time
    }

    /// One event a call, 64 calls at a time.
    async fn singly(&self, events: Vec<UsageEvent>) -> Duration {
        let begun = Stopwatch::now();
        stream::iter(events)
            .map(|event| {
                let mut usage = self.florin.operator.usage();
                async move { usage.record_usage(RecordUsageRequest { events: vec![event] }).await.unwrap() }
            })
            .buffer_unordered(64)
            .for_each(|_| async {})
            .await;
        begun.elapsed()
    }

    async fn raw(&self, backend: Backend, events: &[UsageEvent]) -> Duration {
        let rows: Vec<_> =
            events.chunks(BATCH).map(|batch| batch.iter().map(row).collect::<Vec<_>>()).collect();
        let begun = Stopwatch::now();
        for batch in rows {
            match backend {
                Backend::Postgres => insert_postgres(&self.raw, batch).await,
                Backend::Sqlite => insert_sqlite(&self.raw, batch).await,
            }
        }
        begun.elapsed()
    }

    async fn raw_singly(&self, backend: Backend, events: &[UsageEvent]) -> Duration {
        let rows: Vec<_> = events.iter().map(row).collect();
        let begun = Stopwatch::now();
        for row in rows {
            match backend {
                Backend::Postgres => insert_postgres(&self.raw, vec![row]).await,
                Backend::Sqlite => insert_sqlite(&self.raw, vec![row]).await,
            }
        }
        begun.elapsed()
    }

    /// What a backend's memory has grown to after batches of all sizes.
    async fn memory(&mut self) {
        let events = self.events(40_000, Spread::NewSums);
        let mut rest = events.as_slice();
        for size in (1..400).cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, later) = rest.split_at(size.min(rest.len()));
            let request = RecordUsageRequest { events: batch.to_vec() };
            self.florin.operator.usage().record_usage(request).await.unwrap();
            rest = later;
        }
        let text = "SELECT pid FROM pg_stat_activity WHERE application_name = 'florin'";
        let pool = self.raw.get_postgres_connection_pool();
        let pids: Vec<(i32,)> = sqlx::query_as(text).fetch_all(pool).await.unwrap();
        let own = |pid: i32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find(|line| line.starts_with("Anonymous:"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        match pids.iter().filter_map(|(pid,)| own(*pid)).max() {
            Some(kib) => println!(
                "  memory of the largest backend after batches of 1 to 400 events: {:.1} MB",
                kib as f64 / 1024.0
            ),
            None => println!("  memory of the backends cannot be read on this machine"),
        }
    }
}

/// What `GetCurrentUsage` costs as events come and sums do not.
async fn looks(backend: Backend) {
    let database = TestDatabase::create(backend).await;
    let florin = Florin::start(&database).await;
    let (customer, project) = florin.customer_with_project("looks").await;
    let mut resources = Vec::new();
    for _ in 0..20 {
        resources.push(customer.add(&project, EGRESS, "1").await.unwrap().name);
    }
    florin.advance_to("2027-03-28T00:00:00Z").await;
    let raw = database.connect().await;
    let mut bench = Bench { florin, customer, project, resources, raw, next: 0, first: 0 };
    let mut first = None;
    let largest = events_of_a_round() * 10;
    for events in [largest / 100, largest / 10, largest] {
        while bench.next < events {
            let batch = bench.over_the_month((events - bench.next).min(50_000));
            bench.streamed(batch).await;
        }
        let mut times = Vec::new();
        for _ in 0..21 {
            let request = GetCurrentUsageRequest { parent: bench.project.clone() };
            let begun = Stopwatch::now();
            let usage = bench.customer.caller.usage().get_current_usage(request).await.unwrap().into_inner();
            times.push(begun.elapsed());
            assert_eq!(usage.lines.len(), 20);
        }
        let time = median(times);
        let baseline = *first.get_or_insert(time);
        let ratio = time.as_secs_f64() / baseline.as_secs_f64();
        println!(
            "  a look at {events} events: {ratio:.2} of one at {} ({:.1} ms)",
            largest / 100,
            time.as_secs_f64() * 1000.0
        );
    }
    bench.florin.stop().await;
}

impl Bench {
    /// Events of 20 resources over 240 hours.
    fn over_the_month(&mut self, count: usize) -> Vec<UsageEvent> {
        let from = Instant::parse("2027-03-02T00:00:00Z").unwrap();
        let mut events = self.events(count, Spread::FewSums);
        for (n, event) in events.iter_mut().enumerate() {
            event.resource.clone_from(&self.resources[n % 20]);
            event.usage_time = Some(wire::timestamp(from.plus_seconds(((n / 20) % 240) as u64 * 3600)));
        }
        events
    }
}

struct Row {
    account: Uuid,
    id: String,
    resource: Uuid,
    micros: i64,
    units: i64,
    fraction: i64,
}

fn row(event: &UsageEvent) -> Row {
    let mut names = event.resource.split('/').skip(1).step_by(2);
    let mut id = || -> Uuid {
        let text = names.next().unwrap();
        // Any two distinct numbers do: the copy of the table refers to nothing.
        Uuid::from_u128(
            text.bytes().fold(0_u128, |sum, byte| sum.wrapping_mul(257).wrapping_add(byte.into())),
        )
    };
    let (account, _, resource) = (id(), id(), id());
    let micros = wire::instant(event.usage_time.as_ref().unwrap()).unwrap().micros();
    Row { account, id: event.id.clone(), resource, micros, units: 0, fraction: 123_456_789 }
}

const COLUMNS: &str =
    "account_id, event_id, resource_id, usage_micros, units, fraction, label, source, received_micros";

/// The table again, with the same keys.
async fn create_copy(raw: &DatabaseConnection, backend: Backend) {
    match backend {
        Backend::Postgres => {
            raw.execute_unprepared("CREATE TABLE usage_raw (LIKE usage_event INCLUDING ALL)").await.unwrap();
        }
        Backend::Sqlite => {
            let pool = raw.get_sqlite_connection_pool();
            let text = "SELECT sql FROM sqlite_master WHERE name = 'usage_event' AND type = 'table'";
            let (text,): (String,) = sqlx::query_as(text).fetch_one(pool).await.unwrap();
            raw.execute_unprepared(&text.replacen("usage_event", "usage_raw", 1)).await.unwrap();
        }
    }
}

async fn insert_postgres(raw: &DatabaseConnection, rows: Vec<Row>) {
    let text = format!(
        "INSERT INTO usage_raw ({COLUMNS}) SELECT a, e, r, m, u, f, '', 'services/sandbox', 0 \
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[]) \
         AS v (a, e, r, m, u, f) ON CONFLICT DO NOTHING RETURNING event_id"
    );
    let (mut accounts, mut ids, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    let (mut micros, mut units, mut fractions) = (Vec::new(), Vec::new(), Vec::new());
    let count = rows.len();
    for row in rows {
        accounts.push(row.account);
        ids.push(row.id);
        resources.push(row.resource);
        micros.push(row.micros);
        units.push(row.units);
        fractions.push(row.fraction);
    }
    let query = sqlx::query(AssertSqlSafe(text)).bind(accounts).bind(ids).bind(resources);
    let query = query.bind(micros).bind(units).bind(fractions);
    let added = query.fetch_all(raw.get_postgres_connection_pool()).await.unwrap();
    assert_eq!(added.len(), count);
}

async fn insert_sqlite(raw: &DatabaseConnection, rows: Vec<Row>) {
    let text = format!(
        "INSERT INTO usage_raw ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, '', 'services/sandbox', 0) ON CONFLICT DO NOTHING"
    );
    let pool = raw.get_sqlite_connection_pool();
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut added = 0;
    let count = rows.len() as u64;
    for row in rows {
        let query =
            sqlx::query(AssertSqlSafe(text.clone())).bind(row.account).bind(row.id).bind(row.resource);
        let query = query.bind(row.micros).bind(row.units).bind(row.fraction);
        added += query.execute(&mut *transaction).await.unwrap().rows_affected();
    }
    transaction.commit().await.unwrap();
    assert_eq!(added, count);
}
