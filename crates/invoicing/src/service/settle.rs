//! From projects to drafts: the one way, for estimates and for the real thing (R8.5).
//!
//! Reads the whole set with a handful of queries (accounts, usage, lots, the rules of VAT), then decides in
//! memory. Writes nothing.

use std::collections::{BTreeMap, HashMap};

use florin_account::{Account, VatRules};
use florin_platform::id::AccountId;
use florin_project::{BillableProject, ProjectId, RatedLine};
use florin_settlement::{Instant, Lot, Month};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        charge::{Bill, Charge, LineTax, Subject, Usage},
        draft::{DraftError, InvoiceDraft, settle_in_order},
        invoice::{CauseId, Occasion},
    },
    error::Error,
};

/// What became of the projects of a set.
#[derive(Debug)]
pub(crate) struct Settled {
    /// Their accounts.
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    /// In the order the projects were given.
    pub(crate) drafts: Vec<(BillableProject, Result<InvoiceDraft, DraftError>)>,
}

/// Drafts the invoices of `month` of `projects`, settled at `at` with usage up to `at`, and with whatever fell
/// due in advance by then and stands on no invoice. The projects of an account stand together and in settlement
/// order, and are all there: what one takes from a shared lot the next does not find (R7.7).
pub(crate) async fn settle(
    connection: &impl ConnectionTrait,
    month: Month,
    at: Instant,
    projects: &[BillableProject],
) -> Result<Settled, Error> {
    let keys = keys(projects);
    let lines = async {
        let used = florin_project::usage::of_projects(connection, &keys, month.period(), at);
        let in_advance = florin_project::advance::unbilled(connection, &keys, at);
        let (mut lines, in_advance) = tokio::try_join!(used, in_advance)?;
        lines.extend(in_advance);
        Ok(lines)
    };
    let (lines, payers) = tokio::try_join!(lines, payers(connection, month, at, projects))?;
    let wanted = Wanted { month, at, advance_until: Some(at) };
    draft(connection, wanted, projects, lines, payers, || Occasion::Monthly(month)).await
}

/// As [`settle`], for what `lines` say was used: also for usage that is only foretold. Nothing of it is noted as
/// billed should it be issued.
pub(crate) async fn settle_lines(
    connection: &impl ConnectionTrait,
    month: Month,
    at: Instant,
    projects: &[BillableProject],
    lines: Vec<RatedLine>,
) -> Result<Settled, Error> {
    let payers = payers(connection, month, at, projects).await?;
    let wanted = Wanted { month, at, advance_until: None };
    draft(connection, wanted, projects, lines, payers, || Occasion::Monthly(month)).await
}

/// Drafts the invoices of what fell due in advance for `projects` up to `due`, the instant they are settled
/// at, and stands on no invoice.
pub(crate) async fn settle_advance(
    connection: &impl ConnectionTrait,
    at: Instant,
    due: Instant,
    projects: &[BillableProject],
) -> Result<Settled, Error> {
    let month = Month::of(due);
    let keys = keys(projects);
    let lines = async { Ok(florin_project::advance::unbilled(connection, &keys, due).await?) };
    let (lines, payers) = tokio::try_join!(lines, payers(connection, month, due, projects))?;
    // What a charge in advance is billed by is noted with the charge itself: the cause need not be told again.
    let occasion = || Occasion::ProRata { month, cause: CauseId::generate(at) };
    let wanted = Wanted { month, at: due, advance_until: Some(due) };
    draft(connection, wanted, projects, lines, payers, occasion).await
}

fn keys(projects: &[BillableProject]) -> Vec<(AccountId, ProjectId)> {
    projects.iter().map(|project| (project.account, project.project)).collect()
}

/// What to draft: invoices of a month, settled at an instant, and up to when their lines hold everything that
/// fell due in advance.
#[derive(Clone, Copy)]
struct Wanted {
    month: Month,
    at: Instant,
    advance_until: Option<Instant>,
}

/// Who pays, and with what.
struct Payers {
    accounts: BTreeMap<AccountId, Account>,
    lots: HashMap<AccountId, Vec<Lot>>,
}

/// The owners of `projects`, and the lots that a settlement of `month` at `at` considers.
async fn payers(
    connection: &impl ConnectionTrait,
    month: Month,
    at: Instant,
    projects: &[BillableProject],
) -> Result<Payers, Error> {
    let mut ids = projects.iter().map(|project| project.account).collect::<Vec<_>>();
    ids.dedup();
    let accounts = async { Ok(florin_account::find_many(connection, &ids).await?) };
    let lots = lots_by_account(connection, &ids, month.start(), at);
    let (accounts, lots) = tokio::try_join!(accounts, lots)?;
    Ok(Payers { accounts: accounts.into_iter().map(|account| (account.id, account)).collect(), lots })
}

