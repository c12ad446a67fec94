//! Driving the payments a run has begun, beside its batches: a slow provider slows down no invoice.
//!
//! | question | answer |
//! |---|---|
//! | how many at once | [`AT_ONCE`] |
//! | how many may wait | [`WAITING_MAX`]; what comes on top is left to the payments' own reconciliation |
//! | and if the server dies | that takes up all of them: each was stored with its invoice |

use std::sync::Arc;

use florin_payment::{PaymentId, Payments};
use florin_platform::{Platform, call::Call, id::AccountId};
use tokio::sync::Semaphore;

use super::{dunning::after_drive, monthly::ToDrive};

/// How many payments are driven at once.
const AT_ONCE: usize = 8;
/// How many may wait for their turn.
const WAITING_MAX: u32 = 2000;

/// Drives payments in the background, through one [`Payments`].
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    platform: Platform,
    payments: Payments,
    waiting: Arc<Semaphore>,
    driving: Arc<Semaphore>,
}

impl Collector {
    pub(crate) fn new(platform: Platform, payments: Payments) -> Self {
        Self {
            platform,
            payments,
            waiting: Arc::new(Semaphore::new(WAITING_MAX as usize)),
            driving: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Drives payments as soon as it is their turn.
    pub(crate) fn take(&self, call: &Call, payments: ToDrive) {
        for (account, payment) in payments {
            // Without a place it is not lost: reconciliation looks at every payment that has no outcome.
            let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else { return };
            let (this, call) = (self.clone(), call.clone());
            tokio::spawn(async move {
                let _place = place;
                // The semaphore is never closed.
                let Ok(_turn) = this.driving.acquire().await else { return };
                this.drive(&call, account, payment).await;
            });
        }
    }

    /// Waits until everything that was taken is driven.
    pub(crate) async fn finish(&self) {
        let _ = self.waiting.acquire_many(WAITING_MAX).await;
    }

    async fn drive(&self, call: &Call, account: AccountId, payment: PaymentId) {
        let driven = match self.payments.drive(call, account, payment).await {
            Ok(driven) => after_drive(&self.platform, &driven).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = driven {
            tracing::warn!(%payment, error = &error as &dyn std::error::Error, "collection waits");
        }
    }
}
