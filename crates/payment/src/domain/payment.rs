//! A payment: one attempt to take money for one thing (R3.6).
//!
//! ```text
//! SCHEDULED ──► PROCESSING ──► ACTION_REQUIRED ──► SUCCEEDED ──► REFUNDED
//!                   │  └─────► PENDING ───────────►    ▲
//!                   └──────────────────────────────────┘   any open state ──► DECLINED
//! ```
//! The open states are SCHEDULED, PROCESSING, ACTION_REQUIRED and PENDING; the rest are final, but for the
//! money that goes back to its source, or that the payer's bank takes back ([`super::dispute`]). While it is
//! SCHEDULED, and only then, it is certain that the provider has not heard of it.

use std::fmt;

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::{Instant, Money};

use super::{
    dispute::DisputeReport,
    method::PaymentMethodId,
    watch::{Awaited, Watch},
};

/// Marks ids of payments.
#[derive(Debug)]
pub enum PaymentMark {}
impl Kind for PaymentMark {
    const PREFIX: &'static str = "pay";
}
/// The id of a payment, and the provider's idempotency key of the charge.
pub type PaymentId = Id<PaymentMark>;

/// What pays.
#[derive(Clone, PartialEq, Eq)]
pub enum Means {
    /// A registered method.
    Method(PaymentMethodId),
    /// A card the customer gave on the provider's page for this once, with 3-D Secure: payment links.
    OneOff {
        /// What the provider's page gave for it.
        provider_token: String,
    },
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(id) => write!(f, "Method({id})"),
            Self::OneOff { .. } => f.write_str("OneOff(…)"),
        }
    }
}

/// Who wants the money to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// The customer, who is there to pass 3-D Secure.
    Customer,
    /// Florin, for an invoice; the customer is not there (R3.6).
    Merchant,
}

impl Initiator {
    /// The stored form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "CUSTOMER",
            Self::Merchant => "MERCHANT",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Customer, Self::Merchant].into_iter().find(|initiator| initiator.as_str() == text)
    }
}

/// Whether a declined method may be tried again for the same thing (R3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// It may.
    Soft,
    /// Never again on that method.
    Final,
}

/// How far a payment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// Stored; the provider is asked later, and has not heard of it.
    Scheduled(Watch),
    /// Stored; the provider may have been asked, and its outcome is not known yet.
    Processing(Watch),
    /// Waits for the customer.
    ActionRequired {
        /// Where the customer must go.
        url: String,
        /// When to ask how it ended.
        watch: Watch,
    },
    /// Accepted, and the money takes days to come.
    Pending(Watch),
    /// The money has been captured.
    Succeeded {
        /// When Florin recorded it.
        settled: Instant,
    },
    /// No money was or will be taken by this attempt.
    Declined {
        /// When Florin recorded it.
        settled: Instant,
        /// The provider's word for it.
        code: String,
        /// Whether to try again.
        finality: Finality,
    },
    /// The money was captured and went back to its source.
    Refunded {
        /// When Florin recorded the capture.
        settled: Instant,
    },
}

impl PaymentState {
    /// The stored form.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Scheduled(_) => "SCHEDULED",
            Self::Processing(_) => "PROCESSING",
            Self::ActionRequired { .. } => "ACTION_REQUIRED",
            Self::Pending(_) => "PENDING",
            Self::Succeeded { .. } => "SUCCEEDED",
            Self::Declined { .. } => "DECLINED",
            Self::Refunded { .. } => "REFUNDED",
        }
    }

    /// When to look at it again, while it is open.
    #[must_use]
    pub fn watch(&self) -> Option<Watch> {
        self.awaited().map(|(_, watch)| watch)
    }

    /// When Florin recorded the final outcome, if there is one.
    #[must_use]
    pub fn settled(&self) -> Option<Instant> {
        match self {
            Self::Scheduled(_) | Self::Processing(_) | Self::ActionRequired { .. } | Self::Pending(_) => None,
            Self::Succeeded { settled } | Self::Declined { settled, .. } | Self::Refunded { settled } => {
                Some(*settled)
            }
        }
    }

    fn awaited(&self) -> Option<(Awaited, Watch)> {
        match self {
            Self::Scheduled(watch) => Some((Awaited::Day, *watch)),
            Self::Processing(watch) => Some((Awaited::Answer, *watch)),
            Self::ActionRequired { watch, .. } => Some((Awaited::Customer, *watch)),
            Self::Pending(watch) => Some((Awaited::Bank, *watch)),
            Self::Succeeded { .. } | Self::Declined { .. } | Self::Refunded { .. } => None,
        }
    }
}

