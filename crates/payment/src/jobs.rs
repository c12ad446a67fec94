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
            store::forgetting::next_due(reader).await?,
        ];
        Ok(dues.into_iter().flatten().min())
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let reader = self.payments.platform.db.reader();
        let now = self.payments.platform.clock.now(reader).await?;
        let mut run = Run { job: self, call: Call::by_job(NAME), now, left: limit, done: 0, failed: None };
        run.payments().await?;
        run.refunds().await?;
        run.registrations().await?;
        run.forgetting().await?;
        run.endings().await?;
        match run.failed {
            // What could not even be put off would be due again at once.
            Some(error) if run.done == 0 => Err(error.into()),
            Some(_) | None => Ok(run.done),
        }
    }
}

/// One run. What fails is put off, and never stops what comes after it.
struct Run<'r> {
    job: &'r Reconcile,
    call: Call,
    now: Instant,
    left: u32,
    done: u32,
    failed: Option<Error>,
}

impl Run<'_> {
    fn limit(&self) -> u64 {
        u64::from(self.left)
    }

    fn did(&mut self) {
        self.done += 1;
        self.left = self.left.saturating_sub(1);
    }

    async fn payments(&mut self) -> Result<(), Error> {
        let payments = &self.job.payments;
        let due = store::payment::due(payments.platform.db.reader(), self.now, self.limit()).await?;
        for (account, id) in due {
            if let Err(error) = payments.drive(&self.call, account, id).await {
                report(&error, &id);
                payments.put_off(account, id).await?;
            }
            self.did();
        }
        Ok(())
    }

    async fn refunds(&mut self) -> Result<(), Error> {
        let payments = &self.job.payments;
        let due = store::refund::due(payments.platform.db.reader(), self.now, self.limit()).await?;
        for (account, id) in due {
            if let Err(error) = payments.give_back(&self.call, account, id).await {
                report(&error, &id);
                payments.put_off_refund(account, id).await?;
            }
            self.did();
        }
        Ok(())
    }

    async fn registrations(&mut self) -> Result<(), Error> {
        let methods = &self.job.methods;
        let due = store::method::due(methods.platform.db.reader(), self.now, self.limit()).await?;
        for (account, id) in due {
            match methods.drive(&self.call, account, id).await {
                // No answer: the look is recorded, and the next one comes later.
                Ok(_) | Err(Error::ProviderUnavailable(_)) => {}
                Err(error) => {
                    report(&error, &id);
                    methods.put_off(account, id).await?;
                }
            }
            self.did();
        }
        Ok(())
    }

    async fn forgetting(&mut self) -> Result<(), Error> {
        let methods = &self.job.methods;
        let due = store::forgetting::due(methods.platform.db.reader(), self.now, self.limit()).await?;
        for (account, id) in due {
            match methods.forget(account, id).await {
                Ok(()) | Err(Error::ProviderUnavailable(_)) => {}
                Err(error) => {
                    report(&error, &id);
                    methods.forget_later(account, id).await?;
                }
            }
            self.did();
        }
        Ok(())
    }

    /// Cards whose date is over, and cards whose holders are to be warned of it.
    async fn endings(&mut self) -> Result<(), Error> {
        let methods = &self.job.methods;
        let reader = methods.platform.db.reader();
        for (account, id) in store::method::over(reader, self.now, self.limit()).await? {
            let expired = methods.expire(&self.call, account, id).await;
            self.ended(expired, &id);
        }
        for (account, id) in store::method::to_warn(reader, self.now, self.limit()).await? {
            let warned = methods.warn(account, id).await;
            self.ended(warned, &id);
        }
        Ok(())
    }

    fn ended(&mut self, outcome: Result<(), Error>, id: &dyn std::fmt::Display) {
        match outcome {
            Ok(()) => self.did(),
            Err(error) => {
                report(&error, id);
                self.failed = Some(error);
            }
        }
    }
}

fn report(error: &Error, id: &dyn std::fmt::Display) {
    tracing::error!(%id, error = error as &dyn std::error::Error, "not reconciled; tried again later");
}
