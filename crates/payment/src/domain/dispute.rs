//! A dispute: captured money that the payer's bank takes back (R3.7, R6.11): a chargeback of a card, a bank
//! debit that bounces after it had succeeded.
//!
//! ```text
//! (first heard of) ──► OPEN ──► WON
//!         │  └───────► LOST ──► WON     the bank came round
//!         └──────────► WON              over before Florin heard of it: nobody is told
//! ```
//! The money is away while it is OPEN or LOST.

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::{Instant, Money};

use super::payment::{Payment, PaymentId};

/// Marks ids of disputes.
#[derive(Debug)]
pub enum DisputeMark {}
impl Kind for DisputeMark {
    const PREFIX: &'static str = "dispute";
}
/// The id of a dispute.
pub type DisputeId = Id<DisputeMark>;

/// How far a dispute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStanding {
    /// The money is away until it is decided.
    Open,
    /// The money is back.
    Won,
    /// The money stays away.
    Lost,
}

impl DisputeStanding {
    const ALL: [Self; 3] = [Self::Open, Self::Won, Self::Lost];

    /// The stored form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Won => "WON",
            Self::Lost => "LOST",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == text)
    }
}

/// What the provider says about a dispute of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeReport {
    /// What the provider calls it; the same for as long as it lasts.
    pub reference: String,
    /// How much of the charge, above zero.
    pub amount: Money,
    /// The provider's word for the reason, such as `fraudulent` or `debit_not_authorized`.
    pub code: String,
    /// How far it is.
    pub standing: DisputeStanding,
}

/// A dispute of a captured payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Whose payment.
    pub account: AccountId,
    /// Its id.
    pub id: DisputeId,
    /// Which payment.
    pub payment: PaymentId,
    /// What the provider calls it.
    pub reference: String,
    /// How much of the payment, including VAT.
    pub amount: Money,
    /// The provider's word for the reason.
    pub code: String,
    /// How far it is.
    pub standing: DisputeStanding,
    /// When Florin heard of it.
    pub opened: Instant,
    /// When it last changed.
    pub updated: Instant,
}

/// What news about a dispute mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DisputeNews {
    /// First heard of, and the money is away.
    Opened(Dispute),
    /// First heard of, and the money is back already.
    OverBefore(Dispute),
    /// The money is back, as of now.
    Won(Dispute),
    /// The money stays away, as of now.
    Lost(Dispute),
    /// Nothing new.
    Known(Dispute),
}

impl Dispute {
    /// Takes in what the provider says at `at` about a dispute of `payment` that is `known`, or not yet.
    #[must_use]
    pub(crate) fn learn(
        payment: &Payment,
        known: Option<Self>,
        report: &DisputeReport,
        at: Instant,
    ) -> DisputeNews {
        let Some(known) = known else {
            let first = Self::first(payment, report, at);
            return match report.standing {
                DisputeStanding::Open | DisputeStanding::Lost => DisputeNews::Opened(first),
                DisputeStanding::Won => DisputeNews::OverBefore(first),
            };
        };
        match (known.standing, report.standing) {
            (DisputeStanding::Open | DisputeStanding::Lost, DisputeStanding::Won) => {
                DisputeNews::Won(known.moved(DisputeStanding::Won, at))
            }
            (DisputeStanding::Open, DisputeStanding::Lost) => {
                DisputeNews::Lost(known.moved(DisputeStanding::Lost, at))
            }
            (DisputeStanding::Open | DisputeStanding::Lost, DisputeStanding::Open)
            | (DisputeStanding::Lost, DisputeStanding::Lost)
            | (DisputeStanding::Won, _) => DisputeNews::Known(known),
        }
    }

    /// Whether the money is away.
    #[must_use]
    pub fn holds_money(&self) -> bool {
        match self.standing {
            DisputeStanding::Open | DisputeStanding::Lost => true,
            DisputeStanding::Won => false,
        }
    }

    fn first(payment: &Payment, report: &DisputeReport, at: Instant) -> Self {
        Self {
            account: payment.account,
            id: DisputeId::generate(at),
            payment: payment.id,
            reference: report.reference.clone(),
            amount: report.amount,
            code: report.code.clone(),
            standing: report.standing,
            opened: at,
            updated: at,
        }
    }

    fn moved(self, standing: DisputeStanding, at: Instant) -> Self {
        Self { standing, updated: at, ..self }
    }
}

#[cfg(test)]
mod tests {
    use florin_settlement::Currency;

    use super::*;
    use crate::domain::payment::{Initiator, Means, NewPayment};

    fn at() -> Instant {
        Instant::midnight(2026, 1, 1).expect("a day")
    }

    fn payment() -> Payment {
        let new = NewPayment {
            amount: Money::new(3600, Currency::EUR),
            reference: "accounts/a/creditOrders/o".into(),
            means: Means::OneOff { provider_token: "token".into() },
            initiator: Initiator::Customer,
        };
        Payment::begin(AccountId::generate(at()), new, None, at())
    }

    fn report(standing: DisputeStanding) -> DisputeReport {
        DisputeReport {
            reference: "dp_1".into(),
            amount: Money::new(3600, Currency::EUR),
            code: "fraudulent".into(),
            standing,
        }
    }

    /// The names of the news that `reports` are, one after the other.
    fn heard(reports: &[DisputeStanding]) -> Vec<&'static str> {
        let (payment, mut known) = (payment(), None);
        let mut news = Vec::new();
        for standing in reports {
            let (name, dispute) = match Dispute::learn(&payment, known.take(), &report(*standing), at()) {
                DisputeNews::Opened(dispute) => ("opened", dispute),
                DisputeNews::OverBefore(dispute) => ("over before", dispute),
                DisputeNews::Won(dispute) => ("won", dispute),
                DisputeNews::Lost(dispute) => ("lost", dispute),
                DisputeNews::Known(dispute) => ("known", dispute),
            };
            news.push(name);
            known = Some(dispute);
        }
        news
    }

    #[test]
    fn each_step_of_a_dispute_is_news_once_whatever_is_repeated_or_late() {
        use DisputeStanding::{Lost, Open, Won};
        assert_eq!(
            heard(&[Open, Open, Won, Open, Won, Lost]),
            ["opened", "known", "won", "known", "known", "known"]
        );
        assert_eq!(heard(&[Open, Lost, Open, Lost]), ["opened", "lost", "known", "known"]);
        assert_eq!(heard(&[Lost, Won, Lost]), ["opened", "won", "known"], "a bounce, and its reversal");
        assert_eq!(heard(&[Won, Open]), ["over before", "known"]);
    }
}
