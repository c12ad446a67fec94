//! `florin journal`: an issuer's journal of a period as CSV (R8.8).

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use florin_api::{
    google::r#type::Money,
    invoicing::v1::{ExportJournalRequest, JournalEntry, LedgerAccount, LedgerTotal},
};
use florin_platform::wire;
use florin_settlement::Instant;

use crate::{cli::CliError, client::Caller};

/// Where the ledger is, and what of it is wanted.
#[derive(Args, Clone, Debug)]
pub struct JournalArgs {
    /// The server, as in http://127.0.0.1:50051
    #[arg(long, env = "FLORIN_SERVER", default_value = "http://127.0.0.1:50051")]
    pub server: String,
    /// A service token with the role FINANCE
    #[arg(long, env = "FLORIN_TOKEN")]
    pub token: String,
    /// The issuer, as in issuers/fr
    pub issuer: String,
    /// The first instant of the period, as in 2027-03-01T00:00:00Z
    #[arg(long)]
    pub from: String,
    /// The first instant after it
    #[arg(long)]
    pub to: String,
    /// The file to write; the terminal if none is given
    #[arg(long)]
    pub output: Option<PathBuf>,
}

const HEADER: [&str; 15] = [
    "record",
    "record_time",
    "effective_time",
    "account",
    "sequence",
    "kind",
    "credit_kind",
    "document",
    "document_number",
    "debit",
    "credit",
    "tax_category",
    "tax_rate",
    "amount",
    "currency",
];

/// Runs the command. A file appears whole, with its totals, or not at all.
pub async fn run(args: &JournalArgs) -> Result<(), CliError> {
    let caller = Caller::connect(&args.server).await?.with_token(&args.token);
    let Some(path) = &args.output else { return write(&caller, args, io::stdout().lock()).await };
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    write(&caller, args, File::create(&part)?).await?;
    std::fs::rename(&part, path)?;
    Ok(())
}

/// Writes rows as they come: the memory it takes does not grow with their number.
///
/// # Errors
/// Also when the stream ends without its totals, or these do not balance.
pub async fn write(caller: &Caller, args: &JournalArgs, to: impl Write) -> Result<(), CliError> {
    let time = |text: &str| Instant::parse(text).map(wire::timestamp);
    let request = ExportJournalRequest {
        parent: args.issuer.clone(),
        start_time: Some(time(&args.from)?),
        end_time: Some(time(&args.to)?),
    };
    let mut stream = caller.accounting().export_journal(request).await?.into_inner();
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(HEADER)?;
    let (mut is_whole, mut balances) = (false, BTreeMap::<String, i128>::new());
    while let Some(message) = stream.message().await? {
        for entry in &message.entries {
            csv.write_record(row(entry)?)?;
        }
        for total in &message.totals {
            let side = |money: Option<&Money>| {
                Ok::<_, CliError>(wire::amount(money.ok_or("a total without an amount")?)?)
            };
            let (debit, credit) = (side(total.debit.as_ref())?, side(total.credit.as_ref())?);
            let balance = balances.entry(debit.currency().code().to_owned()).or_default();
            *balance += i128::from(debit.minor()) - i128::from(credit.minor());
            for row in totals(total)? {
                csv.write_record(row)?;
            }
        }
        is_whole = message.entries.is_empty();
    }
    csv.flush()?;
    if !is_whole {
        return Err("the journal ended before its totals".into());
    }
    match balances.into_iter().find(|(_, balance)| *balance != 0) {
        Some((currency, balance)) => {
            Err(format!("the journal is out of balance by {balance} in {currency}").into())
        }
        None => Ok(()),
    }
}

/// What a value of an enum says without the enum's `prefix`; nothing when it is unspecified.
fn said(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).filter(|rest| *rest != "UNSPECIFIED").unwrap_or_default()
}

fn row(entry: &JournalEntry) -> Result<[String; 15], CliError> {
    let time = |time: &Option<_>| time.as_ref().map(wire::instant).transpose();
    let time = |at| time(at).map(|at| at.map(|at| at.to_string()).unwrap_or_default());
    let (amount, currency) = amount(entry.amount.as_ref())?;
    let credit_kind = said(entry.credit_kind().as_str_name(), "FUNDING_KIND_");
    let tax_category = said(entry.tax_category().as_str_name(), "TAX_CATEGORY_");
    Ok([
        "ENTRY".to_owned(),
        time(&entry.record_time)?,
        time(&entry.effective_time)?,
        entry.account.clone(),
        entry.sequence.to_string(),
        entry.kind.clone(),
        credit_kind.to_owned(),
        entry.document.clone(),
        entry.document_number.clone(),
        ledger_account(entry.debit()),
        ledger_account(entry.credit()),
        tax_category.to_owned(),
        entry.tax_rate.as_ref().map(|rate| rate.value.clone()).unwrap_or_default(),
        amount,
        currency,
    ])
}

/// The sum of what debits a ledger account, and of what credits it.
fn totals(total: &LedgerTotal) -> Result<[[String; 15]; 2], CliError> {
    let account = ledger_account(total.ledger_account());
    let row = |debit: &str, credit: &str, money: Option<&Money>| {
        let (amount, currency) = amount(money)?;
        let mut row: [String; 15] = std::array::from_fn(|_| String::new());
        row[0] = "TOTAL".to_owned();
        row[9] = debit.to_owned();
        row[10] = credit.to_owned();
        row[13] = amount;
        row[14] = currency;
        Ok::<_, CliError>(row)
    };
    Ok([row(&account, "", total.debit.as_ref())?, row("", &account, total.credit.as_ref())?])
}

fn ledger_account(account: LedgerAccount) -> String {
    account.as_str_name().trim_start_matches("LEDGER_ACCOUNT_").to_owned()
}

fn amount(money: Option<&Money>) -> Result<(String, String), CliError> {
    let money = money.ok_or("an entry without an amount")?;
    let amount = wire::amount(money)?;
    Ok((amount.to_decimal().to_string(), money.currency_code.clone()))
}
