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

/// Why money goes back, in one word or a resource name. One refund per payment and purpose, ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose(String);

/// The purpose of money nothing wanted.
const UNWANTED: &str = "UNWANTED";

impl Purpose {
    /// What it was to pay for is no longer payable, or was paid already (R6.3).
    #[must_use]
    pub(crate) fn unwanted() -> Self {
        Self(UNWANTED.to_owned())
    }

    /// Whatever the slice that asks for it calls it: the name of a credit note, of a withdrawn order. None if
    /// it is empty, or the word this slice uses itself.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        (!name.is_empty() && name != UNWANTED).then(|| Self(name.to_owned()))
    }

    /// The stored form.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the stored form.
    #[must_use]
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
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
    /// What the provider calls it, once it said so.
    pub(crate) provider_reference: Option<String>,
    /// How far it is.
    pub(crate) state: RefundState,
    /// When it was decided.
    pub(crate) created: Instant,
    /// When it last changed.
    pub(crate) updated: Instant,
}

impl Refund {
    /// So much of `payment`, for `purpose`.
    #[must_use]
    pub(crate) fn of(payment: &Payment, amount: Money, purpose: Purpose, at: Instant) -> Self {
        Self {
            account: payment.account,
            id: RefundId::generate(at),
            payment: payment.id,
            purpose,
            amount,
            provider_reference: None,
            state: RefundState::Requested(Watch { looks: 0, next: at }),
            created: at,
            updated: at,
        }
    }

    /// The refund after what the provider said; what is final stays as it is.
    #[must_use]
    pub(crate) fn learn(self, report: RefundReport, at: Instant) -> Self {
        let RefundState::Requested(watch) = self.state else { return self };
        let state = match report.outcome {
            RefundOutcome::Pending => RefundState::Requested(watch.looked(Awaited::Bank, at)),
            RefundOutcome::Done => RefundState::Done,
            RefundOutcome::Refused { code } => RefundState::Refused { code },
        };
        let provider_reference = report.reference.or(self.provider_reference);
        Self { state, provider_reference, updated: at, ..self }
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
        let payment = Payment::begin(AccountId::generate(at), new, None, at);
        Refund::of(&payment, payment.amount, Purpose::unwanted(), at)
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
        let said = |outcome| RefundReport { reference: Some("re_1".into()), outcome };
        let refused = || said(RefundOutcome::Refused { code: "card_closed".into() });
        let done = refund().learn(said(RefundOutcome::Done), at);
        assert_eq!(done.clone().learn(refused(), at), done);
        let kept = refund().learn(refused(), at);
        assert_eq!(kept.clone().learn(said(RefundOutcome::Done), at), kept);
        let pending = refund().learn(said(RefundOutcome::Pending), at);
        let RefundState::Requested(watch) = &pending.state else { panic!("still on its way") };
        assert_eq!(watch.next, at.plus_days(1), "a refund on its way is looked after each day");
        assert_eq!(pending.learn(refused(), at).state.as_str(), "REFUSED", "and may yet fail");
        assert_eq!(kept.clone().unanswered(at), kept);
    }
}
