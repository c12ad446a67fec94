//! The `florin` command.

use std::process::ExitCode;

use clap::Parser;
use florin_server::cli::{Cli, run};

/// Requests are made on one thread and dropped on another; the system's allocator locks for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return florin_server::cli::complain(&error.to_string()),
    };
    let outcome = runtime.block_on(run(cli));
    // Whatever still runs (a blocked thread, a silent client) does not keep the process alive.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => florin_server::cli::complain(&florin_server::refused::told(&*error)),
    }
}
