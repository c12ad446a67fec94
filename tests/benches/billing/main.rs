//! What a billing run issues in a second, against a program that writes the same rows and knows nothing.
//!
//! | figure | ours | baseline |
//! |---|---|---|
//! | invoices | a run of one worker over accounts with five resources and four lots each, from its division to its completion | on one connection as well, the rows that run has written, read back beforehand, written by one statement a table and batch into another database of the same schema, guards and keys |
//! | batches | the same | a transaction an account |
//! | growth | all accounts | half of them |
//! | workers | two workers | one |
//! | memory | the most this process held more during the run over all accounts | over half of them |
//!
//! Run by `make bench`; `FLORIN_TEST_BENCH_ACCOUNTS` says how many accounts. Ratios within one run hold, absolute
//! figures do not.

#![allow(clippy::wildcard_enum_match_arm, reason = "Florin runs on two databases, whatever sea-orm knows")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "it prints its figures")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "ratios of times are no money")]

mod nobody;
mod replay;
mod world;

use std::time::Duration;

use florin_testbed::Backend;
use world::World;

/// As many projects a transaction as `billing_batch` says by default.
const BATCH: u32 = 200;

fn main() {
    // `cargo test --benches` and `--list` only ask whether it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for backend in Backend::ALL {
        runtime.block_on(measure(backend));
    }
}

fn accounts_asked() -> u32 {
    let asked = std::env::var_os("FLORIN_TEST_BENCH_ACCOUNTS");
    let asked = asked.and_then(|accounts| accounts.to_str()?.parse().ok());
    asked.unwrap_or(20_000).max(400)
}

async fn measure(backend: Backend) {
    let accounts = accounts_asked();
    println!("\n{backend}: billing, {accounts} accounts × 5 resources × 4 lots, {BATCH} a batch");

    let few = World::with_accounts(backend, accounts / 2).await;
    let (half, half_memory) = few.run(BATCH, 1).await;
    few.close().await;

    let many = World::with_accounts(backend, accounts).await;
    let (whole, whole_memory) = many.run(BATCH, 1).await;
    let copy = World::with_accounts(backend, accounts).await;
    let (baseline, rows) = replay::write_again(&many, &copy, BATCH).await;
    if backend == Backend::Postgres {
        println!("  {:.0} % of the updates of lots stayed on their page", many.hot_share().await * 100.0);
    }
    many.close().await;
    copy.close().await;

    let shared = World::with_accounts(backend, accounts).await;
    let (together, _) = shared.run(BATCH, 2).await;
    shared.close().await;

    let singly = (accounts / 10).min(1000);
    let single = World::with_accounts(backend, singly).await;
    let (one_by_one, _) = single.run(1, 1).await;
    single.close().await;

    let rate = |invoices: u32, time: Duration| f64::from(invoices) / time.as_secs_f64();
    println!(
        "  invoices: {:.2} of raw ({:.0} against {:.0} invoices/s, {rows} rows)",
        rate(accounts, whole) / rate(accounts, baseline),
        rate(accounts, whole),
        rate(accounts, baseline)
    );
    println!(
        "  batches: {:.1} times a transaction an account ({:.0} invoices/s)",
        rate(accounts, whole) / rate(singly, one_by_one),
        rate(singly, one_by_one)
    );
    println!("  two workers: {:.2} times one", whole.as_secs_f64() / together.as_secs_f64());
    println!("  twice the accounts: {:.2} times as long", whole.as_secs_f64() / half.as_secs_f64());
    match (half_memory, whole_memory) {
        (Some(half), Some(whole)) => {
            println!("  memory: {whole:.1} MB more at most, {half:.1} MB with half the accounts");
        }
        (None, _) | (_, None) => println!("  memory of the process cannot be read on this machine"),
    }
}
