//! Billing runs: idempotent, resumable, and one bad project stops nothing (R8.7); numbers (R8.3).

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use crate::world::{Mood, World, operator};
use florin_api::{
    google::r#type::Date,
    invoicing::v1::{self as wire, billing_run_service_server::BillingRunService},
};
use florin_credit::GrantKind;
use florin_invoicing::{BillingRunRpc, MoneyOutcomes, jobs::BillingRunJob};
use florin_payment::{BoxError, Dispute, MoneyMoved, Outcomes, Payment, PaymentId, PaymentMethodId, Settled};
use florin_platform::{call::Call, db::Tx, id::AccountId, job::Job};
use florin_settlement::Instant;
use florin_testbed::{TestDatabase, on_both_backends};
use sea_orm::ConnectionTrait;
use tonic::Code;

const OTHER_ISSUER: &str = r#"
issuers:
  - id: nl
    legal_name: Florin BV
    street: Damrak 1
    postal_code: "1012"
    city: Amsterdam
    country: NL
    vat_number: NL004495445B01
    currency: EUR
    series_prefix: NL
    billing_delay_seconds: 21600
    initial_credit_minimum_minor: 3000
    loyalty_rate: "1"
countries:
  - { country: NL, issuer: nl, in_eu: true }
vat_rates:
  - { country: NL, effective: 2014-01-01T00:00:00Z, rate: "21" }
required_fields: []
terms: []
"#;
pub(crate) const SETTLEMENT: &str = "2027-04-01T06:00:00Z";

/// So many accounts, each with a project that ran an instance for ten hours.
pub(crate) async fn accounts(world: &World, count: usize) -> Vec<(AccountId, String)> {
    let mut accounts = Vec::new();
    for number in 0..count {
        let account = world.account(&format!("customer{number}")).await;
        world.grant(account, GrantKind::LaunchPad, 100_000).await;
        accounts.push((account, world.project(account, None).await));
    }
    let mut resources = Vec::new();
    for (_, project) in &accounts {
        resources.push(world.add(project, "instance", 1).await);
    }
    world.move_to("2027-03-01T09:30:00Z").await;
    for resource in resources {
        world.remove(&resource).await;
    }
    accounts
}

fn start_of(month: i32) -> wire::StartBillingRunRequest {
    wire::StartBillingRunRequest {
        issuer: "issuers/fr".to_owned(),
        billing_month: Some(Date { year: 2027, month, day: 0 }),
        ..Default::default()
    }
}

pub(crate) async fn start(world: &World, month: i32) -> Result<wire::BillingRun, tonic::Status> {
    let rpc = BillingRunRpc::new(world.platform.clone(), world.payments.clone());
    rpc.start_billing_run(operator(start_of(month))).await.map(tonic::Response::into_inner)
}

async fn rehearse(world: &World, month: i32) -> wire::BillingRun {
    let request = wire::StartBillingRunRequest { validate_only: true, ..start_of(month) };
    let rpc = BillingRunRpc::new(world.platform.clone(), world.payments.clone());
    rpc.start_billing_run(operator(request)).await.expect("rehearsed").into_inner()
}

async fn get(world: &World, name: &str) -> wire::BillingRun {
    let request = wire::GetBillingRunRequest { name: name.to_owned() };
    let rpc = BillingRunRpc::new(world.platform.clone(), world.payments.clone());
    rpc.get_billing_run(operator(request)).await.expect("a run").into_inner()
}

pub(crate) async fn numbers(world: &World, accounts: &[(AccountId, String)]) -> Vec<String> {
    let mut numbers = Vec::new();
    for (account, _) in accounts {
        numbers.extend(world.invoices(*account).await.into_iter().map(|invoice| invoice.number));
    }
    numbers.sort();
    numbers
}

pub(crate) fn series(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{prefix}-2027-{number:06}")).collect()
}

