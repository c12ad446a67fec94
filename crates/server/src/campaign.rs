//! `florin campaign`: what marketing does from a terminal.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use florin_api::credit::v1::GenerateCodesRequest;

use crate::{cli::CliError, client::Caller};

/// Where the campaigns are, and what is to be done.
#[derive(Args, Clone, Debug)]
pub struct CampaignArgs {
    /// The server, as in http://127.0.0.1:50051
    #[arg(long, env = "FLORIN_SERVER", default_value = "http://127.0.0.1:50051")]
    server: String,
    /// A service token with the role MARKETING
    #[arg(long, env = "FLORIN_TOKEN")]
    token: String,
    #[command(subcommand)]
    command: CampaignCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum CampaignCommand {
    /// Generate voucher codes and write them as CSV
    Codes(CodesArgs),
}

#[derive(Args, Clone, Debug)]
struct CodesArgs {
    /// The campaign, as in campaigns/camp_…
    campaign: String,
    /// How many: 1 to 100000
    #[arg(long)]
    count: i32,
    /// A name of yours for this batch: the same name gives the same codes again, should the stream break
    #[arg(long)]
    request_id: String,
    /// The file to write; the terminal if none is given
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(args: &CampaignArgs) -> Result<(), CliError> {
    let caller = Caller::connect(&args.server).await?.with_token(&args.token);
    match &args.command {
        CampaignCommand::Codes(codes) => generate(&caller, codes).await,
    }
}

/// A file appears whole or not at all: what a broken stream left behind keeps another name.
async fn generate(caller: &Caller, args: &CodesArgs) -> Result<(), CliError> {
    let Some(path) = &args.output else { return write(caller, args, io::stdout().lock()).await };
    let part = beside(path);
    write(caller, args, File::create(&part)?).await?;
    std::fs::rename(&part, path)?;
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Writes codes as they come: the memory it takes does not grow with their number.
async fn write(caller: &Caller, args: &CodesArgs, to: impl Write) -> Result<(), CliError> {
    let request = GenerateCodesRequest {
        name: args.campaign.clone(),
        count: args.count,
        request_id: args.request_id.clone(),
    };
    let mut stream = caller.campaigns().generate_codes(request).await?.into_inner();
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(["campaign", "code"])?;
    while let Some(message) = stream.message().await? {
        for code in &message.codes {
            csv.write_record([args.campaign.as_str(), code])?;
        }
    }
    csv.flush()?;
    Ok(())
}
