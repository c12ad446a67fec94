//! Workers that share a run; runs that are canceled and resumed; what was set aside, billed later (R7.3, R7.7, R8.7).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    billing_runs::{SETTLEMENT, accounts, numbers, series, spoil, start, unspoil},
    world::{World, at, operator},
};
use florin_api::invoicing::v1::{self as wire, billing_run_service_server::BillingRunService};
use florin_credit::{GrantKind, SettlementHorizon};
use florin_invoicing::{BillingRunRpc, Horizon, jobs::BillingRunJob};
use florin_platform::{db::sql, id::AccountId, job::Job};
use florin_settlement::Instant;
use florin_testbed::{TestDatabase, on_both_backends};
use sea_orm::ConnectionTrait;
use tonic::{Code, Status};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    instrument::WithSubscriber,
    span,
};

fn rpc(world: &World) -> BillingRunRpc {
    BillingRunRpc::new(world.platform.clone(), world.payments.clone())
}

async fn cancel(world: &World, name: &str) -> Result<wire::BillingRun, Status> {
    let request = wire::CancelBillingRunRequest { name: name.to_owned(), ..Default::default() };
    rpc(world).cancel_billing_run(operator(request)).await.map(tonic::Response::into_inner)
}

async fn items(world: &World, run: &str, states: &[wire::billing_item::State]) -> Vec<wire::BillingItem> {
    let states = states.iter().map(|state| (*state).into()).collect();
    let request = wire::ListBillingItemsRequest { parent: run.to_owned(), states, ..Default::default() };
    rpc(world).list_billing_items(operator(request)).await.expect("items").into_inner().billing_items
}

async fn retry(world: &World, name: &str, validate_only: bool) -> Result<wire::BillingItem, Status> {
    let request =
        wire::RetryBillingItemRequest { name: name.to_owned(), validate_only, ..Default::default() };
    rpc(world).retry_billing_item(operator(request)).await.map(tonic::Response::into_inner)
}

/// Since when lapses of the account wait.
async fn waits_since(world: &World, account: AccountId) -> Option<Instant> {
    let tx = world.platform.db.begin_write().await.expect("a transaction");
    let now = world.platform.clock.now(&tx).await.expect("a clock");
    let since = Horizon.unissued_since(&tx, now, &[account]).await.expect("a horizon");
    tx.rollback().await;
    since.get(&account).copied()
}

/// How often somebody did something with `resource`.
async fn audited(world: &World, account: AccountId, resource: &str) -> i64 {
    let reader = world.platform.db.reader();
    let text =
        "SELECT COUNT(*) FROM audit_entry WHERE account_id = $1 AND resource = $2 AND actor LIKE '%test%'";
    let row = reader.query_one_raw(sql(reader, text, [account.into(), resource.into()])).await;
    row.expect("a query").expect("a row").try_get_by_index(0).expect("a number")
}

