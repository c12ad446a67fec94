//! How far the collection of an invoice is (R8.2).
//!
//! ```text
//! ISSUED → COLLECTING → PAID
//!      ↘        ↘ OVERDUE → PAID | WRITTEN_OFF
//!       PAID (nothing to pay), OVERDUE (no method to collect from)
//! PAID → OVERDUE (the bank took the money back) → PAID (it is here again)
//! ```

use florin_payment::PaymentId;
use florin_settlement::{Instant, Money};

/// Where an invoice stands, with what belongs to it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Collection has not begun.
    Issued,
    /// A payment is on its way.
    Collecting {
        /// Which.
        payment: PaymentId,
    },
    /// Paid in full.
    Paid {
        /// By which payment; none when nothing was to be paid in money.
        payment: Option<PaymentId>,
        /// When.
        at: Instant,
    },
    /// Declined, or no method to collect from: a debt.
    Overdue {
        /// The payment that failed, if there was one.
        payment: Option<PaymentId>,
    },
    /// Given up by an operator.
    WrittenOff,
}

/// The states without their data: stored, and to filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceState {
    /// Collection has not begun.
    Issued,
    /// A payment is on its way.
    Collecting,
    /// Paid in full.
    Paid,
    /// A debt.
    Overdue,
    /// Given up.
    WrittenOff,
}

/// What became of money that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It pays the invoice.
    Pays(Standing),
    /// It had paid it before.
    AlreadyPaid,
    /// The invoice is paid otherwise, or given up: the money goes back.
    Unwanted,
}

impl Standing {
    /// Where an invoice of `amount_incl_tax` stands when it is issued at `at` (R9.1).
    #[must_use]
    pub fn first(amount_incl_tax: Money, payment: Option<PaymentId>, at: Instant) -> Self {
        match payment {
            Some(payment) => Self::Collecting { payment },
            None if amount_incl_tax.is_zero() => Self::Paid { payment: None, at },
            None => Self::Overdue { payment: None },
        }
    }

    /// The state.
    #[must_use]
    pub const fn state(self) -> InvoiceState {
        match self {
            Self::Issued => InvoiceState::Issued,
            Self::Collecting { .. } => InvoiceState::Collecting,
            Self::Paid { .. } => InvoiceState::Paid,
            Self::Overdue { .. } => InvoiceState::Overdue,
            Self::WrittenOff => InvoiceState::WrittenOff,
        }
    }

    /// The latest payment.
    #[must_use]
    pub const fn payment(self) -> Option<PaymentId> {
        match self {
            Self::Collecting { payment } => Some(payment),
            Self::Paid { payment, .. } | Self::Overdue { payment } => payment,
            Self::Issued | Self::WrittenOff => None,
        }
    }

    /// When it was paid.
    #[must_use]
    pub const fn paid_at(self) -> Option<Instant> {
        match self {
            Self::Paid { at, .. } => Some(at),
            Self::Issued | Self::Collecting { .. } | Self::Overdue { .. } | Self::WrittenOff => None,
        }
    }

    /// `payment` succeeded at `at`.
    #[must_use]
    pub fn received(self, payment: PaymentId, at: Instant) -> Receipt {
        match self {
            Self::Issued | Self::Collecting { .. } | Self::Overdue { .. } => {
                Receipt::Pays(Self::Paid { payment: Some(payment), at })
            }
            Self::Paid { payment: by, .. } if by == Some(payment) => Receipt::AlreadyPaid,
            Self::Paid { .. } | Self::WrittenOff => Receipt::Unwanted,
        }
    }

    /// `payment` failed, and no other is on its way; nothing if the invoice is settled or was overdue.
    #[must_use]
    pub fn declined(self, payment: PaymentId) -> Option<Self> {
        match self {
            Self::Issued | Self::Collecting { .. } => Some(Self::Overdue { payment: Some(payment) }),
            Self::Paid { .. } | Self::Overdue { .. } | Self::WrittenOff => None,
        }
    }
}

impl InvoiceState {
    const ALL: [Self; 5] = [Self::Issued, Self::Collecting, Self::Paid, Self::Overdue, Self::WrittenOff];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Collecting => "COLLECTING",
            Self::Paid => "PAID",
            Self::Overdue => "OVERDUE",
            Self::WrittenOff => "WRITTEN_OFF",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use florin_settlement::Currency;

    use super::*;

    fn at() -> Instant {
        Instant::parse("2027-04-01T06:00:00Z").expect("an instant")
    }

    fn euros(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    #[test]
    fn nothing_to_pay_is_paid_at_once_and_no_method_is_a_debt() {
        assert_eq!(Standing::first(euros(0), None, at()), Standing::Paid { payment: None, at: at() });
        assert_eq!(Standing::first(euros(1), None, at()), Standing::Overdue { payment: None });
        let payment = PaymentId::generate(at());
        assert_eq!(Standing::first(euros(1), Some(payment), at()), Standing::Collecting { payment });
    }

    #[test]
    fn money_pays_once_and_other_money_goes_back() {
        let (first, second) = (PaymentId::generate(at()), PaymentId::generate(at()));
        let paid = Standing::Paid { payment: Some(first), at: at() };
        assert_eq!(Standing::Collecting { payment: first }.received(first, at()), Receipt::Pays(paid));
        assert_eq!(Standing::Overdue { payment: None }.received(first, at()), Receipt::Pays(paid));
        assert_eq!(paid.received(first, at()), Receipt::AlreadyPaid);
        assert_eq!(paid.received(second, at()), Receipt::Unwanted);
        assert_eq!(Standing::WrittenOff.received(first, at()), Receipt::Unwanted);
    }

    #[test]
    fn a_failure_makes_an_invoice_overdue_once() {
        let payment = PaymentId::generate(at());
        let overdue = Standing::Overdue { payment: Some(payment) };
        assert_eq!(Standing::Collecting { payment }.declined(payment), Some(overdue));
        assert_eq!(overdue.declined(payment), None);
        assert_eq!(Standing::Paid { payment: Some(payment), at: at() }.declined(payment), None);
    }
}