on_both_backends! {
    /// R7.3: not before the settlement instant; then by itself, once.
    async fn a_month_is_billed_at_its_settlement_instant(db: TestDatabase) {
        let world = World::open(&db).await;
        let customers = accounts(&world, 1).await;
        let job = BillingRunJob::new(world.platform.clone(), world.runs());
        assert_eq!(job.next_due().await.expect("due"), Some(crate::world::at(SETTLEMENT)));
        assert_eq!(job.run(100).await.expect("run"), 0);
        world.move_to("2027-04-01T05:59:00Z").await;
        let refused = start(&world, 3).await.expect_err("too early");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        assert_eq!(numbers(&world, &customers).await, ["FR-2027-000001"]);
        assert_eq!(job.next_due().await.expect("due"), Some(crate::world::at("2027-05-01T06:00:00Z")));
    }

    /// R8.7: started twice, the same run and the same invoices, once each.
    async fn a_month_has_one_run_and_each_invoice_once(db: TestDatabase) {
        let world = World::open(&db).await;
        let customers = accounts(&world, 3).await;
        world.move_to(SETTLEMENT).await;
        let run = start(&world, 3).await.expect("started");
        assert_eq!(run.state(), wire::billing_run::State::Running);
        world.bill().await;
        let again = start(&world, 3).await.expect("the same run");
        assert_eq!(again.name, run.name);
        world.bill().await;
        let run = get(&world, &run.name).await;
        assert_eq!(run.state(), wire::billing_run::State::Completed);
        assert_eq!((run.project_count, run.invoiced_count, run.nothing_due_count), (3, 3, 0));
        assert_eq!(numbers(&world, &customers).await, series("FR", 3));
    }

    /// R8.7, R12.3: a run goes on where it stopped, batch by batch; two runners do nothing twice.
    async fn a_run_goes_on_where_it_stopped(db: TestDatabase) {
        let world = World::open(&db).await;
        let customers = accounts(&world, 5).await;
        world.move_to(SETTLEMENT).await;
        let job = || BillingRunJob::new(world.platform.clone(), world.runs().with_batch(1));
        assert_eq!(job().run(2).await.expect("two batches"), 2);
        assert_eq!(numbers(&world, &customers).await, series("FR", 2));
        let (one, other) = (job(), job());
        let (first, second) = tokio::join!(one.run(100), other.run(100));
        assert!(first.is_ok() || second.is_ok());
        world.bill().await;
        assert_eq!(numbers(&world, &customers).await, series("FR", 5));
        let run = start(&world, 3).await.expect("the run");
        assert_eq!(run.invoiced_count, 5);
    }

    /// R8.7: one bad project is set aside with its reason, and stops nobody, not even its account.
    async fn one_bad_project_is_set_aside(db: TestDatabase) {
        let world = World::open(&db).await;
        let customers = accounts(&world, 4).await;
        let (account, bad) = &customers[1];
        world.move_to("2027-03-02T00:00:00Z").await;
        let good = world.project(*account, None).await;
        world.add(&good, "instance", 1).await;
        spoil(&db, bad).await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        let run = start(&world, 3).await.expect("the run");
        let run = get(&world, &run.name).await;
        assert_eq!((run.invoiced_count, run.set_aside_count), (4, 1));
        assert_eq!(run.set_aside_items.len(), 1);
        assert_eq!(run.set_aside_items[0].project, *bad);
        assert!(!run.set_aside_items[0].reason.is_empty());
        assert_eq!(numbers(&world, &customers).await, series("FR", 4));
    }

    /// R8.7: what would be started has no name, because nobody will find it.
    async fn a_rehearsed_start_names_no_run(db: TestDatabase) {
        let world = World::open(&db).await;
        accounts(&world, 1).await;
        world.move_to(SETTLEMENT).await;
        assert_eq!(rehearse(&world, 3).await.name, "");
        let run = start(&world, 3).await.expect("started");
        assert_eq!(rehearse(&world, 3).await.name, run.name);
    }

    /// R8.7: what ails one issuer's run stops no other issuer's.
    async fn one_bad_run_stops_no_other_issuer(db: TestDatabase) {
        let world = World::open(&db).await;
        accounts(&world, 1).await;
        let seed = florin_account::seed::Seed::parse(OTHER_ISSUER).expect("an issuer");
        world.platform.db.write(|tx| {
            let seed = seed.clone();
            async move { seed.load(&tx).await }
        }).await.expect("seeded");
        world.move_to(SETTLEMENT).await;
        let connection = db.connect().await;
        let unreadable = "INSERT INTO billing_run (id, issuer, month, settlement_at, state, invoiced_count, \
                          nothing_due_count, set_aside_count, started_at) \
                          SELECT id, 'fr', 'garbage', created_at, 'RUNNING', 0, 0, 0, created_at FROM project";
        connection.execute_unprepared(unreadable).await.expect("a run nobody can read");
        let job = BillingRunJob::new(world.platform.clone(), world.runs());
        job.run(100).await.expect("the other issuer is billed");
        assert!(job.next_due().await.expect("due").is_some());
        let request = wire::ListBillingRunsRequest { issuer: "issuers/nl".to_owned(), ..Default::default() };
        let rpc = BillingRunRpc::new(world.platform.clone(), world.payments.clone());
        let runs = rpc.list_billing_runs(operator(request)).await.expect("runs").into_inner().billing_runs;
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].state(), wire::billing_run::State::Completed);
    }

    /// R8.3: gapless and once each, whoever comes when, whatever is rolled back.
    async fn numbers_are_gapless_under_concurrency_and_rollback(db: TestDatabase) {
        const BUYERS: usize = 20;
        let stumbling = Arc::new(Stumbling::default());
        let world = World::told_to(&db, stumbling.clone()).await;
        world.till.set(Mood::Ponders);
        let mut buyers = Vec::new();
        for number in 0..BUYERS {
            let account = world.account(&format!("buyer{number}")).await;
            let card = world.card(account).await;
            let project = world.project(account, Some(&card)).await;
            world.buy(account, &project, 30, &card).await.expect("ordered");
            buyers.push((account, project));
        }
        world.till.set(Mood::Approves);
        let call = Call::by_job("test");
        let payments = payments(&db).await;
        assert_eq!(payments.len(), BUYERS);
        for _ in 0..3 {
            let all = payments.iter().map(|(account, payment)| world.payments.drive(&call, *account, *payment));
            futures::future::join_all(all).await;
        }
        assert!(stumbling.stumbles() > 5);
        assert_eq!(numbers(&world, &buyers).await, series("FR-P", BUYERS));
        for (account, _) in &buyers {
            let invoice = world.invoices(*account).await.remove(0);
            let (owner, id) = florin_platform::wire::parse_child("invoices", &invoice.name).expect("a name");
            florin_invoicing::prove_settlement(world.platform.db.reader(), owner, id).await.expect("proven");
        }
    }
}

