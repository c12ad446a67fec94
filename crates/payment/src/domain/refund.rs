//! Money on its way back to its source.
//!
//! ```text
//! REQUESTED ──► DONE | REFUSED
//! ```

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::{Instant, Money};

use super::{
    payment::{Payment, PaymentId},
    watch::{Awaited, Watch},
};

/// Marks ids of refunds.
#[derive(Debug)]
pub enum RefundMark {}
impl Kind for RefundMark {
    const PREFIX: &'static str = "refund";
}
/// The id of a refund, and the provider's idempotency key of it.
pub type RefundId = Id<RefundMark>;

/// Why money goes back. One refund per payment and purpose, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What it was to pay for is no longer payable, or was paid already (R6.3).
    Unwanted,
}

impl Purpose {
    /// The stored form.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unwanted => "UNWANTED",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text == Self::Unwanted.as_str()).then_some(Self::Unwanted)
    }
}

/// How far a refund is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundState {
    /// To be made, or its outcome is not known.
    Requested(Watch),
    /// The money is back.
    Done,
    /// The provider cannot give it back this way; an operator has to.
    Refused {
        /// The provider's word for it.
        code: String,
    },
}

impl RefundState {
    /// The stored form.
    #[must_use]
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Requested(_) => "REQUESTED",
            Self::Done => "DONE",
            Self::Refused { .. } => "REFUSED",
        }
    }
}

/// What the provider says about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundReport {
    /// What the provider calls it; none if it made nothing of it.
    pub reference: Option<String>,
    /// What becomes of it.
    pub outcome: RefundOutcome,
}

/// What becomes of a refund. All but `Pending` are final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// Accepted; the money takes its time, and may yet not arrive.
    Pending,
    /// The money is back, or on its way and cannot be stopped.
    Done,
    /// It cannot go back this way.
    Refused {
        /// The provider's word for it.
        code: String,
    },
}

/// Money on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    /// Whose.
    pub(crate) account: AccountId,
    /// Its id.
    pub(crate) id: RefundId,
    /// The payment it gives back.
    pub(crate) payment: PaymentId,
    /// Why.
    pub(crate) purpose: Purpose,
    /// How much.
    pub(crate) amount: Money,
    /// How far it is.
    pub(crate) state: RefundState,
    /// When it was decided.
    pub(crate) created: Instant,
    /// When it last changed.
    pub(crate) updated: Instant,
}

impl Refund {
    /// All of `payment`, because nothing wants it.
    #[must_use]
    pub(crate) fn of_unwanted(payment: &Payment, at: Instant) -> Self {
        Self {
            account: payment.account,
            id: RefundId::generate(at),
            payment: payment.id,
            purpose: Purpose::Unwanted,
            amount: payment.amount,
            state: RefundState::Requested(Watch { looks: 0, next: at }),
            created: at,
            updated: at,
        }
    }

    /// The refund after what the provider said; what is final stays as it is.
    #[must_use]
    pub(crate) fn learn(self, outcome: RefundOutcome, at: Instant) -> Self {
        match self.state {
            RefundState::Done | RefundState::Refused { .. } => self,
            RefundState::Requested(_) => {
                let state = match outcome {
                    RefundOutcome::Pending => return self.unanswered(at),
                    RefundOutcome::Done => RefundState::Done,
                    RefundOutcome::Refused { code } => RefundState::Refused { code },
                };
                Self { state, updated: at, ..self }
            }
        }
    }

    /// The refund after a try at `at` that got no answer.
    #[must_use]
    pub(crate) fn unanswered(mut self, at: Instant) -> Self {
        if let RefundState::Requested(watch) = &mut self.state {
            *watch = watch.looked(Awaited::Answer, at);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use florin_settlement::Currency;

    use super::*;
    use crate::domain::payment::{Initiator, Means, NewPayment};

    fn refund() -> Refund {
        let at = Instant::midnight(2026, 1, 1).expect("a day");
        let new = NewPayment {
            amount: Money::new(3600, Currency::parse("EUR").expect("a currency")),
            reference: "accounts/a/creditOrders/o".into(),
            means: Means::OneOff { provider_token: "token".into() },
            initiator: Initiator::Customer,
        };
        Refund::of_unwanted(&Payment::begin(AccountId::generate(at), new, at), at)
    }

    #[test]
    fn a_refund_is_due_at_once_and_tried_again_until_the_provider_answers() {
        let requested = refund();
        let RefundState::Requested(watch) = &requested.state else { panic!("to be made") };
        assert_eq!(watch.next, requested.created);
        let later = requested.clone().unanswered(requested.created);
        let RefundState::Requested(watch) = &later.state else { panic!("still to be made") };
        assert_eq!((watch.looks, watch.next), (1, requested.created.plus_seconds(60)));
    }

    #[test]
    fn what_the_provider_said_first_stays() {
        let at = refund().created.plus_seconds(5);
        let refused = || RefundOutcome::Refused { code: "card_closed".into() };
        let done = refund().learn(RefundOutcome::Done, at);
        assert_eq!(done.clone().learn(refused(), at), done);
        let kept = refund().learn(refused(), at);
        assert_eq!(kept.clone().learn(RefundOutcome::Done, at), kept);
        assert_eq!(kept.clone().unanswered(at), kept);
    }
}