/// What the provider says about a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeReport {
    /// What the provider calls it; none if it made nothing of it.
    pub reference: Option<String>,
    /// How the charge went.
    pub outcome: ChargeOutcome,
    /// Every dispute of it there ever was, oldest first. A bank debit that bounces after it succeeded is one.
    pub disputes: Vec<DisputeReport>,
}

/// How a charge went. All but `Pending` and `ActionRequired` are final: what is taken back after it succeeded
/// is a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The money has been captured.
    Succeeded,
    /// Accepted; the money takes days to come.
    Pending,
    /// Declined; trying again later may help.
    DeclinedSoft {
        /// The provider's word for it.
        code: String,
    },
    /// Declined for good.
    DeclinedFinal {
        /// The provider's word for it.
        code: String,
    },
    /// The customer has to do something first.
    ActionRequired {
        /// Where.
        url: String,
    },
}

/// A payment to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// What is taken, including VAT; above zero, in the account's currency.
    pub amount: Money,
    /// What is paid for: a resource name this slice does not read.
    pub reference: String,
    /// What pays.
    pub means: Means,
    /// Who wants it.
    pub initiator: Initiator,
}

/// One attempt to take money for one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: PaymentId,
    /// What is taken, including VAT.
    pub amount: Money,
    /// What is paid for: a resource name this slice does not read.
    pub reference: String,
    /// What pays.
    pub means: Means,
    /// Who wants it.
    pub initiator: Initiator,
    /// How far it is.
    pub state: PaymentState,
    /// When the bank is asked to debit it, after the mandate's notice period (R3.6); bank debits only.
    pub collect: Option<Instant>,
    /// What the provider calls it, once it said so.
    pub provider_reference: Option<String>,
    /// What went back to its source, by refunds.
    pub refunded: Money,
    /// What the payer's bank has taken back, for now or for good.
    pub disputed: Money,
    /// When it was attempted.
    pub created: Instant,
    /// When it last changed.
    pub updated: Instant,
}

/// What news about a payment mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PaymentNews {
    /// Still open.
    Waiting(Payment),
    /// The money came, just now.
    Succeeded(Payment),
    /// It will not come, as of now.
    Declined(Payment),
    /// It was final before; there is nothing to write.
    Settled(Payment),
}

impl Payment {
    /// The attempt about to be made; `collect` is when, for what has to be announced first.
    ///
    /// What the customer is there for is asked of the provider at once. What Florin initiates is SCHEDULED until
    /// a last look at the method: it may be declined for good by a payment begun in the same breath.
    #[must_use]
    pub(crate) fn begin(account: AccountId, new: NewPayment, collect: Option<Instant>, at: Instant) -> Self {
        let state = match (collect, new.initiator) {
            (None, Initiator::Customer) => PaymentState::Processing(Watch::begin(Awaited::Answer, at)),
            (None, Initiator::Merchant) => PaymentState::Scheduled(Watch { looks: 0, next: at }),
            (Some(collect), _) => PaymentState::Scheduled(Watch { looks: 0, next: collect }),
        };
        Self {
            account,
            id: PaymentId::generate(at),
            amount: new.amount,
            reference: new.reference,
            means: new.means,
            initiator: new.initiator,
            state,
            collect,
            provider_reference: None,
            refunded: Money::zero(new.amount.currency()),
            disputed: Money::zero(new.amount.currency()),
            created: at,
            updated: at,
        }
    }