on_both_backends! {
    /// R8.7, R7.7: several servers with several workers each share a run: every invoice once, numbers without gaps.
    async fn workers_of_several_servers_share_a_run(db: TestDatabase) {
        let world = World::open(&db).await;
        let customers = accounts(&world, 12).await;
        world.move_to(SETTLEMENT).await;
        let server = || BillingRunJob::new(world.platform.clone(), world.runs().with_batch(1).with_workers(3));
        let (one, other) = (server(), server());
        let (first, second) = tokio::join!(one.run(100), other.run(100));
        first.expect("the first server's part");
        second.expect("the second server's part");
        let run = start(&world, 3).await.expect("the run");
        assert_eq!(run.state(), wire::billing_run::State::Completed);
        assert_eq!((run.project_count, run.invoiced_count), (12, 12));
        assert_eq!(numbers(&world, &customers).await, series("FR", 12));
    }

    /// R8.3: an issuer may have several series; an account belongs to one for life, and a run goes through all of them.
    async fn accounts_are_spread_over_the_series_of_their_issuer(db: TestDatabase) {
        let world = World::open(&db).await;
        let early = world.account("early").await;
        let connection = db.connect().await;
        connection.execute_unprepared("UPDATE issuer SET series_count = 2").await.expect("two series");
        let mut customers = accounts(&world, 16).await;
        world.grant(early, GrantKind::LaunchPad, 100_000).await;
        let project = world.project(early, None).await;
        let resource = world.add(&project, "instance", 1).await;
        customers.push((early, project));
        world.move_to("2027-03-01T10:30:00Z").await;
        world.remove(&resource).await;
        world.move_to(SETTLEMENT).await;
        let server = || BillingRunJob::new(world.platform.clone(), world.runs().with_batch(2).with_workers(3));
        let (one, other) = (server(), server());
        let (first, second) = tokio::join!(one.run(100), other.run(100));
        first.expect("the first server's part");
        second.expect("the second server's part");
        let run = start(&world, 3).await.expect("the run");
        assert_eq!((run.state(), run.invoiced_count), (wire::billing_run::State::Completed, 17));

        let mut of_series = [Vec::new(), Vec::new()];
        for (id, _) in &customers {
            let account = florin_account::find(&connection, *id).await.expect("rows").expect("an account");
            let number = world.invoices(*id).await.remove(0).number;
            of_series[usize::try_from(account.series).expect("few")].push(number);
            assert!(*id != early || account.series == 0, "it stays where it was");
        }
        let [first, second] = of_series.map(|mut numbers| {
            numbers.sort();
            numbers
        });
        assert!(!second.is_empty() && !first.is_empty());
        assert_eq!(first, series("FR", first.len()));
        assert_eq!(second, series("FR-2", second.len()));
        connection.execute_unprepared("UPDATE account SET series = 1 - series").await.expect_err("for life");
    }

    /// R8.7: canceled, a run issues nothing more; started again it goes on where it stopped, settled at the same
    /// instant. In between the month counts as not billed: lapses wait, and so do later months (R7.3).
    async fn a_canceled_run_waits_to_be_started_again(db: TestDatabase) {
        let world = World::open(&db).await;
        let customers = accounts(&world, 4).await;
        world.move_to(SETTLEMENT).await;
        let job = BillingRunJob::new(world.platform.clone(), world.runs().with_batch(1));
        assert_eq!(job.run(2).await.expect("two batches"), 2);
        let run = start(&world, 3).await.expect("the run");
        let canceled = cancel(&world, &run.name).await.expect("canceled");
        assert_eq!(canceled.state(), wire::billing_run::State::Canceled);
        assert!(canceled.cancel_time.is_some());
        assert_eq!(cancel(&world, &run.name).await.expect("as it is"), canceled);
        assert_eq!(job.run(100).await.expect("nothing"), 0);
        assert_eq!(job.next_due().await.expect("due"), None);
        assert_eq!(numbers(&world, &customers).await, series("FR", 2));

        world.move_to("2027-05-01T06:00:00Z").await;
        let (done, open) = (customers[0].0, customers[3].0);
        assert_eq!(waits_since(&world, open).await, Some(at(SETTLEMENT)));
        assert_eq!(waits_since(&world, done).await, Some(at("2027-05-01T06:00:00Z")));
        let refused = start(&world, 4).await.expect_err("March is not billed");
        assert!(refused.message().contains("2027-03 has not been billed"), "{refused:?}");

        let resumed = start(&world, 3).await.expect("resumed");
        assert_eq!((&resumed.name, resumed.state()), (&run.name, wire::billing_run::State::Running));
        assert_eq!((resumed.settlement_time, resumed.cancel_time), (run.settlement_time, None));
        job.run(2).await.expect("the rest of March");
        assert_eq!(numbers(&world, &customers).await, series("FR", 4));
        for (account, _) in &customers {
            let invoice = world.invoices(*account).await.remove(0);
            assert_eq!(invoice.settlement_time, run.settlement_time);
        }
        world.bill().await;
        let completed = start(&world, 3).await.expect("the run");
        let refused = cancel(&world, &completed.name).await.expect_err("it is over");
        assert_eq!(refused.code(), Code::FailedPrecondition);
    }

    /// R8.7, R7.7, R7.3: a project that was set aside is billed later, settled at its run's instant; until then it
    /// holds its account's lapses.
    async fn what_was_set_aside_is_billed_later(db: TestDatabase) {
        let world = World::open(&db).await;
        let customers = accounts(&world, 3).await;
        let (account, bad) = &customers[1];
        spoil(&db, bad).await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        let run = start(&world, 3).await.expect("the run");
        assert_eq!((run.set_aside_count, run.retried_count), (1, 0));
        let waiting = items(&world, &run.name, &[wire::billing_item::State::SetAside]).await;
        assert_eq!(waiting.len(), 1);
        assert_eq!((&waiting[0].project, waiting[0].attempt_count), (bad, 1));
        world.move_to("2027-04-10T00:00:00Z").await;
        assert_eq!(waits_since(&world, *account).await, Some(at(SETTLEMENT)));

        let name = &waiting[0].name;
        let unfit = retry(&world, name, false).await.expect_err("it is still spoiled");
        assert_eq!(unfit.code(), Code::FailedPrecondition);
        assert_eq!(items(&world, &run.name, &[]).await[0].attempt_count, 2);
        assert_eq!(audited(&world, *account, name).await, 1, "who tried is known (R2.7)");
        unspoil(&db, bad).await;
        let rehearsed = retry(&world, name, true).await.expect("it would be billed");
        assert_eq!((rehearsed.state(), rehearsed.invoice), (wire::billing_item::State::Invoiced, String::new()));
        assert!(world.invoices(*account).await.is_empty(), "a rehearsal keeps nothing");

        let billed = retry(&world, name, false).await.expect("billed");
        assert_eq!((billed.state(), billed.attempt_count), (wire::billing_item::State::Invoiced, 3));
        let invoice = world.invoices(*account).await.remove(0);
        assert_eq!((&invoice.name, invoice.settlement_time), (&billed.invoice, run.settlement_time));
        assert_eq!(retry(&world, name, false).await.expect("as it is"), billed);
        assert_eq!(world.invoices(*account).await.len(), 1);
        assert_eq!(waits_since(&world, *account).await, None);
        assert_eq!(numbers(&world, &customers).await, series("FR", 3));
        let run = start(&world, 3).await.expect("the run");
        assert_eq!((run.set_aside_count, run.retried_count), (1, 1));
        assert!(run.set_aside_items.is_empty() && items(&world, &run.name, &[]).await == [billed]);
    }

    /// R8.7: a batch is read and written with sets: as many statements for many accounts as for few. SQLite takes
    /// rows in parts of a hundred, ten and one.
    async fn a_batch_of_many_accounts_takes_as_many_statements_as_of_few(db: TestDatabase) {
        let mut counts = Vec::new();
        for count in [2, 20] {
            let database = TestDatabase::create(db.backend()).await;
            let world = World::open(&database).await;
            accounts(&world, count).await;
            world.move_to(SETTLEMENT).await;
            let counted = Arc::new(AtomicU64::new(0));
            let job = BillingRunJob::new(world.platform.clone(), world.runs());
            job.run(100).with_subscriber(Statements(counted.clone())).await.expect("billed");
            counts.push(counted.load(Ordering::SeqCst));
        }
        assert!(counts[0] > 20, "statements are counted: {counts:?}");
        let parts = match db.backend() {
            florin_testbed::Backend::Postgres => 0,
            florin_testbed::Backend::Sqlite => 8,
        };
        assert!(counts[1] <= counts[0] + parts, "{counts:?}");
    }
}

/// Remembers how many statements the largest batch took.
struct Statements(Arc<AtomicU64>);

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("florin_invoicing")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Found(&self.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Found<'a>(&'a AtomicU64);

impl Visit for Found<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "statements" {
            self.0.fetch_max(value, Ordering::SeqCst);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
