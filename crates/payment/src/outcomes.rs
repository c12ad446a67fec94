//! The port to whoever knows what is paid for. Implemented above this slice, injected by `server`.
//!
//! Every function runs inside the short transaction that records the outcome, with the account locked,
//! exactly once per outcome; an error undoes the recording, and it is tried again later. What it is told
//! and what it writes are therefore one fact.

use florin_platform::{call::Call, db::Tx, id::AccountId};
use florin_settlement::{Instant, Money};

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

/// Money that moved between the customer and the provider, whatever it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyMoved<'a> {
    /// All of the payment was captured.
    Captured,
    /// So much of it went back to its source: a refund that is done.
    WentBack(Money),
    /// The payer's bank took back what the dispute says.
    TakenBack(&'a Dispute),
    /// What the dispute had taken back is here again.
    CameBack(&'a Dispute),
}

/// Told what became of payments and methods.
#[async_trait::async_trait]
pub trait Outcomes: Send + Sync {
    /// Money of `payment` moved. Told of every movement once, before whatever else is told of it; also of money that
    /// nothing wanted. What it is told adds up to the money that is there.
    async fn money_moved(
        &self,
        tx: &Tx,
        at: Instant,
        payment: &Payment,
        moved: MoneyMoved<'_>,
    ) -> Result<(), BoxError>;

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
