//! What was cut off is finished: lost answers, customers who left, banks that take days, money on its way
//! back, cards whose date is over.

use florin_platform::{
    call::Call,
    job::{Job, JobError},
};
use florin_settlement::Instant;

use crate::{
    error::Error,
    service::{methods::Methods, payments::Payments},
    store,
};

/// The name of the job, as operators see it.
pub const NAME: &str = "payment.reconcile";

/// Finishes what is unfinished. Idempotent: it only asks the provider under keys it knows, and expires what
/// is over.
#[derive(Clone, Debug)]
pub struct Reconcile {
    payments: Payments,
    methods: Methods,
}

impl Reconcile {
    /// The job over `payments` and `methods`.
    #[must_use]
    pub fn new(payments: Payments, methods: Methods) -> Self {
        Self { payments, methods }
    }
}

#[async_trait::async_trait]
impl Job for Reconcile {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        let reader = self.payments.platform.db.reader();
        let dues = [
            store::payment::next_due(reader).await?,
            store::refund::next_due(reader).await?,
            store::method::next_due(reader).await?,
        ];
        Ok(dues.into_iter().flatten().min())
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let call = &Call::by_job(NAME);
        let reader = self.payments.platform.db.reader();
        let now = self.payments.platform.clock.now(reader).await?;
        let mut done = 0;
        for (account, id) in store::payment::due(reader, now, u64::from(limit)).await? {
            if let Err(error) = self.payments.drive(call, account, id).await {
                report(&error, &id);
                self.payments.put_off(account, id).await?;
            }
            done += 1;
        }
        for (account, id) in store::refund::due(reader, now, u64::from(limit - done)).await? {
            self.payments.give_back(call, account, id).await?;
            done += 1;
        }
        for (account, id) in store::method::due(reader, now, u64::from(limit - done)).await? {
            match self.methods.drive(call, account, id).await {
                // No answer: the look is recorded, and the next one comes later.
                Ok(_) | Err(Error::ProviderUnavailable(_)) => {}
                Err(error) => {
                    report(&error, &id);
                    self.methods.put_off(account, id).await?;
                }
            }
            done += 1;
        }
        for (account, id) in store::method::over(reader, now, u64::from(limit - done)).await? {
            self.methods.expire(call, account, id).await?;
            done += 1;
        }
        Ok(done)
    }
}

fn report(error: &Error, id: &dyn std::fmt::Display) {
    tracing::error!(%id, error = error as &dyn std::error::Error, "not reconciled; tried again later");
}
