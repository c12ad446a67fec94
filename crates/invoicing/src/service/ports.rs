//! The answers this slice gives to the slices below: debts, and how far settlements are issued.

use std::collections::{BTreeMap, HashMap};

use florin_credit::SettlementHorizon;
use florin_platform::{
    db::{Reader, Tx},
    id::AccountId,
};
use florin_project::DebtStanding;
use florin_settlement::Instant;

use super::schedule::{Next, next};
use crate::{domain::billing_run::settlement_of, error::Error, store};

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

/// How far settlements are issued: [`florin_credit::SettlementHorizon`] (R7.3).
///
/// An account waits for its issuer's next month, the first that no run is done with for it, once that
/// month's settlement instant has come; and for every project of it that a run has set aside.
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

async fn unissued_since(
    tx: &Tx,
    now: Instant,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Instant>, Error> {
    let mut since = store::set_aside::unissued_since(tx, accounts).await?;
    let issuers: BTreeMap<_, _> =
        florin_account::issuers(tx).await?.into_iter().map(|issuer| (issuer.id.clone(), issuer)).collect();
    let mut open: BTreeMap<String, Next> = BTreeMap::new();
    for account in florin_account::find_many(tx, accounts).await? {
        let Some(issuer) = issuers.get(&account.issuer) else { continue };
        if !open.contains_key(&issuer.id) {
            open.insert(issuer.id.clone(), next(tx, issuer, now).await?);
        }
        let waits = match &open[&issuer.id] {
            Next::Running(run) if run.after < Some(account.id) => Some(run.settlement),
            // Done with this run, the account waits for the month after it, which may be overdue as well.
            Next::Running(run) => Some(settlement_of(run.month.next(), issuer)).filter(|at| *at <= now),
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
