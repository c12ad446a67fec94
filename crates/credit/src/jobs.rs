//! What becomes due with time (R1.7). Each job is idempotent and takes no input.
//!
//! | job | due | does |
//! |---|---|---|
//! | [`ExpireOrders`] | when an order's 24 hours are over | writes EXPIRED, tells the project gate |
//! | [`SupplyOrders`] | when a buyer's 14 days to withdraw are over | issues the lot |
//! | [`TopUps`] | an hour after the last look, or when an interval is over | buys where credit falls too low |
//! | [`LapseLots`] | at a lot's expiry, and 60, 30, 7 days before | writes the lapse, warns |

use std::sync::Arc;

use florin_payment::Payments;
use florin_platform::{
    Platform,
    call::Call,
    id::AccountId,
    job::{Job, JobError},
};
use florin_settlement::Instant;

use crate::{
    domain::{
        order::{OrderId, PaymentLinks},
        project_ref::ProjectId,
    },
    error::Error,
    ports::{AvailableFunds, ProjectGate, SettlementHorizon},
    service::{lapse, orders, top_up},
    store::{self, due::Due},
};

/// Every job of this slice.
#[must_use]
pub fn all(
    platform: &Platform,
    gate: &Arc<dyn ProjectGate>,
    horizon: &Arc<dyn SettlementHorizon>,
) -> Vec<Arc<dyn Job>> {
    vec![
        Arc::new(ExpireOrders { platform: platform.clone(), gate: Arc::clone(gate) }),
        Arc::new(SupplyOrders { platform: platform.clone(), gate: Arc::clone(gate) }),
        Arc::new(LapseLots { platform: platform.clone(), horizon: Arc::clone(horizon) }),
    ]
}

/// One bad order never stops the rest: it is logged, and reported only when nothing else was done.
#[derive(Debug, Default)]
struct Tally {
    done: u32,
    failed: Option<Error>,
}

impl Tally {
    fn add<T>(&mut self, order: OrderId, written: Result<T, Error>) {
        match written {
            Ok(_) => self.done += 1,
            Err(error) => {
                tracing::error!(%order, error = &error as &dyn std::error::Error, "a due order was left as it is");
                self.failed = Some(error);
            }
        }
    }

    fn finish(self) -> Result<u32, JobError> {
        match self.failed {
            Some(error) if self.done == 0 => Err(error.into()),
            Some(_) | None => Ok(self.done),
        }
    }
}

/// Writes down which orders were not paid in time.
#[derive(Clone)]
pub struct ExpireOrders {
    platform: Platform,
    gate: Arc<dyn ProjectGate>,
}

#[async_trait::async_trait]
impl Job for ExpireOrders {
    fn name(&self) -> &'static str {
        "credit.expire-orders"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(store::order::next_expiry(self.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let overdue = store::order::overdue(reader, now, u64::from(limit)).await?;
        let call = &Call::by_job(self.name());
        let mut tally = Tally::default();
        for (account, order) in overdue {
            let written = self.platform.db.write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                orders::expire(&tx, at, call, &*self.gate, account, order).await
            });
            tally.add(order, written.await);
        }
        tally.finish()
    }
}

/// Issues lots to buyers who kept their right of withdrawal (R6.4).
#[derive(Clone)]
pub struct SupplyOrders {
    platform: Platform,
    gate: Arc<dyn ProjectGate>,
}

#[async_trait::async_trait]
impl Job for SupplyOrders {
    fn name(&self) -> &'static str {
        "credit.supply-orders"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(store::order::next_supply(self.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let unsupplied = store::order::unsupplied(reader, now, u64::from(limit)).await?;
        let call = &Call::by_job(self.name());
        let mut tally = Tally::default();
        for (account, order) in unsupplied {
            let written = self.platform.db.write(|tx| async move {
                let at = self.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[account]).await?;
                orders::supply_late(&tx, at, call, &*self.gate, account, order).await
            });
            tally.add(order, written.await);
        }
        tally.finish()
    }
}

