//! Plans applied to lots: one transaction each, and grouped as a billing run groups them (R7.6, R7.7).

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant as Stopwatch},
};

use florin_api::credit::v1::GrantLoyaltyRequest;
use florin_credit::lots;
use florin_invoicing::Debts;
use florin_platform::{Platform, clock::Clock, db::Db, id::AccountId, secret::ServerKey, wire::account_name};
use florin_project::Standings;
use florin_settlement::{
    AccountRef, Currency, Due, DueLine, Instant, LineKey, Lot, Money, Period, Plan, PlanFamily, ProjectRef,
    TaxCategory, TaxRate, plan,
};
use florin_testbed::TestDatabase;
use florin_tests::{acts::euros, florin::Florin};
use futures::{StreamExt, stream};

use crate::{
    CLIENTS, calls, players,
    record::{Part, Recorder, counted, play},
    report,
    stage::Stage,
};

/// A batch of the billing run.
pub(crate) const BATCH: usize = 1000;

/// A debit to make: whose, and for which invoice.
pub(crate) type Debit = (AccountId, String);

/// Measures debits on one account and on all of them, each way.
pub(crate) async fn measure(stage: &Stage) {
    let funded = funded(stage).await;
    let many =
        stage.accounts.iter().enumerate().map(|(n, account)| (*account, invoice(n))).collect::<Vec<_>>();
    let one = (0..calls()).map(|n| (stage.accounts[0], invoice(n))).collect::<Vec<_>>();
    let each = |debits: &[Debit]| debits.iter().map(|debit| vec![debit.clone()]).collect::<Vec<_>>();
    let few = &many[..calls()];
    compare("debit, many accounts", &funded, &each(few)).await;
    compare("debit, one account", &funded, &each(&one)).await;
    let batches: Vec<_> = many.chunks(BATCH).map(<[Debit]>::to_vec).collect();
    compare(&format!("debit, {BATCH} accounts a transaction"), &funded, &batches).await;
}

fn invoice(n: usize) -> String {
    format!("accounts/bench/invoices/{n}")
}

/// A copy in which every account has a lot to be debited.
pub(crate) async fn funded(stage: &Stage) -> TestDatabase {
    let database = stage.database.copy().await;
    let florin = Florin::start(&database).await;
    let grants = stream::iter(&stage.accounts).map(|account| {
        let request = GrantLoyaltyRequest {
            parent: account_name(*account),
            amount: Some(euros(400)),
            reason: "a bench".to_owned(),
            ..Default::default()
        };
        let mut grants = florin.operator.grants();
        async move { grants.grant_loyalty(request).await.unwrap() }
    });
    grants.buffer_unordered(CLIENTS).for_each(|_| async {}).await;
    florin.stop().await;
    database
}

/// The same transactions on three copies: recorded, measured, and played raw.
async fn compare(name: &str, funded: &TestDatabase, transactions: &[Vec<Debit>]) {
    let recorder = Arc::new(Recorder::default());
    let copy = funded.copy().await;
    let observed = platform(&copy, Some(&recorder)).await;
    recorder.call();
    let mut recorded = Vec::with_capacity(transactions.len());
    for debits in transactions {
        debit(&observed, debits).await;
        recorded.push(recorder.call());
    }
    drop(observed);
    let ours = by_ourselves(funded, transactions).await;
    let players = players(transactions.iter().flatten().map(|(account, _)| *account));
    let mut raw = [Duration::ZERO; 2];
    for (time, part) in raw.iter_mut().zip([Part::All, Part::Writes]) {
        let copy = funded.copy().await;
        let db = Db::connect(copy.url()).await.unwrap();
        *time = play(&db, &recorded, part, players).await.1;
    }
    let (statements, writes) = counted(recorded.last().unwrap());
    report(name, transactions.iter().map(Vec::len).sum(), ours, raw);
    println!("    {statements} statements a transaction, {writes} of them write");
}

/// How long the transactions take, several at a time.
pub(crate) async fn by_ourselves(funded: &TestDatabase, transactions: &[Vec<Debit>]) -> Duration {
    let copy = funded.copy().await;
    let platform = platform(&copy, None).await;
    let platform = &platform;
    let begun = Stopwatch::now();
    stream::iter(transactions)
        .map(|debits| debit(platform, debits))
        .buffer_unordered(CLIENTS)
        .for_each(|()| async {})
        .await;
    begun.elapsed()
}

async fn platform(database: &TestDatabase, recorder: Option<&Arc<Recorder>>) -> Platform {
    let standings = Standings::new(Clock::Sandbox, Arc::new(Debts));
    let db = Db::connect(database.url()).await.unwrap().keeping(Arc::new(standings));
    let db = match recorder {
        Some(recorder) => db.observed(recorder.observer()),
        None => db,
    };
    Platform { db, clock: Clock::Sandbox, key: ServerKey::try_new([7; 32]).unwrap() }
}

/// One transaction: the accounts are locked, their lots read, every debit planned, all of them taken.
async fn debit(platform: &Platform, debits: &[Debit]) {
    let taken = platform.db.write::<_, florin_credit::Error, _>(|tx| async move {
        let accounts: Vec<_> = debits.iter().map(|(account, _)| *account).collect();
        florin_account::lock(&tx, &accounts).await?;
        let at = platform.clock.now(&tx).await?;
        let mut lots: HashMap<AccountId, Vec<Lot>> = HashMap::new();
        for (account, lot) in lots::of_accounts(&tx, &accounts).await? {
            lots.entry(account).or_default().push(lot);
        }
        let plans = debits.iter().map(|(account, invoice)| {
            let lots = lots.get(account).map(Vec::as_slice).unwrap_or_default();
            (*account, invoice.clone(), planned(*account, lots, at))
        });
        lots::debit(&tx, at, &plans.collect::<Vec<_>>()).await
    });
    taken.await.unwrap();
}

/// A cent of an hour.
fn planned(account: AccountId, lots: &[Lot], at: Instant) -> Plan {
    let line = DueLine {
        key: LineKey::from_u32(1),
        family: PlanFamily::Instance,
        tax_category: TaxCategory::Standard,
        tax_rate: TaxRate::parse("20").unwrap(),
        plan: "b3-8".to_owned(),
        resource: "one".to_owned(),
        period: Period::month_of(at),
        net: Money::new(1, Currency::EUR),
    };
    let (owner, project) = (AccountRef::from_u128(account.as_u128()), ProjectRef::from_u128(1));
    let due = Due::try_new(owner, project, Currency::EUR, vec![line]).unwrap();
    let plan = plan(&due, lots, at).unwrap();
    assert!(plan.debits().next().is_some(), "the lot pays");
    plan
}