    /// Whether its outcome is still to come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.watch().is_some()
    }

    /// The payment once the provider may be asked: it is no longer certain that it has not heard of it.
    #[must_use]
    pub(crate) fn released(self, at: Instant) -> Self {
        match self.state {
            PaymentState::Scheduled(_) => {
                let watch = Watch::begin(Awaited::Answer, at);
                self.moved(PaymentState::Processing(watch), at)
            }
            PaymentState::Processing(_)
            | PaymentState::ActionRequired { .. }
            | PaymentState::Pending(_)
            | PaymentState::Succeeded { .. }
            | PaymentState::Declined { .. }
            | PaymentState::Refunded { .. } => self,
        }
    }

    /// When it is due, while it is SCHEDULED.
    #[must_use]
    pub(crate) fn scheduled(&self) -> Option<Instant> {
        match self.state {
            PaymentState::Scheduled(_) => Some(self.collect.unwrap_or(self.created)),
            PaymentState::Processing(_)
            | PaymentState::ActionRequired { .. }
            | PaymentState::Pending(_)
            | PaymentState::Succeeded { .. }
            | PaymentState::Declined { .. }
            | PaymentState::Refunded { .. } => None,
        }
    }

    /// Whether its money was captured, whatever became of it since.
    #[must_use]
    pub fn was_captured(&self) -> bool {
        matches!(self.state, PaymentState::Succeeded { .. } | PaymentState::Refunded { .. })
    }

    /// Takes in what the provider says at `at`. What is final stays as it is, so that news may come twice,
    /// late and in any order.
    #[must_use]
    pub(crate) fn learn(self, outcome: ChargeOutcome, at: Instant) -> PaymentNews {
        if !self.is_open() {
            return PaymentNews::Settled(self);
        }
        let declined = |code, finality| PaymentState::Declined { settled: at, code, finality };
        match outcome {
            ChargeOutcome::Succeeded => {
                PaymentNews::Succeeded(self.moved(PaymentState::Succeeded { settled: at }, at))
            }
            ChargeOutcome::DeclinedSoft { code } => {
                PaymentNews::Declined(self.moved(declined(code, Finality::Soft), at))
            }
            ChargeOutcome::DeclinedFinal { code } => {
                PaymentNews::Declined(self.moved(declined(code, Finality::Final), at))
            }
            ChargeOutcome::Pending => {
                let watch = self.watch_for(Awaited::Bank, at);
                PaymentNews::Waiting(self.moved(PaymentState::Pending(watch), at))
            }
            // The customer has acted since: an answer from before, overtaken by a later one.
            ChargeOutcome::ActionRequired { .. } if matches!(self.state, PaymentState::Pending(_)) => {
                PaymentNews::Waiting(self.unanswered(at))
            }
            ChargeOutcome::ActionRequired { url } => {
                let watch = self.watch_for(Awaited::Customer, at);
                PaymentNews::Waiting(self.moved(PaymentState::ActionRequired { url, watch }, at))
            }
        }
    }

    /// The payment after a look at `at` that got no answer.
    #[must_use]
    pub(crate) fn unanswered(mut self, at: Instant) -> Self {
        let awaited = self.state.awaited();
        if let (
            Some((awaited, _)),
            PaymentState::Scheduled(watch)
            | PaymentState::Processing(watch)
            | PaymentState::ActionRequired { watch, .. }
            | PaymentState::Pending(watch),
        ) = (awaited, &mut self.state)
        {
            *watch = watch.looked(awaited, at);
        }
        self
    }

    /// The payment once so much of its captured money is back where it came from; unchanged if none was
    /// captured. REFUNDED once all of it is.
    #[must_use]
    pub(crate) fn gave_back(self, amount: Money, at: Instant) -> Self {
        let PaymentState::Succeeded { settled } = self.state else { return self };
        let refunded =
            Money::new(self.refunded.minor().saturating_add(amount.minor()), self.amount.currency());
        let state = if refunded.minor() >= self.amount.minor() {
            PaymentState::Refunded { settled }
        } else {
            PaymentState::Succeeded { settled }
        };
        Self { refunded, ..self.moved(state, at) }
    }

    fn watch_for(&self, awaited: Awaited, at: Instant) -> Watch {
        match self.state.awaited() {
            Some((before, watch)) if before == awaited => watch.looked(awaited, at),
            _ => Watch::begin(awaited, at),
        }
    }

    fn moved(self, state: PaymentState, at: Instant) -> Self {
        Self { state, updated: at, ..self }
    }
}

#[cfg(test)]
mod tests;
