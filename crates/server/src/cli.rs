//! The command line: `florin serve`, `florin migrate`, `florin seed`, `florin token`, `florin catalogue`,
//! `florin campaign`, `florin journal`, `florin audit`, `florin demo`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use florin_platform::call::Role;

use crate::{
    audit, campaign, catalogue,
    config::{Config, Flags},
    demo, journal, migrate, serve, telemetry, wiring,
};

/// The billing core of a public cloud.
#[derive(Debug, Parser)]
#[command(name = "florin", version, about)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve gRPC until SIGTERM or Ctrl-C
    Serve,
    /// Bring the database schema up to date
    Migrate,
    /// Export the catalogue of a running server to a file, or import a file into it
    Catalogue(catalogue::CatalogueArgs),
    /// Load the reference data this version comes with: issuers, offered payment methods, catalogue
    Seed,
    /// Print the token of an internal service, registering it first
    Token(TokenArgs),
    /// Tell the whole story against a running sandbox server
    Demo(demo::DemoArgs),
    /// Generate voucher codes of a campaign
    Campaign(campaign::CampaignArgs),
    /// Export an issuer's journal of a period as CSV
    Journal(journal::JournalArgs),
    /// Recompute everything that can be recomputed, and print every difference; fails if there is any
    Audit,
}

/// Which service, and what it may do.
#[derive(Debug, clap::Args)]
struct TokenArgs {
    /// What the service is called in the audit log
    name: String,
    /// What it may do, as in OPERATOR; may be given several times
    #[arg(long = "role", required = true, value_parser = role)]
    roles: Vec<Role>,
}

fn role(text: &str) -> Result<Role, String> {
    let known = Role::ALL.map(Role::as_str).join(", ");
    Role::parse(text).ok_or_else(|| format!("must be one of {known}"))
}

/// What went wrong, for the person at the terminal.
pub type CliError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command.
pub async fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Serve => {
            let config = settings(&cli.flags)?;
            telemetry::start(&config);
            prepare_folder(&config.database_url)?;
            serve::until_stopped(config).await
        }
        Command::Migrate => {
            let config = settings(&cli.flags)?;
            telemetry::start(&config);
            prepare_folder(&config.database_url)?;
            migrate::migrate(&config.database_url).await?;
            say("the schema is up to date");
            Ok(())
        }
        Command::Catalogue(args) => catalogue::run(&args).await,
        Command::Seed => {
            let config = settings(&cli.flags)?;
            telemetry::start(&config);
            wiring::seed(&config).await?;
            say("the reference data is loaded");
            Ok(())
        }
        Command::Token(args) => {
            let config = settings(&cli.flags)?;
            telemetry::start(&config);
            say(&wiring::token(&config, &args.name, &args.roles).await?);
            Ok(())
        }
        Command::Demo(args) => demo::run(&args).await,
        Command::Campaign(args) => campaign::run(&args).await,
        Command::Journal(args) => journal::run(&args).await,
        Command::Audit => {
            let config = settings(&cli.flags)?;
            telemetry::start(&config);
            audit::run(&config.database_url).await
        }
    }
}

fn settings(flags: &Flags) -> Result<Config, CliError> {
    Config::load(flags).map_err(|violations| {
        let lines: Vec<_> = violations
            .as_slice()
            .iter()
            .map(|violation| format!("  {}: {}", violation.field, violation.description))
            .collect();
        format!("these settings cannot be used:\n{}", lines.join("\n")).into()
    })
}

/// The folder of a SQLite file is made if it is missing.
fn prepare_folder(url: &str) -> Result<(), CliError> {
    let file = url.strip_prefix("sqlite://").map(|path| path.split('?').next().unwrap_or(path));
    if let Some(folder) = file.and_then(|file| std::path::Path::new(file).parent())
        && !folder.as_os_str().is_empty()
    {
        std::fs::create_dir_all(folder)?;
    }
    Ok(())
}

/// Prints a line for the person at the terminal.
#[expect(clippy::print_stdout, reason = "the command line's own voice")]
pub fn say(line: &str) {
    println!("{line}");
}

/// Prints what went wrong; the exit code of a failure.
#[expect(clippy::print_stderr, reason = "the command line's own voice")]
pub fn complain(error: &str) -> ExitCode {
    eprintln!("florin: {error}");
    ExitCode::FAILURE
}
