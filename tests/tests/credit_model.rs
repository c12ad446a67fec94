//! Random histories, lived by the server and by a small model, compared after every step, on both backends.
//!
//! `FLORIN_TEST_SCALE` multiplies the number of histories; `FLORIN_TEST_SEED` replays one.

use florin_testbed::{Backend, TestDatabase};
use florin_tests::{
    florin::Florin,
    model::{
        act::{Act, Script},
        play::World,
        story::Figures,
    },
};

const HISTORIES: u64 = 2;
const STEPS: usize = 60;
const CUSTOMERS: usize = 2;

/// The seeds of this run.
#[expect(clippy::disallowed_methods, reason = "tests read their scale and seed")]
fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let scale = number("FLORIN_TEST_SCALE").unwrap_or(1).max(1);
    number("FLORIN_TEST_SEED").map_or_else(|| (1..=HISTORIES * scale).collect(), |seed| vec![seed])
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

/// One step of a history, and what everybody had after it.
type Step = (Act, Vec<Figures>);

/// Lives the history of `seed` on a database of its own.
async fn live(backend: Backend, seed: u64) -> Vec<Step> {
    let _seed = Seed(seed);
    let database = TestDatabase::create(backend).await;
    let mut world = World::begin(Florin::start(&database).await, CUSTOMERS).await;
    let mut script = Script::new(seed, world.codes.len());
    let mut story = Vec::with_capacity(STEPS);
    for step in 0..STEPS {
        let (act, sent) = script.next(&world.books, world.now);
        world.perform(&act, sent).await;
        world.check(&format!("{backend}, seed {seed}, step {step}, {act:?} sent {sent:?}")).await;
        story.push((act, world.figures()));
    }
    world.florin.stop().await;
    story
}

/// R6.2, R6.4, R6.8, R6.11, R4.6, R4.8, R7.1–R7.5: balances agree after every step, no lot is negative, nothing moves
/// between lots, Σ movements = remaining, nothing is promised twice, whatever is repeated, raced or waited for. And
/// the same history comes to the same on both backends, to the last cent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_and_model_agree_after_every_step_and_both_backends_with_each_other() {
    for seed in seeds() {
        let (sqlite, postgres) = tokio::join!(live(Backend::Sqlite, seed), live(Backend::Postgres, seed));
        for (step, (one, other)) in sqlite.iter().zip(&postgres).enumerate() {
            assert_eq!(one, other, "seed {seed}, step {step}: SQLite and PostgreSQL differ");
        }
    }
}
