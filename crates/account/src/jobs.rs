//! What becomes due with time (R1.7). Idempotent, without input.

use florin_platform::{
    call::Call,
    job::{Job, JobError},
};
use florin_settlement::Instant;

use crate::{service::vat_number::VatNumbers, store::tax_status};

/// The name of the job, as operators see it.
const NAME: &str = "account.vat_numbers";

/// Asks the register about VAT numbers: those given since, those it did not answer about, and every number again
/// after a while (R8.4).
#[derive(Clone, Debug)]
pub struct CheckVatNumbers {
    numbers: VatNumbers,
}

impl CheckVatNumbers {
    /// The job over `numbers`.
    #[must_use]
    pub fn new(numbers: VatNumbers) -> Self {
        Self { numbers }
    }
}

#[async_trait::async_trait]
impl Job for CheckVatNumbers {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn next_due(&self) -> Result<Option<Instant>, JobError> {
        Ok(tax_status::next_due(self.numbers.platform.db.reader()).await?)
    }

    async fn run(&self, limit: u32) -> Result<u32, JobError> {
        let platform = &self.numbers.platform;
        let now = platform.clock.now(platform.db.reader()).await?;
        let call = Call::by_job(NAME);
        let mut done = 0;
        for account in tax_status::due(platform.db.reader(), now, limit).await? {
            let answered = self.numbers.check(&call, account).await?;
            done += 1;
            // A register that is down would keep everything else waiting, once for each number.
            if !answered {
                break;
            }
        }
        Ok(done)
    }
}