/// Buys credit for projects whose customers want it (R6.10).
#[derive(Clone)]
pub struct TopUps {
    payments: Payments,
    platform: Platform,
    gate: Arc<dyn ProjectGate>,
    funds: Arc<dyn AvailableFunds>,
    links: PaymentLinks,
}

impl TopUps {
    /// Top-ups of projects known to `gate` with what `funds` says is available, paid by `payments`.
    pub fn new(
        platform: &Platform,
        payments: &Payments,
        gate: &Arc<dyn ProjectGate>,
        funds: &Arc<dyn AvailableFunds>,
        links: &PaymentLinks,
    ) -> Self {
        Self {
            payments: payments.clone(),
            platform: platform.clone(),
            gate: Arc::clone(gate),
            funds: Arc::clone(funds),
            links: links.clone(),
        }
    }

    async fn look(&self, call: &Call, account: AccountId, project: ProjectId) -> Result<(), Error> {
        let look = |tx| async move {
            let at = self.platform.clock.now(&tx).await?;
            let around = (&*self.gate, &*self.funds, &self.links);
            top_up::look(&tx, at, call, around, (account, project)).await
        };
        if let Some(payment) = self.platform.db.write(look).await? {
            // What is cut off here is taken up by the reconcile job.
            if let Err(error) = self.payments.drive(call, account, payment).await {
                tracing::warn!(%payment, error = &error as &dyn std::error::Error, "a top-up's payment waits");
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Job for TopUps {
    fn name(&self) -> &'static str {
        "credit.top-ups"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(store::top_up::next(self.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let call = &Call::by_job(self.name());
        let (mut done, mut failed) = (0, None);
        for (account, project) in store::top_up::due(reader, now, limit).await? {
            match self.look(call, account, project).await {
                Ok(()) => done += 1,
                Err(error) => {
                    tracing::error!(%project, error = &error as &dyn std::error::Error, "a top-up was left as it is");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if done == 0 => Err(error.into()),
            Some(_) | None => Ok(done),
        }
    }
}

/// Writes lapses and raises expiry warnings (R6.8).
#[derive(Clone)]
pub struct LapseLots {
    platform: Platform,
    horizon: Arc<dyn SettlementHorizon>,
}

#[async_trait::async_trait]
impl Job for LapseLots {
    fn name(&self) -> &'static str {
        "credit.lapse-lots"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(store::due::next(self.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let due = &store::due::take(reader, now, limit).await?;
        if due.is_empty() {
            return Ok(0);
        }
        match self.settle(due).await {
            Ok(done) => Ok(done),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a batch of lots is done lot by lot"
                );
                self.one_by_one(due).await
            }
        }
    }
}

impl LapseLots {
    async fn settle(&self, due: &[Due]) -> Result<u32, Error> {
        let settle = |tx| async move {
            let at = self.platform.clock.now(&tx).await?;
            lapse::settle_due(&tx, at, &*self.horizon, due).await
        };
        self.platform.db.write(settle).await
    }

    /// One unreadable lot never stops the others: it is looked at again an hour later.
    async fn one_by_one(&self, due: &[Due]) -> Result<u32, JobError> {
        let mut done = 0;
        for due in due {
            done += match self.settle(std::slice::from_ref(due)).await {
                Ok(done) => done,
                Err(error) => {
                    tracing::error!(lot = %due.lot, error = &error as &dyn std::error::Error, "a due lot was left as it is");
                    let put_off = |tx| async move {
                        let at = self.platform.clock.now(&tx).await?;
                        store::due::put_off(&tx, due, at.plus_hours(lapse::WAIT_HOURS)).await
                    };
                    self.platform.db.write::<_, sea_orm::DbErr, _>(put_off).await?;
                    1
                }
            };
        }
        Ok(done)
    }
}
