//! `florin-testbed run -- cargo test --workspace`: a PostgreSQL cluster around a command.

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use florin_testbed::cluster::Disk;
use florin_testbed::programs::Source;
use florin_testbed::run::{Demand, Run};

/// Starts the databases Florin's tests run on.
#[derive(Debug, Parser)]
enum Arguments {
    /// Starts a throw-away PostgreSQL cluster, runs a command with FLORIN_TEST_POSTGRES_URL naming it,
    /// removes the cluster, and exits with the command's code.
    Run {
        /// Fail unless test databases were made on SQLite and on PostgreSQL.
        #[arg(long)]
        require_both: bool,
        /// Where PostgreSQL's programs may come from.
        #[arg(long, value_enum, default_value_t = Source::Any)]
        postgres_from: Source,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a command-line tool reports on its standard error")]
async fn main() -> ExitCode {
    let Arguments::Run { require_both, postgres_from, command } = Arguments::parse();
    let demand = if require_both { Demand::Both } else { Demand::None };
    let run = Run { source: postgres_from, demand, disk: Disk::Careless, command };
    match run.perform(|backends| eprintln!("{backends}")).await {
        Ok(report) => {
            eprintln!("{report}");
            ExitCode::from(report.code())
        }
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprintln!("  caused by: {inner}");
                cause = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}
