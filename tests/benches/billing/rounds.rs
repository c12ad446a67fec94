//! The rounds of the benchmark, and the figures each of them gives.

use std::{
    collections::BTreeMap,
    fmt,
    process::{Command, Stdio},
};

use florin_testbed::Backend;
use tokio::runtime::{Builder, Runtime};

use crate::{
    replay,
    world::{Ran, World},
};

/// As many projects a transaction as `billing_batch` says by default.
pub(crate) const BATCH: u32 = 200;

/// What one process measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Round {
    /// Half of the accounts.
    Half,
    /// All of them; and then the baseline.
    Whole,
    /// All of them, by two workers.
    Workers,
    /// Some of them, a transaction each.
    Single,
}

impl Round {
    pub(crate) const ALL: [Self; 4] = [Self::Half, Self::Whole, Self::Workers, Self::Single];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Half => "half",
            Self::Whole => "whole",
            Self::Workers => "workers",
            Self::Single => "single",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|round| round.name() == name).unwrap()
    }

    pub(crate) fn measure(self, backend: Backend, accounts: u32) -> Figures {
        let measured = async {
            match self {
                Self::Half => run(backend, accounts / 2, BATCH, 1).await,
                Self::Whole => run_and_baseline(backend, accounts).await,
                Self::Workers => run(backend, accounts, BATCH, 2).await,
                Self::Single => run(backend, (accounts / 10).min(1000), 1, 1).await,
            }
        };
        runtime().block_on(measured)
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn run(backend: Backend, accounts: u32, batch: u32, workers: u32) -> Figures {
    let world = World::at(&furnished_apart(backend, accounts), accounts).await;
    Figures::of(accounts, &world.run(batch, workers).await)
}

async fn run_and_baseline(backend: Backend, accounts: u32) -> Figures {
    let world = World::at(&furnished_apart(backend, accounts), accounts).await;
    let mut figures = Figures::of(accounts, &world.run(BATCH, 1).await);
    let copy = World::at(&furnished_apart(backend, accounts), accounts).await;
    let (baseline, rows) = replay::write_again(&world, &copy, BATCH).await;
    figures.note("raw seconds", baseline.as_secs_f64());
    figures.note("rows", rows as f64);
    if backend == Backend::Postgres {
        figures.note("updates on page", world.hot_share().await);
    }
    figures
}

/// A furnished database, by a process of its own: what that took is not in the memory of this one.
fn furnished_apart(backend: Backend, accounts: u32) -> String {
    again(&["database", backend.name(), &accounts.to_string()])
}

/// What this program prints when it is asked for something else.
pub(crate) fn again(arguments: &[&str]) -> String {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).arg("--bench").args(arguments).stderr(Stdio::inherit()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What a process tells the one that asked: a figure a line, its name before it.
#[derive(Debug)]
pub(crate) struct Figures(BTreeMap<String, f64>);

impl Figures {
    fn of(accounts: u32, ran: &Ran) -> Self {
        let mut figures = Self(BTreeMap::new());
        figures.note("invoices", accounts.into());
        figures.note("seconds", ran.time.as_secs_f64());
        figures.note("megabytes before", ran.megabytes_before);
        figures.note("megabytes at most", ran.megabytes_at_most);
        figures
    }

    fn note(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn figure(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no figure {name} among {self:?}"))
    }

    /// Invoices a second, by the seconds called `seconds`.
    pub(crate) fn rate(&self, seconds: &str) -> f64 {
        self.figure("invoices") / self.figure(seconds)
    }

    pub(crate) fn parse(text: &str) -> Self {
        let figures = text.lines().filter_map(|line| line.split_once(": "));
        Self(figures.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
    }
}
