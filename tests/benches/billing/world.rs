//! Accounts by the thousand: one is made over the wire, the others are its rows again under other ids.

use std::{
    sync::Arc,
    time::{Duration, Instant as Stopwatch},
};

use florin_api::{
    credit::v1::{GrantLaunchPadRequest, GrantLoyaltyRequest},
    google::r#type::Money,
};
use florin_invoicing::{BillingRuns, Debts, MoneyOutcomes, jobs::BillingRunJob};
use florin_payment::Payments;
use florin_platform::{Platform, clock::Clock, db::Db, job::Job, secret::ServerKey};
use florin_project::Standings;
use florin_settlement::Instant;
use florin_testbed::{Backend, TestDatabase};
use florin_tests::florin::Florin;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use crate::nobody::Nobody;

const RESOURCES: usize = 5;
const SETTLEMENT: &str = "2027-04-01T06:00:00Z";
/// The tables an account of this benchmark has rows in that billing it needs.
const CLONED: [&str; 9] = [
    "account",
    "account_lock",
    "project",
    "resource",
    "resource_interval",
    "credit_lot",
    "credit_movement",
    "credit_lot_due",
    "funding_standing",
];
/// The number ids of the first copy begin with; those of the template begin with a time, and come before.
pub(crate) const FIRST_COPY: u32 = 0x0200_0000;

/// Makes a database with `accounts` accounts, each with one project, five resources and four lots that together pay
/// for a month; its address. Nobody takes it away but the test bed, at its end: whoever is given it is another process.
pub(crate) async fn furnished(backend: Backend, accounts: u32) -> String {
    let database = TestDatabase::create(backend).await;
    let florin = Florin::start(&database).await;
    furnish(&florin).await;
    florin.stop().await;
    let raw = database.connect().await;
    multiply(&raw, accounts - 1).await;
    raw.close().await.unwrap();
    let url = database.url().to_owned();
    std::mem::forget(database);
    url
}

/// Florin's parts that bill, on a database full of accounts.
pub(crate) struct World {
    pub(crate) raw: DatabaseConnection,
    pub(crate) accounts: u32,
    platform: Platform,
}

/// What a run took.
pub(crate) struct Ran {
    pub(crate) time: Duration,
    /// What this process held before.
    pub(crate) megabytes_before: f64,
    /// The most it held meanwhile.
    pub(crate) megabytes_at_most: f64,
}

impl World {
    /// The one with `accounts` accounts at `url`, at the settlement instant of the month.
    pub(crate) async fn at(url: &str, accounts: u32) -> Self {
        let standings = Standings::new(Clock::Sandbox, Arc::new(Debts));
        let db = Db::connect(url).await.unwrap().keeping(Arc::new(standings));
        let key = ServerKey::try_new(vec![1; 32]).unwrap();
        let platform = Platform { db, clock: Clock::Sandbox, key };
        let clock = platform.clock;
        let settlement = Instant::parse(SETTLEMENT).unwrap();
        let moved =
            platform.db.write::<_, DbErr, _>(|tx| async move { clock.move_to(&tx, settlement).await });
        moved.await.unwrap();
        let raw = platform.db.reader().clone();
        Self { raw, accounts, platform }
    }

    /// Runs the month.
    pub(crate) async fn run(&self, batch: u32, workers: u32) -> Ran {
        let payments = Payments::new(self.platform.clone(), Arc::new(Nobody), Arc::new(MoneyOutcomes));
        let runs = BillingRuns::new(self.platform.clone(), payments).with_batch(batch).with_workers(workers);
        let job = BillingRunJob::new(self.platform.clone(), runs);
        forget_peak();
        let megabytes_before = megabytes("VmRSS:");
        let begun = Stopwatch::now();
        while job.run(u32::MAX).await.unwrap() > 0 {}
        let ran = Ran { time: begun.elapsed(), megabytes_before, megabytes_at_most: megabytes("VmHWM:") };
        let invoices =
            self.count("SELECT CAST(COUNT(*) AS bigint) FROM invoice WHERE kind = 'MONTHLY'").await;
        assert_eq!(invoices, i64::from(self.accounts), "every account has its invoice");
        let owed = self.count("SELECT CAST(COUNT(*) AS bigint) FROM debt").await;
        assert_eq!(owed, 0, "lots pay for all of it");
        ran
    }

    /// The connection Florin writes on, with its settings.
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        self.platform.db.migrator()
    }

    pub(crate) async fn count(&self, text: &str) -> i64 {
        let statement = Statement::from_string(self.raw.get_database_backend(), text);
        self.raw.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// Which share of the updates of lots needed no index.
    pub(crate) async fn hot_share(&self) -> f64 {
        let of = |column: &str| {
            format!("SELECT COALESCE({column}, 0) FROM pg_stat_user_tables WHERE relname = 'credit_lot'")
        };
        // What backends have counted is told to the statistics about once a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let hot = self.count(&of("n_tup_hot_upd")).await;
        hot as f64 / self.count(&of("n_tup_upd")).await.max(1) as f64
    }
}

