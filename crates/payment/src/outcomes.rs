//! The port to whoever knows what is paid for. Implemented above this slice, injected by `server`.
//!
//! Every function runs inside the short transaction that records the outcome, with the account locked,
//! exactly once per outcome; an error undoes the recording, and it is tried again later. What it is told
//! and what it writes are therefore one fact.

use florin_platform::{call::Call, db::Tx, id::AccountId};
use florin_settlement::Instant;

use crate::domain::{dispute::Dispute, method::PaymentMethodId, payment::Payment};

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

    /// The money of `payment`, which was accepted, is taken back by the payer's bank: a chargeback, or a debit
    /// that bounced (R6.11). `dispute` says how much of it. Other disputes of the same payment may be told of.
    async fn disputed(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), BoxError>;

    /// What `dispute` had taken back is here again. Told of each dispute at most once, and only after
    /// [`Outcomes::disputed`] told of it.
    async fn dispute_won(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), BoxError>;

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