/// Makes a resource of `project` unreadable, behind everybody's back.
pub(crate) async fn spoil(db: &TestDatabase, project: &str) {
    set_labels(db, project, "garbage").await;
}

/// Makes it readable again.
pub(crate) async fn unspoil(db: &TestDatabase, project: &str) {
    set_labels(db, project, "{}").await;
}

async fn set_labels(db: &TestDatabase, project: &str, labels: &str) {
    let (_, id): (AccountId, florin_project::ProjectId) =
        florin_platform::wire::parse_child("projects", project).expect("a name");
    let connection = db.connect().await;
    let text = "UPDATE resource SET labels = $2 WHERE project_id = $1";
    let values = [id.into(), labels.into()];
    let statement = sea_orm::Statement::from_sql_and_values(connection.get_database_backend(), text, values);
    connection.execute_raw(statement).await.expect("spoiled");
}

async fn payments(db: &TestDatabase) -> Vec<(AccountId, PaymentId)> {
    let connection = db.connect().await;
    let text = "SELECT account_id, id FROM payment ORDER BY id";
    let statement = sea_orm::Statement::from_string(connection.get_database_backend(), text);
    let rows = connection.query_all_raw(statement).await.expect("payments");
    let payment = |row: &sea_orm::QueryResult| {
        (row.try_get_by_index(0).expect("an account"), row.try_get_by_index(1).expect("a payment"))
    };
    rows.iter().map(payment).collect()
}

/// Does everything, and then fails the first time for every other payment: all of it is rolled back.
#[derive(Default)]
struct Stumbling {
    met: Mutex<HashSet<PaymentId>>,
    stumbled: Mutex<usize>,
}

impl Stumbling {
    fn stumbles(&self) -> usize {
        *self.stumbled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meets(&self, payment: PaymentId) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let stumbles = met.insert(payment) && met.len().is_multiple_of(2);
        *self.stumbled.lock().unwrap_or_else(PoisonError::into_inner) += usize::from(stumbles);
        stumbles
    }
}

#[async_trait::async_trait]
impl Outcomes for Stumbling {
    async fn money_moved(
        &self,
        tx: &Tx,
        at: Instant,
        payment: &Payment,
        moved: MoneyMoved<'_>,
    ) -> Result<(), BoxError> {
        MoneyOutcomes.money_moved(tx, at, payment, moved).await
    }

    async fn settled(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
    ) -> Result<Settled, BoxError> {
        let settled = MoneyOutcomes.settled(tx, at, call, payment).await?;
        if self.meets(payment.id) { Err("stumbled".into()) } else { Ok(settled) }
    }

    async fn failed(&self, tx: &Tx, at: Instant, call: &Call, payment: &Payment) -> Result<(), BoxError> {
        MoneyOutcomes.failed(tx, at, call, payment).await
    }

    async fn disputed(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), BoxError> {
        MoneyOutcomes.disputed(tx, at, call, payment, dispute).await
    }

    async fn dispute_won(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), BoxError> {
        MoneyOutcomes.dispute_won(tx, at, call, payment, dispute).await
    }

    async fn method_valid(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), BoxError> {
        MoneyOutcomes.method_valid(tx, at, call, account, method).await
    }

    async fn method_refused(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), BoxError> {
        MoneyOutcomes.method_refused(tx, at, call, account, method).await
    }
}