async fn furnish(florin: &Florin) {
    let (customer, project) = florin.customer_with_project("bench").await;
    let amount = |units| Some(Money { currency_code: "EUR".to_owned(), units, nanos: 0 });
    for units in [100, 100] {
        let request = GrantLaunchPadRequest {
            parent: customer.account.clone(),
            amount: amount(units),
            reason: "a benchmark".to_owned(),
            ..Default::default()
        };
        florin.operator.grants().grant_launch_pad(request).await.unwrap();
    }
    for units in [100, 1000] {
        let request = GrantLoyaltyRequest {
            parent: customer.account.clone(),
            amount: amount(units),
            reason: "a benchmark".to_owned(),
            ..Default::default()
        };
        florin.operator.grants().grant_loyalty(request).await.unwrap();
    }
    for _ in 0..RESOURCES {
        customer.add(&project, "plans/b3-8", "1").await.unwrap();
    }
}

/// Writes the rows of the one account that is there `times` times again, under ids of their own: a copy's ids begin
/// with its number, so that copies come in order, and end with the place of the row, so that all such databases have
/// the same.
async fn multiply(raw: &DatabaseConnection, times: u32) {
    let backend = raw.get_database_backend();
    let mut places: Vec<String> = Vec::new();
    for table in CLONED {
        let columns = columns(raw, table).await;
        let names = columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let literals = columns.iter().map(|(name, _)| match backend {
            DbBackend::Postgres => format!("quote_nullable({name}::text)"),
            _ => format!("quote({name})"),
        });
        let literals = literals.collect::<Vec<_>>().join(", ");
        let text = format!("SELECT {literals} FROM {table} ORDER BY {names}");
        let rows = raw.query_all_raw(Statement::from_string(backend, text)).await.unwrap();
        for row in rows {
            let values = columns.iter().enumerate().map(|(index, (name, kind))| {
                let literal: String = row.try_get_by_index(index).unwrap();
                let is_id = literal != "NULL" && (kind == "uuid" || (kind == "BLOB" && name.ends_with("id")));
                if !is_id {
                    return if backend == DbBackend::Postgres {
                        format!("{literal}::{kind}")
                    } else {
                        literal
                    };
                }
                let place = places.iter().position(|known| *known == literal).unwrap_or_else(|| {
                    places.push(literal);
                    places.len() - 1
                });
                match backend {
                    DbBackend::Postgres => format!(
                        "(lpad(to_hex(n.n + {FIRST_COPY}), 8, '0') || '-0000-7000-8000-{place:012x}')::uuid"
                    ),
                    _ => format!("unhex(printf('%08x', n.n + {FIRST_COPY}) || '000070008000{place:012x}')"),
                }
            });
            let values = values.collect::<Vec<_>>().join(", ");
            let numbers = match backend {
                DbBackend::Postgres => format!("generate_series(0, {}) AS n (n)", times - 1),
                _ => format!(
                    "(WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {}) \
                     SELECT n FROM c) AS n",
                    times - 1
                ),
            };
            let text = format!("INSERT INTO {table} ({names}) SELECT {values} FROM {numbers}");
            raw.execute_unprepared(&text).await.unwrap();
        }
    }
    // What is known of the tables a run writes to is nothing, as before anybody's first run.
    for table in CLONED {
        raw.execute_unprepared(&format!("ANALYZE {table}")).await.unwrap();
    }
}

/// The columns of a table, and their types.
pub(crate) async fn columns(raw: &DatabaseConnection, table: &str) -> Vec<(String, String)> {
    let backend = raw.get_database_backend();
    let text = match backend {
        DbBackend::Postgres => format!(
            "SELECT column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_name = '{table}' ORDER BY ordinal_position"
        ),
        _ => format!("SELECT name, type FROM pragma_table_info('{table}') ORDER BY cid"),
    };
    let rows = raw.query_all_raw(Statement::from_string(backend, text)).await.unwrap();
    rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect()
}

/// The tables whose rows belong to accounts.
pub(crate) async fn tables_of_accounts(raw: &DatabaseConnection) -> Vec<String> {
    let text = match raw.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT c.table_name::text FROM information_schema.columns c \
             JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
             WHERE c.table_schema = 'public' AND c.column_name = 'account_id' AND t.table_type = 'BASE TABLE'"
        }
        _ => {
            "SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND c.name = 'account_id'"
        }
    };
    let rows = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), text)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Linux tells the most a process held since this was written.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// What Linux says this process holds; not a number elsewhere.
fn megabytes(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
