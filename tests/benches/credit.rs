//! Credit: what a second takes, each figure against the raw statements of the same calls in the same run.
//!
//! | figure | ours | raw |
//! |---|---|---|
//! | redeem | `RedeemVoucher` over gRPC, a code of its own or one code for everybody | what each call did to the database, recorded on one copy of it, is played on another by so many clients (one account's by one), with the same ids in the same transactions; and once more without the reads |
//! | pay an order | `PayCreditOrder` with a registered card, on one account and on many | the same |
//! | debit | a plan applied in a transaction of its own, on one account and on many; and batches of accounts in one, as the billing run does | the same |
//! | list credits | `ListCredits` of an account with 200 lots, p99 | the same |
//! | a slow disk | the same transactions one by one and grouped, when every fsync takes a millisecond longer | |
//!
//! Run by `make bench`. `FLORIN_TEST_BENCH_CALLS` says how many calls a figure is made of, `FLORIN_TEST_BENCH_ACCOUNTS`
//! over how many accounts. Ratios within one run hold, absolute figures do not.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "it prints its figures")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "ratios of times are no money")]

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant as Stopwatch},
};

use florin_api::credit::v1::{
    CreateCreditOrderRequest, CreditOrder, GrantLoyaltyRequest, ListCreditsRequest, PayCreditOrderRequest,
    RedeemVoucherRequest, pay_credit_order_request::Source,
};
use florin_platform::{db::Db, id::AccountId, wire::account_name};
use florin_server::client::Caller;
use florin_testbed::{Backend, TestDatabase};
use florin_tests::{acts::euros, florin::Florin};
use futures::{StreamExt, stream};

#[path = "credit/debits.rs"]
mod debits;
#[path = "credit/record.rs"]
mod record;
#[path = "credit/slow_disk.rs"]
mod slow_disk;
#[path = "credit/stage.rs"]
mod stage;

use record::{Part, Recorder, Step, counted, play};
use stage::Stage;

/// So many calls are under way at a time.
const CLIENTS: usize = 32;
/// How many lots the account has whose credits are listed.
const LOTS: usize = 200;

fn main() {
    // `cargo test --benches` and `--list` only ask whether it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if slow_disk::is_slow() {
        return runtime.block_on(slow_disk::measure());
    }
    for backend in Backend::ALL {
        runtime.block_on(measure(backend));
    }
    runtime.block_on(slow_disk::begin());
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var_os(name).and_then(|text| text.to_str()?.parse().ok()).unwrap_or(usual)
}

fn calls() -> usize {
    number("FLORIN_TEST_BENCH_CALLS", 1000)
}

fn accounts() -> usize {
    number("FLORIN_TEST_BENCH_ACCOUNTS", 10_000).max(calls())
}

async fn measure(backend: Backend) {
    let stage = Stage::set(backend, accounts(), calls()).await;
    println!("\n{backend}: credit, {} calls a figure by {CLIENTS} clients, {} accounts", calls(), accounts());

    let redeem = |code: &dyn Fn(usize) -> String| {
        let each = |n| {
            let account = stage.accounts[n];
            let (parent, code) = (stage.project(account), code(n));
            (
                account,
                RedeemVoucherRequest {
                    parent,
                    code,
                    request_id: format!("redeem-{n}"),
                    ..Default::default()
                },
            )
        };
        (0..calls()).map(each).collect::<Vec<_>>()
    };
    let own = redeem(&|n| stage.codes[n].clone());
    compare("redeem, a code each", &stage.database, &own, redeemed).await;
    let shared = redeem(&|_| stage.shared.clone());
    compare("redeem, one code for all", &stage.database, &shared, redeemed).await;

    for (name, spread) in [("pay an order, many accounts", true), ("pay an order, one account", false)] {
        let (database, orders) = ordered(&stage, |n| stage.accounts[if spread { n } else { 0 }]).await;
        compare(name, &database, &orders, paid).await;
    }
    debits::measure(&stage).await;
    list(&stage).await;
}

async fn redeemed(customer: Caller, request: RedeemVoucherRequest) {
    customer.vouchers().redeem_voucher(request).await.unwrap();
}

async fn paid(customer: Caller, request: PayCreditOrderRequest) {
    let paid = customer.credit_orders().pay_credit_order(request).await.unwrap();
    assert!(!paid.into_inner().credit_order.unwrap().credit.is_empty(), "it is paid and supplied");
}

/// A copy with an order to pay for each call.
async fn ordered(
    stage: &Stage,
    whose: impl Fn(usize) -> AccountId,
) -> (TestDatabase, Vec<(AccountId, PayCreditOrderRequest)>) {
    let database = stage.database.copy().await;
    let florin = Florin::start(&database).await;
    let mut requests = Vec::new();
    for n in 0..calls() {
        let account = whose(n);
        let order =
            CreditOrder { project: stage.project(account), amount: Some(euros(30)), ..Default::default() };
        let request = CreateCreditOrderRequest {
            parent: account_name(account),
            credit_order: Some(order),
            ..Default::default()
        };
        let placed =
            Stage::customer(&florin, account).credit_orders().create_credit_order(request).await.unwrap();
        let request = PayCreditOrderRequest {
            name: placed.into_inner().name,
            source: Some(Source::PaymentMethod(stage.card(account))),
            immediate_supply_consent: true,
            request_id: format!("pay-{n}"),
            ..Default::default()
        };
        requests.push((account, request));
    }
    florin.stop().await;
    (database, requests)
}

