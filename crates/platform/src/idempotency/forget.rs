//! Answers are forgotten when nobody may ask for them again (section 11).

use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    Platform,
    column::At,
    db::sql,
    job::{Job, JobError},
};

/// A success is replayed for at least 30 days; one more for clocks and long runs.
const KEPT_DAYS: u32 = 31;
const DAY_MICROS: i64 = 86_400_000_000;

/// Forgets old requests. After that, domain keys still prevent a second effect where money moves.
#[derive(Clone, Debug)]
pub struct Forget {
    platform: Platform,
}

impl Forget {
    /// The job over `platform`'s requests.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[async_trait::async_trait]
impl Job for Forget {
    fn name(&self) -> &'static str {
        "platform.forget_requests"
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        let reader = self.platform.db.reader();
        let text = "SELECT MIN(created_at) FROM idempotency";
        let oldest: Option<At> = match reader.query_one_raw(sql(reader, text, [])).await? {
            Some(row) => row.try_get_by_index(0)?,
            None => None,
        };
        // By the day: a day's requests are forgotten together.
        let over = oldest.map(|oldest| Instant::from(oldest).plus_days(KEPT_DAYS).micros());
        let midnight = over.map(|micros| (micros.div_euclid(DAY_MICROS) + 1) * DAY_MICROS);
        Ok(midnight.map(Instant::from_micros).transpose()?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let now = self.platform.clock.now(self.platform.db.reader()).await?;
        let forgotten = self.platform.db.write::<_, DbErr, _>(|tx| async move {
            let text = "DELETE FROM idempotency WHERE (account_id, principal, method, request_id) IN \
                        (SELECT account_id, principal, method, request_id FROM idempotency \
                         WHERE created_at <= $1 ORDER BY created_at LIMIT $2)";
            let values = [At::from(now.minus_days(KEPT_DAYS)).into(), i64::from(limit).into()];
            Ok(tx.execute_raw(sql(&tx, text, values)).await?.rows_affected())
        });
        Ok(u32::try_from(forgotten.await?)?)
    }
}
