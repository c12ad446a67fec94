//! The port to whoever knows what is paid for. Implemented above this slice, injected by `server`.
//!
//! Every function runs inside the short transaction that records the outcome, with the account locked,
//! exactly once per outcome; an error undoes the recording, and it is tried again later. What it is told
//! and what it writes are therefore one fact.

use florin_platform::{call::Call, db::Tx, id::AccountId};
use florin_settlement::Instant;

use crate::domain::{method::PaymentMethodId, payment::Payment};

/// What an implementation of [`Outcomes`] may report.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What became of captured money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It paid for what it was meant for.
    Accepted,
    /// The thing is no longer payable, or was paid already: the money goes back to its source (R6.3).
    Unwanted,
}

/// Told what became of payments and methods.
#[async_trait::async_trait]
pub trait Outcomes: Send + Sync {
    /// The money of `payment` was captured.
    async fn settled(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
    ) -> Result<Settled, BoxError>;

    /// `payment` will not come, and no other payment for the same reference is on its way or was accepted.
    async fn failed(&self, tx: &Tx, at: Instant, call: &Call, payment: &Payment) -> Result<(), BoxError>;

    /// A method of `account` can pay from now on.
    async fn method_valid(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), BoxError>;

    /// A method of `account` that was being registered never will pay.
    async fn method_refused(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), BoxError>;
}
