//! Billing runs of a server that is killed at random instants, and of two servers at once (R8.7, R12.3, R12.5).
//!
//! One town of accounts is settled three times, from copies of one database: undisturbed; by servers that are killed
//! twenty times on the way; by two servers at once, of which one is killed. Nothing is asked of the inside of a run:
//! only the process and the wire are.
//!
//! | part | says |
//! |---|---|
//! | [`server`] | the process |
//! | [`town`] | who lives there: who pays, who cannot, who has credit, who owes nothing |
//! | [`outcome`] | what a run comes to, without what is made anew each time |
//!
//! `FLORIN_TEST_SCALE` multiplies the accounts; `FLORIN_TEST_SEED` chooses other instants.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod outcome;
mod server;
mod town;

use std::time::Duration;

use florin_api::{
    invoicing::v1::{BillingRun, ListBillingRunsRequest, billing_run},
    sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
};
use florin_platform::wire;
use florin_server::client::Caller;
use florin_settlement::Instant;
use florin_testbed::{Backend, TestDatabase, on_both_backends};
use tokio::{sync::watch, task::JoinHandle};
use tonic::{Code, Status};

use crate::{
    outcome::Outcome,
    server::{Server, leases_end},
    town::Town,
};

/// How often the server is killed before the run is over (R8.7).
const KILLS: usize = 20;
/// How many of these have to fall into the run itself: the last may come when it is just over.
const KILLS_WITHIN: usize = 10;
/// How many accounts are settled, times `FLORIN_TEST_SCALE`; and by two servers.
const ACCOUNTS: u64 = 30;
const ACCOUNTS_SHARED: u64 = 12;
/// When March has been settled, and what was collected for it has been answered.
const APRIL: &str = "2027-04-01T07:00:00Z";
const LOOK: Duration = Duration::from_millis(3);
/// The most a server lives on once it has come far enough, in milliseconds.
const LIFE_MAX: u64 = 30;
/// So often somebody asks for one thing: nobody is that patient.
const ASKED_MAX: usize = 4000;

#[expect(clippy::disallowed_methods, reason = "tests read their scale and seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Says which seed failed, whatever panicked.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "a failed test says how to see it fail again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with FLORIN_TEST_SEED={}", self.0);
        }
    }
}

/// Moves the clock past the settlement of March, whatever becomes of the servers: the same request, until it is
/// answered.
async fn to_april(operator: watch::Receiver<Caller>) {
    let target = Some(Target::TargetTime(wire::timestamp(Instant::parse(APRIL).unwrap())));
    let request = AdvanceClockRequest { target, request_id: "to-april".to_owned() };
    for _ in 0..ASKED_MAX {
        let mut clock = operator.borrow().clock();
        match clock.advance_clock(request.clone()).await {
            Ok(_) => return,
            Err(status) if is_nobody(&status) => tokio::time::sleep(LOOK).await,
            Err(status) => panic!("the clock does not move: {status:?}"),
        }
    }
    panic!("nobody answers");
}

/// That there was nobody to answer, or not to the end.
fn is_nobody(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

/// The run of March, once there is one.
async fn run(operator: &Caller) -> Option<BillingRun> {
    let request = ListBillingRunsRequest { issuer: "issuers/fr".to_owned(), ..Default::default() };
    let mut runs =
        operator.billing_runs().list_billing_runs(request).await.unwrap().into_inner().billing_runs;
    assert!(runs.len() <= 1, "one run per month: {runs:#?}");
    runs.pop()
}

fn done(run: &BillingRun) -> u64 {
    u64::try_from(run.invoiced_count + run.nothing_due_count + run.set_aside_count).unwrap()
}

/// Waits until the run has dealt with `projects`; whether it still goes on then.
async fn far_enough(operator: &Caller, moving: &JoinHandle<()>, projects: u64) -> bool {
    loop {
        match run(operator).await {
            Some(run) if run.state() == billing_run::State::Completed => return false,
            Some(run) if done(&run) >= projects => return true,
            Some(_) | None => {}
        }
        assert!(!moving.is_finished(), "the clock came to April without a run");
        tokio::time::sleep(LOOK).await;
    }
}

/// Settles March undisturbed.
async fn settled(town: &Town, db: &TestDatabase) -> Outcome {
    let server = Server::start(db);
    let operator = server.operator().await;
    let (_told, asked) = watch::channel(operator.clone());
    to_april(asked).await;
    let run = run(&operator).await.unwrap();
    assert_eq!(run.state(), billing_run::State::Completed);
    assert_eq!(done(&run), u64::try_from(run.project_count).unwrap());
    Outcome::of(town, db, &operator).await
}

on_both_backends! {
    async fn a_run_killed_twenty_times_comes_to_the_same(db: TestDatabase) {
        let seed = Seed(number("FLORIN_TEST_SEED").unwrap_or(1));
        let mut random = fastrand::Rng::with_seed(seed.0);
        let town = Town::built(&db, ACCOUNTS * number("FLORIN_TEST_SCALE").unwrap_or(1)).await;
        let expected = settled(&town, &db.copy().await).await;
        expected.say_sound();

        let mut server = Server::start(&db);
        let (told, asked) = watch::channel(server.operator().await);
        let moving = tokio::spawn(to_april(asked));
        // In the first two thirds: what is left after the last goes fast.
        let mut marks: Vec<u64> = (0..KILLS).map(|_| random.u64(..town.projects() * 2 / 3)).collect();
        marks.sort_unstable();
        let mut within = 0;
        for mark in marks {
            let goes_on = far_enough(&told.borrow().clone(), &moving, mark).await;
            tokio::time::sleep(Duration::from_millis(random.u64(..LIFE_MAX))).await;
            within += usize::from(goes_on);
            server.kill();
            leases_end(&db).await;
            server = Server::start(&db);
            told.send(server.operator().await).unwrap();
        }
        moving.await.unwrap();
        assert!(within >= KILLS_WITHIN, "only {within} of {KILLS} kills fell into the run");
        let outcome = Outcome::of(&town, &db, &server.operator().await).await;
        outcome.say_sound();
        outcome.say_same(&expected);
    }
}

/// R12.5: two servers on one database, both asked to go to April; the one that works is killed half-way, and the
/// other takes over.
#[test]
fn two_servers_at_one_run_come_to_the_same_and_one_outlives_the_other() {
    florin_testbed::uphold(Backend::Postgres, |db: TestDatabase| async move {
        let town = Town::built(&db, ACCOUNTS_SHARED).await;
        let expected = settled(&town, &db.copy().await).await;
        let (mut one, other) = (Server::start(&db), Server::start(&db));
        let (_one_told, one_asked) = watch::channel(one.operator().await);
        let (other_told, other_asked) = watch::channel(other.operator().await);
        let (first, second) = (tokio::spawn(to_april(one_asked)), tokio::spawn(to_april(other_asked)));
        let operator = other_told.borrow().clone();
        assert!(far_enough(&operator, &second, town.projects() / 2).await);
        one.kill();
        first.abort();
        leases_end(&db).await;
        second.await.unwrap();
        let outcome = Outcome::of(&town, &db, &operator).await;
        outcome.say_sound();
        outcome.say_same(&expected);
    });
}
