//! Random histories, lived by the server and by a small model, compared after every step, on both backends.
//!
//! `FLORIN_TEST_SCALE` multiplies the number of histories; `FLORIN_TEST_SEED` replays one.

use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::{
    florin::Florin,
    model::{act::Script, play::World},
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

on_both_backends! {
    /// R6.2, R6.4, R6.8, R7.1–R7.5: balances agree after every step, no lot is negative, nothing moves between
    /// lots, Σ movements = remaining, whatever is repeated, raced or waited for.
    async fn server_and_model_agree_after_every_step(db: TestDatabase) {
        for seed in seeds() {
            let _seed = Seed(seed);
            let own = TestDatabase::create(db.backend()).await;
            let mut world = World::begin(Florin::start(&own).await, CUSTOMERS).await;
            let mut script = Script::new(seed, world.codes.len());
            for step in 0..STEPS {
                let (act, sent) = script.next(&world.books, world.now);
                world.perform(&act, sent).await;
                world.check(&format!("seed {seed}, step {step}, {act:?} sent {sent:?}")).await;
            }
            world.florin.stop().await;
        }
    }
}
