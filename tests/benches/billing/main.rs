//! What a billing run issues in a second, against a program that writes the same rows and knows nothing.
//!
//! | figure | ours | baseline |
//! |---|---|---|
//! | invoices | a run of one worker over accounts with five resources and four lots each, from its division to its completion | on one connection as well, the rows that run has written, read back beforehand, written by one statement a table and batch into another database of the same schema, guards, keys and settings |
//! | batches | the same | a transaction an account |
//! | growth | all accounts | half of them |
//! | workers, on PostgreSQL | two workers | one |
//! | memory | the most this process held during the run over all accounts | over half of them |
//!
//! Each round is a process of its own, and the databases are made by others, so that no round finds in memory what
//! something else has left there, and so that rounds can be asked for one by one:
//!
//! ```text
//! billing --bench                     both databases, every round
//! billing --bench sqlite              one database, every round
//! billing --bench sqlite whole        one round; its figures, a line each
//! ```
//!
//! Run by `make bench`; `FLORIN_TEST_BENCH_ACCOUNTS` says how many accounts. Ratios within one run hold, absolute
//! figures do not.

#![allow(clippy::wildcard_enum_match_arm, reason = "Florin runs on two databases, whatever sea-orm knows")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "it prints its figures")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "ratios of times are no money")]

mod nobody;
mod replay;
mod rounds;
mod world;

use florin_testbed::Backend;
use rounds::{Figures, Round};

fn main() {
    let mut asked = std::env::args().skip(1).collect::<Vec<_>>();
    // `cargo test --benches` and `--list` only ask whether it starts.
    let Some(place) = asked.iter().position(|argument| argument == "--bench") else { return };
    asked.remove(place);
    let accounts = accounts_asked();
    let backend = |name: &String| Backend::ALL.into_iter().find(|backend| backend.name() == name).unwrap();
    match asked.as_slice() {
        [] => Backend::ALL.into_iter().for_each(|backend| compare(backend, accounts)),
        [name] => compare(backend(name), accounts),
        [what, name, accounts] if what == "database" => {
            println!(
                "{}",
                rounds::runtime().block_on(world::furnished(backend(name), accounts.parse().unwrap()))
            );
        }
        [name, round, ..] => print!("{}", Round::named(round).measure(backend(name), accounts)),
    }
}

fn accounts_asked() -> u32 {
    let asked = std::env::var_os("FLORIN_TEST_BENCH_ACCOUNTS");
    let asked = asked.and_then(|accounts| accounts.to_str()?.parse().ok());
    asked.unwrap_or(20_000).max(400)
}

/// Every round of one database, and what they say of each other.
fn compare(backend: Backend, accounts: u32) {
    println!("\n{backend}: billing, {accounts} accounts × 5 resources × 4 lots, {} a batch", rounds::BATCH);
    let [half, whole, single] = [Round::Half, Round::Whole, Round::Single].map(|round| apart(backend, round));
    println!(
        "  invoices: {:.2} of raw ({:.0} against {:.0} invoices/s, {:.0} rows)",
        whole.figure("raw seconds") / whole.figure("seconds"),
        whole.rate("seconds"),
        whole.rate("raw seconds"),
        whole.figure("rows")
    );
    println!(
        "  batches: {:.1} times a transaction an account ({:.0} invoices/s)",
        whole.rate("seconds") / single.rate("seconds"),
        single.rate("seconds")
    );
    println!("  twice the accounts: {:.2} times as long", whole.figure("seconds") / half.figure("seconds"));
    println!(
        "  memory: {:.1} MB at most, {:.1} MB with half the accounts ({:.1} and {:.1} MB before)",
        whole.figure("megabytes at most"),
        half.figure("megabytes at most"),
        whole.figure("megabytes before"),
        half.figure("megabytes before")
    );
    // SQLite has one writer, and a run on it one worker.
    if backend == Backend::Postgres {
        let shared = apart(backend, Round::Workers);
        println!("  two workers: {:.2} times one", whole.figure("seconds") / shared.figure("seconds"));
        println!(
            "  {:.0} % of the updates of lots stayed on their page",
            whole.figure("updates on page") * 100.0
        );
    }
}

/// A round in a process of its own.
fn apart(backend: Backend, round: Round) -> Figures {
    Figures::parse(&rounds::again(&[backend.name(), round.name()]))
}