/// The same calls, on three copies of one database: recorded, measured, and played raw.
async fn compare<Request, Call, Fut>(
    name: &str,
    database: &TestDatabase,
    requests: &[(AccountId, Request)],
    call: Call,
) where
    Request: Clone,
    Call: Fn(Caller, Request) -> Fut,
    Fut: Future<Output = ()>,
{
    let recorded = recorded(database, requests, &call).await;
    let ours = on_the_wire(database, requests, &call).await;
    let players = players(requests.iter().map(|(account, _)| *account));
    let mut raw = [Duration::ZERO; 2];
    for (time, part) in raw.iter_mut().zip([Part::All, Part::Writes]) {
        let copy = database.copy().await;
        let db = Db::connect(copy.url()).await.unwrap();
        *time = play(&db, &recorded, part, players).await.1;
    }
    let (statements, writes) = counted(recorded.last().unwrap());
    report(name, requests.len(), ours, raw);
    println!("    {statements} statements a call, {writes} of them write");
    if std::env::var_os("FLORIN_TEST_BENCH_PROFILE").is_some() {
        print_call(recorded.last().unwrap());
    }
}

/// How many play at a time. What happened to one account is played in its order, one by one: the account's history
/// refuses any other, and its lock lets nobody overtake.
fn players(accounts: impl Iterator<Item = AccountId>) -> usize {
    if accounts.collect::<HashSet<_>>().len() == 1 { 1 } else { CLIENTS }
}

async fn recorded<Request, Call, Fut>(
    database: &TestDatabase,
    requests: &[(AccountId, Request)],
    call: &Call,
) -> Vec<Vec<Step>>
where
    Request: Clone,
    Call: Fn(Caller, Request) -> Fut,
    Fut: Future<Output = ()>,
{
    let copy = database.copy().await;
    let recorder = Arc::new(Recorder::default());
    let florin = Florin::start_observed(&copy, recorder.observer()).await;
    // Jobs look around at first.
    tokio::time::sleep(Duration::from_secs(2)).await;
    recorder.idle();
    let mut recorded = Vec::with_capacity(requests.len());
    for (account, request) in requests {
        call(Stage::customer(&florin, *account), request.clone()).await;
        recorded.push(recorder.call());
    }
    florin.stop().await;
    recorded
}

async fn on_the_wire<Request, Call, Fut>(
    database: &TestDatabase,
    requests: &[(AccountId, Request)],
    call: &Call,
) -> Duration
where
    Request: Clone,
    Call: Fn(Caller, Request) -> Fut,
    Fut: Future<Output = ()>,
{
    let copy = database.copy().await;
    let florin = Florin::start(&copy).await;
    let begun = Stopwatch::now();
    stream::iter(requests)
        .map(|(account, request)| call(Stage::customer(&florin, *account), request.clone()))
        .buffer_unordered(CLIENTS)
        .for_each(|()| async {})
        .await;
    let time = begun.elapsed();
    florin.stop().await;
    time
}

fn report(name: &str, count: usize, ours: Duration, [all, writes]: [Duration; 2]) {
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    println!(
        "  {name}: {:.2} of raw, {:.2} of its writes alone ({:.0}, {:.0} and {:.0} a second)",
        rate(ours) / rate(all),
        rate(ours) / rate(writes),
        rate(ours),
        rate(all),
        rate(writes),
    );
}

fn print_call(call: &[Step]) {
    let line = |text: &str| {
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(110).collect::<String>()
    };
    for step in call {
        match step {
            Step::Alone(statement) => println!("      alone: {}", line(&statement.sql)),
            Step::Transaction(statements) => {
                println!("      transaction:");
                statements.iter().for_each(|statement| println!("        {}", line(&statement.sql)));
            }
        }
    }
}

/// `ListCredits` of an account with many lots.
async fn list(stage: &Stage) {
    let account = stage.accounts[0];
    let database = stage.database.copy().await;
    let florin = Florin::start(&database).await;
    for n in 0..LOTS {
        let request = GrantLoyaltyRequest {
            parent: account_name(account),
            amount: Some(euros(1)),
            reason: "a bench".to_owned(),
            request_id: format!("lot-{n}"),
            ..Default::default()
        };
        florin.operator.grants().grant_loyalty(request).await.unwrap();
    }
    florin.stop().await;

    let recorder = Arc::new(Recorder::default());
    let florin = Florin::start_observed(&database, recorder.observer()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    recorder.idle();
    let caller = Stage::customer(&florin, account);
    let mut ours = Vec::with_capacity(calls());
    let mut recorded = Vec::with_capacity(calls());
    for _ in 0..calls() {
        let request =
            ListCreditsRequest { parent: account_name(account), page_size: 1000, ..Default::default() };
        let begun = Stopwatch::now();
        let listed = caller.credits().list_credits(request).await.unwrap().into_inner().credits.len();
        ours.push(begun.elapsed());
        assert_eq!(listed, LOTS);
        recorded.push(recorder.call());
    }
    florin.stop().await;
    let db = Db::connect(database.url()).await.unwrap();
    let raw = play(&db, &recorded, Part::All, 1).await.0;
    let (ours, raw) = (p99(ours), p99(raw));
    println!(
        "  list {LOTS} credits, p99: {:.2} times raw ({:.2} ms against {:.2} ms), {} statements a call",
        ours.as_secs_f64() / raw.as_secs_f64(),
        ours.as_secs_f64() * 1000.0,
        raw.as_secs_f64() * 1000.0,
        counted(recorded.last().unwrap()).0
    );
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