async fn draft(
    connection: &impl ConnectionTrait,
    Wanted { month, at, advance_until }: Wanted,
    projects: &[BillableProject],
    lines: Vec<RatedLine>,
    Payers { accounts, mut lots }: Payers,
    occasion: impl Fn() -> Occasion,
) -> Result<Settled, Error> {
    let mut charges = charges_by_project(connection, &accounts, month, lines).await?;

    let mut drafts = Vec::with_capacity(projects.len());
    for of_account in projects.chunk_by(|one, next| one.account == next.account) {
        let owner = of_account[0].account;
        let account = accounts
            .get(&owner)
            .ok_or_else(|| Error::NotFound(florin_platform::wire::account_name(owner)))?;
        let bill = |project: &BillableProject| Bill {
            account: owner,
            project: project.project,
            issuer: account.issuer.clone(),
            occasion: occasion(),
            currency: account.currency,
            charges: charges.remove(&(owner, project.project)).unwrap_or_default(),
            advance_until,
        };
        let bills = of_account.iter().map(bill).collect();
        let settled = settle_in_order(bills, lots.remove(&owner).unwrap_or_default(), at);
        drafts.extend(of_account.iter().cloned().zip(settled));
    }
    Ok(Settled { accounts, drafts })
}

/// The lots a settlement at `at` considers, by account: those with value, and those that expired since the beginning
/// of what is billed, whether or not their lapse has been recorded by now (R6.8, R7.8).
pub(crate) async fn lots_by_account(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
    since: Instant,
    at: Instant,
) -> Result<HashMap<AccountId, Vec<Lot>>, Error> {
    let mut by_account: HashMap<AccountId, Vec<Lot>> = HashMap::new();
    let left = florin_credit::lots::of_accounts(connection, accounts);
    let lapsed = florin_credit::lots::lapsed(connection, accounts, since, at);
    let (mut lots, lapsed) = tokio::try_join!(left, lapsed)?;
    // Those that expired earlier and nobody has recorded are no news, as if somebody had.
    lots.retain(|(_, lot)| lot.expires().is_none_or(|expires| expires > since));
    lots.extend(lapsed);
    for (account, lot) in lots {
        by_account.entry(account).or_default().push(lot);
    }
    Ok(by_account)
}

/// The charges of one project's `lines` of `month`.
pub(crate) async fn charges_of(
    connection: &impl ConnectionTrait,
    account: &Account,
    month: Month,
    lines: Vec<RatedLine>,
) -> Result<Vec<Charge>, Error> {
    let accounts = BTreeMap::from([(account.id, account.clone())]);
    let charges = charges_by_project(connection, &accounts, month, lines).await?;
    Ok(charges.into_values().flatten().collect())
}

async fn charges_by_project(
    connection: &impl ConnectionTrait,
    accounts: &BTreeMap<AccountId, Account>,
    month: Month,
    lines: Vec<RatedLine>,
) -> Result<HashMap<(AccountId, ProjectId), Vec<Charge>>, Error> {
    let rules = VatRules::read(connection, accounts.values()).await?;
    let mut charges: HashMap<(AccountId, ProjectId), Vec<Charge>> = HashMap::new();
    for line in lines {
        let account = accounts
            .get(&line.account)
            .ok_or_else(|| Error::NotFound(florin_platform::wire::account_name(line.account)))?;
        let tax = LineTax::from(rules.treatment(account, last_day(line.period.to()))?);
        charges.entry((line.account, line.project)).or_default().push(charge(line, month, tax));
    }
    Ok(charges)
}

fn last_day(end: Instant) -> Instant {
    end.minus(std::time::Duration::from_micros(1)).floor_day()
}

fn charge(line: RatedLine, month: Month, tax: LineTax) -> Charge {
    Charge {
        description: line.plan_name,
        late: line.period.from() < month.start(),
        period: line.period,
        quantity: line.quantity,
        divisor: line.divisor,
        unit: line.unit,
        unit_price: line.unit_price,
        net: line.net,
        tax,
        subject: Subject::Usage(Usage {
            resource: line.resource,
            resource_name: line.resource_name,
            plan: line.plan,
            family: line.family,
            region: line.region,
            labels: line.labels,
        }),
    }
}
