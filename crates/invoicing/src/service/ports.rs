//! The answers this slice gives to the slices below: debts, and how far settlements are issued.

use std::collections::{BTreeMap, HashMap, HashSet};

use florin_credit::SettlementHorizon;
use florin_payment::{MethodNeeds, needs::NEEDS_MAX};
use florin_platform::{
    db::{Reader, Tx},
    id::AccountId,
};
use florin_project::{DebtStanding, ProjectId, ProjectState, Receivables};
use florin_settlement::Instant;

use super::schedule::{Next, next};
use crate::{
    domain::{billing_run::settlement_of, invoice::invoice_name},
    error::Error,
    store,
};

type PortError = Box<dyn std::error::Error + Send + Sync>;

/// Whether an account owes anything: [`florin_project::DebtStanding`] (R9.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Debts;

#[async_trait::async_trait]
impl DebtStanding for Debts {
    async fn has_debt(&self, reader: Reader<'_>, account: AccountId) -> Result<bool, PortError> {
        Ok(store::debt::exists(&reader, account).await?)
    }
}

/// What an account still has to pay for: [`florin_payment::MethodNeeds`] (R3.4).
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs;

/// How many projects are looked at in one query.
const PROJECTS_AT_ONCE: u32 = 100;

#[async_trait::async_trait]
impl MethodNeeds for Needs {
    async fn needed_by(&self, reader: Reader<'_>, account: AccountId) -> Result<Vec<String>, PortError> {
        let debts = store::debt::owed_for(&reader, account, NEEDS_MAX).await?;
        let mut names = debts.into_iter().map(|invoice| invoice_name(account, invoice)).collect::<Vec<_>>();
        let mut after = None;
        loop {
            let projects = florin_project::list(&reader, account, after, PROJECTS_AT_ONCE).await?;
            let needing = projects.iter().filter(|project| needs_a_method(project.state));
            names.extend(needing.map(|project| florin_project::project_name(account, project.id)));
            after = projects.last().map(|project| project.id);
            let is_last = projects.len() < usize::try_from(PROJECTS_AT_ONCE).unwrap_or(usize::MAX);
            if is_last || names.len() >= NEEDS_MAX {
                return Ok(names);
            }
        }
    }
}

/// Whether a project in this state will still be invoiced.
fn needs_a_method(state: ProjectState) -> bool {
    match state {
        ProjectState::Active | ProjectState::Suspended | ProjectState::Deleting => true,
        ProjectState::PendingFunding | ProjectState::Deleted | ProjectState::Canceled => false,
    }
}

#[async_trait::async_trait]
impl Receivables for Debts {
    async fn in_debt(
        &self,
        reader: Reader<'_>,
        accounts: &[AccountId],
    ) -> Result<HashSet<AccountId>, PortError> {
        Ok(store::receivables::debtors(&reader, accounts).await?)
    }

    async fn billed_until(
        &self,
        reader: Reader<'_>,
        projects: &[(AccountId, ProjectId)],
    ) -> Result<HashMap<(AccountId, ProjectId), Instant>, PortError> {
        let accounts = projects.iter().map(|(account, _)| *account).collect::<HashSet<_>>();
        let accounts = accounts.into_iter().collect::<Vec<_>>();
        Ok(store::receivables::billed_until(&reader, &accounts).await?)
    }
}

/// How far settlements are issued: [`florin_credit::SettlementHorizon`] (R7.3).
///
/// An account waits for its issuer's next month, the first that no run is done with for it, once that
/// month's settlement instant has come; for every project of it that a run has set aside; and for what fell due
/// in advance and is not invoiced yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Horizon;

#[async_trait::async_trait]
impl SettlementHorizon for Horizon {
    async fn unissued_since(
        &self,
        tx: &Tx,
        now: Instant,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Instant>, PortError> {
        Ok(unissued_since(tx, now, accounts).await?)
    }
}

pub(crate) async fn unissued_since(
    tx: &Tx,
    now: Instant,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Instant>, Error> {
    let mut since = store::set_aside::unissued_since(tx, accounts).await?;
    for (account, due) in florin_project::advance::oldest_unbilled(tx, accounts).await? {
        let earliest = since.entry(account).or_insert(due);
        *earliest = due.min(*earliest);
    }
    let issuers: BTreeMap<_, _> =
        florin_account::issuers(tx).await?.into_iter().map(|issuer| (issuer.id.clone(), issuer)).collect();
    let mut open: BTreeMap<String, (Next, HashSet<AccountId>)> = BTreeMap::new();
    let accounts = florin_account::find_many(tx, accounts).await?;
    let with_series = accounts.iter().map(|account| (account.id, account.series)).collect::<Vec<_>>();
    for account in accounts {
        let Some(issuer) = issuers.get(&account.issuer) else { continue };
        if !open.contains_key(&issuer.id) {
            let next = next(tx, issuer).await?;
            let behind = match &next {
                Next::Running(run) | Next::Canceled(run) => {
                    store::billing_range::behind(tx, run.id, &with_series).await?
                }
                Next::Unstarted { .. } | Next::Nothing => HashSet::new(),
            };
            open.insert(issuer.id.clone(), (next, behind));
        }
        let (next, behind) = &open[&issuer.id];
        let waits = match next {
            // Done with this run, the account waits for the month after it, which may be overdue as well.
            Next::Running(run) | Next::Canceled(run) if behind.contains(&account.id) => {
                Some(settlement_of(run.month.next(), issuer)).filter(|at| *at <= now)
            }
            Next::Running(run) | Next::Canceled(run) => Some(run.settlement),
            Next::Unstarted { settlement, .. } => (*settlement <= now).then_some(*settlement),
            Next::Nothing => None,
        };
        if let Some(settlement) = waits {
            let earliest = since.entry(account.id).or_insert(settlement);
            *earliest = settlement.min(*earliest);
        }
    }
    Ok(since)
}
