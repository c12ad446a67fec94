//! What becomes due with time for what may be spent (R1.7). Both are idempotent and take no input.
//!
//! | job | due | does |
//! |---|---|---|
//! | [`Restand`] | when a standing ends, or time alone reaches a cap or exhausts funds | computes the standings of the account, tells |
//! | [`Watch`] | when something changed, when time alone reaches a threshold, when a month begins | tells of thresholds |
//!
//! They stand last in the schedule: what else is due at the same instant has then happened.

use std::{collections::BTreeSet, sync::Arc};

use florin_platform::{
    Platform,
    id::AccountId,
    job::{Job, JobError},
};
use florin_settlement::Instant;

use crate::{
    error::Error,
    service::{budgets, standings::Standings},
    store,
};

/// The most accounts whose standings are computed in one transaction.
const ACCOUNTS_MAX: u32 = 100;

/// Both jobs.
#[must_use]
pub fn all(platform: &Platform, standings: &Standings) -> Vec<Arc<dyn Job>> {
    vec![
        Arc::new(Restand { platform: platform.clone(), standings: standings.clone() }),
        Arc::new(Watch { platform: platform.clone() }),
    ]
}

/// Computes standings that are due.
#[derive(Clone, Debug)]
pub(crate) struct Restand {
    platform: Platform,
    standings: Standings,
}

#[async_trait::async_trait]
impl Job for Restand {
    fn name(&self) -> &'static str {
        "project.funding-standings"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(store::standing::next_due(self.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let reader = self.platform.db.reader();
        let mut done = 0;
        while done < limit {
            let now = self.platform.clock.now(reader).await?;
            let accounts = store::standing::due(reader, now, ACCOUNTS_MAX.min(limit - done)).await?;
            if accounts.is_empty() {
                break;
            }
            if self.standings.refresh(&self.platform, &accounts).await.is_err() {
                self.one_by_one(now, &accounts).await?;
            }
            done += u32::try_from(accounts.len()).unwrap_or(u32::MAX);
        }
        Ok(done)
    }
}

impl Restand {
    /// One account that cannot be computed keeps none of the others waiting: it is looked at an hour later.
    async fn one_by_one(&self, now: Instant, accounts: &[AccountId]) -> Result<(), JobError> {
        for account in accounts {
            if let Err(error) = self.standings.refresh(&self.platform, &[*account]).await {
                tracing::error!(%account, error = &error as &dyn std::error::Error, "no funding standing");
                let put_off = self.platform.db.write::<_, sea_orm::DbErr, _>(|tx| async move {
                    store::standing::put_off(&tx, now.plus_hours(1), *account).await
                });
                put_off.await?;
            }
        }
        Ok(())
    }
}

/// Looks at budgets that are due.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    platform: Platform,
}

#[async_trait::async_trait]
impl Job for Watch {
    fn name(&self) -> &'static str {
        "project.budgets"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(store::budget::next_due(self.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let due = store::budget::due(reader, now, limit).await?;
        let owners: BTreeSet<_> = due.iter().map(|budget| budget.account).collect();
        if owners.is_empty() {
            return Ok(0);
        }
        let owners = &owners.into_iter().collect::<Vec<_>>();
        let looked = self.platform.db.write(|tx| async move {
            florin_account::lock(&tx, owners).await?;
            let at = self.platform.clock.now(&tx).await?;
            // Read again: one may have been changed or deleted since.
            let owned = |budget: &crate::domain::budget::Budget| owners.contains(&budget.account);
            let due: Vec<_> = store::budget::due(&tx, at, limit).await?.into_iter().filter(owned).collect();
            budgets::look(&tx, at, &due).await?;
            Ok::<_, Error>(due.len())
        });
        Ok(u32::try_from(looked.await?).unwrap_or(u32::MAX))
    }
}
