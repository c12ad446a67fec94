//! `florin catalogue`: the catalogue as a file, exported from a running server and imported into one.
//!
//! Through the server and not past it: an import is authorized, audited and told of like every other change,
//! and nobody needs the database's password for a price list.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use florin_api::project::v1::{
    CatalogueChange, ExportCatalogueRequest, ImportCatalogueRequest, PriceVersion, catalogue_change::Kind,
    export_catalogue_request::Format as WireFormat,
};
use florin_platform::wire;

use crate::{
    cli::{CliError, say},
    client::Caller,
};

/// Which server, and what to do with its catalogue.
#[derive(Args, Clone, Debug)]
pub struct CatalogueArgs {
    /// The server, as in http://127.0.0.1:50051
    #[arg(long, env = "FLORIN_SERVER", default_value = "http://127.0.0.1:50051", global = true)]
    pub server: String,
    /// A service token with the role OPERATOR or MARKETING
    #[arg(long, env = "FLORIN_TOKEN", default_value = "", hide_env_values = true, global = true)]
    pub token: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Write the whole catalogue to a file
    Export {
        /// The file, or - for standard output
        file: PathBuf,
        /// How to write it; when absent, as the file's name ends
        #[arg(long)]
        format: Option<Format>,
    },
    /// Add the plans and prices of a file that are not there yet; all of it or nothing
    Import {
        /// The file: YAML or JSON
        file: PathBuf,
        /// Show what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Exports or imports.
pub async fn run(args: &CatalogueArgs) -> Result<(), CliError> {
    let caller = Caller::connect(&args.server).await?.with_token(&args.token);
    match &args.what {
        What::Export { file, format } => export(&caller, file, *format).await,
        What::Import { file, dry_run } => import(&caller, file, *dry_run).await,
    }
}

async fn export(caller: &Caller, file: &Path, format: Option<Format>) -> Result<(), CliError> {
    let format = match format.unwrap_or_else(|| format_of(file)) {
        Format::Yaml => WireFormat::Yaml,
        Format::Json => WireFormat::Json,
    };
    let request = ExportCatalogueRequest { format: format.into() };
    let answer = caller.catalog().export_catalogue(request).await?;
    let content = answer.into_inner().content;
    if file == Path::new("-") {
        say(String::from_utf8(content)?.trim_end());
    } else {
        std::fs::write(file, content)?;
        say(&format!("the catalogue is in {}", file.display()));
    }
    Ok(())
}

fn format_of(file: &Path) -> Format {
    let is_json = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    if is_json { Format::Json } else { Format::Yaml }
}

async fn import(caller: &Caller, file: &Path, dry_run: bool) -> Result<(), CliError> {
    let content = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let request = ImportCatalogueRequest { content, request_id: String::new(), validate_only: dry_run };
    let answer = caller.catalog().import_catalogue(request).await?;
    let changes = answer.into_inner().changes;
    for change in &changes {
        say(&line(change));
    }
    say(&match (changes.len(), dry_run) {
        (0, _) => "nothing to change: the catalogue has it all".to_owned(),
        (count, true) => format!("{count} changes, and none of them made: this was a dry run"),
        (count, false) => format!("{count} changes made"),
    });
    Ok(())
}

/// One difference, as in a diff.
fn line(change: &CatalogueChange) -> String {
    let plan = change.plan.strip_prefix("plans/").unwrap_or(&change.plan);
    match change.kind() {
        Kind::PlanAdded => format!("+ plan {plan}: {}", change.display_name),
        Kind::PlanRenamed => {
            format!("~ plan {plan}: {} becomes {}", change.previous_display_name, change.display_name)
        }
        Kind::PlanRetired => format!("- plan {plan}: retired from {} on", time(change.retire_time.as_ref())),
        Kind::PriceAdded => {
            let price = change.price.clone().unwrap_or_default();
            format!("+ price of {plan}: {}", amount(&price))
        }
        Kind::Unspecified => format!("? plan {plan}"),
    }
}

fn amount(price: &PriceVersion) -> String {
    let decimal = |value: &Option<florin_api::money::Decimal>| {
        value.as_ref().map(|decimal| decimal.value.clone()).unwrap_or_default()
    };
    let by_month = match &price.monthly_price {
        Some(_) => format!(" ({} a month)", decimal(&price.monthly_price)),
        None => String::new(),
    };
    let from = time(price.effective_time.as_ref());
    format!("{} {}{by_month} from {from} on", decimal(&price.unit_price), price.currency_code)
}

fn time(timestamp: Option<&prost_types::Timestamp>) -> String {
    timestamp.and_then(|time| wire::instant(time).ok()).map(|at| at.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_name_of_the_file() {
        assert_eq!(format_of(Path::new("prices.JSON")), Format::Json);
        assert_eq!(format_of(Path::new("prices.yml")), Format::Yaml);
        assert_eq!(format_of(Path::new("-")), Format::Yaml);
    }
}
