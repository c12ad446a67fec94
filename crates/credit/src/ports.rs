//! What this slice asks of slices above it, injected by `server`.
//!
//! | port | implemented by | asked |
//! |---|---|---|
//! | [`ProjectGate`] | `project` | before anything is bought or redeemed for a project, and told when its funding came or failed |
//! | [`OrderReversal`] | `invoicing` | what a withdrawal means for documents and money (R6.4) |
//! | [`AvailableFunds`] | `project` | what a project can still spend, before a top-up buys (R4.8, R6.10) |
//! | [`SettlementHorizon`] | `invoicing` | before a lapse is recorded (R7.3) |

use std::collections::HashMap;

use florin_platform::{
    call::Call,
    db::{Reader, Tx},
    id::AccountId,
};
use florin_settlement::{Instant, Money};

use crate::domain::{order::CreditOrder, project_ref::ProjectId};

/// What an implementation may fail with; it becomes INTERNAL.
pub type PortError = Box<dyn std::error::Error + Send + Sync>;

/// What this slice has to know about a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateView {
    /// Whether anything can still be bought or redeemed for it: not DELETING, DELETED or CANCELED.
    pub live: bool,
    /// Whether it is over, DELETED or CANCELED: nothing of its lots will ever be used. While it is DELETING they still
    /// pay its final invoice (R4.6).
    pub over: bool,
    /// Whether it is the account's first project: no other one of the account has become ACTIVE.
    pub first: bool,
    /// Whether it is PENDING_FUNDING. An order for it is then its initial one, with the account's
    /// minimum (R4.2).
    pub pending: bool,
}

/// Projects, as seen from credit. Methods with a [`Tx`] are called with the account locked.
#[async_trait::async_trait]
pub trait ProjectGate: Send + Sync {
    /// The project, if it exists and belongs to `account`.
    async fn project(
        &self,
        reader: Reader<'_>,
        account: AccountId,
        project: ProjectId,
    ) -> Result<Option<GateView>, PortError>;

    /// Whether the account is funded: one of its projects has become ACTIVE (R4.2).
    async fn is_funded(&self, reader: Reader<'_>, account: AccountId) -> Result<bool, PortError>;

    /// Value has come: a voucher for `project`, or a LAUNCHPAD grant for the whole account (`None`).
    /// What was PENDING_FUNDING becomes ACTIVE (R4.3). Called again, it changes nothing.
    async fn funded(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        project: Option<ProjectId>,
    ) -> Result<(), PortError>;

    /// An initial order of `project` was canceled or has expired: a project still PENDING_FUNDING that
    /// waits for it becomes CANCELED (R4.3). Called again, it changes nothing.
    async fn unfunded(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        project: ProjectId,
    ) -> Result<(), PortError>;
}

/// How far settlements are issued, as seen from credit.
#[async_trait::async_trait]
pub trait SettlementHorizon: Send + Sync {
    /// Of those among `accounts` that have an unissued invoice: the settlement instant of the earliest
    /// one. Nothing is said of accounts that have none. `now` is the present.
    ///
    /// A lot that expired after that instant may still pay that invoice, so its lapse waits (R7.3). For
    /// the lapse job it is enough to look at settlement instants up to `now`.
    async fn unissued_since(
        &self,
        tx: &Tx,
        now: Instant,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Instant>, PortError>;
}

/// What undoing a paid order means above this slice. Called with the account locked.
#[async_trait::async_trait]
pub trait OrderReversal: Send + Sync {
    /// The customer has withdrawn from `order`, which was paid and never supplied: its purchase invoice is reversed
    /// by a credit note, and the money goes back to its source (R6.4).
    async fn withdrawn(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        order: &CreditOrder,
    ) -> Result<(), PortError>;
}

/// What a project can still spend, as seen from credit, which knows neither usage nor holds.
#[async_trait::async_trait]
pub trait AvailableFunds: Send + Sync {
    /// What is available to the project of the locked account (R4.8): what lots alive at the next settlement leave over
    /// what is used, not invoiced, or held. Below zero when more is committed than there is; `None` while what the
    /// project used cannot be rated: then nobody knows.
    async fn available(
        &self,
        tx: &Tx,
        at: Instant,
        account: AccountId,
        project: ProjectId,
    ) -> Result<Option<Money>, PortError>;
}
