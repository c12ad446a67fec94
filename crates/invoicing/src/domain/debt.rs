//! A debt: what is still owed of an invoice after a payment failed (R9.1).
//!
//! ```text
//! open ──► closed: PAID | WRITTEN_OFF | CREDITED | DISPUTE_WON
//! ```
//! Always holds: an invoice has at most one open debt; what is owed only falls, by credit notes; what is closed
//! stays closed. A bounce opens another.

use florin_payment::PaymentId;
use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::{Instant, Money, MoneyError};

use super::invoice::InvoiceId;

/// Marks ids of debts.
#[derive(Debug)]
pub enum DebtMark {}
impl Kind for DebtMark {
    const PREFIX: &'static str = "debt";
}
/// The id of a debt.
pub type DebtId = Id<DebtMark>;

/// The collection of debts in resource names.
pub(crate) const DEBTS: &str = "debts";

/// `accounts/{account}/debts/{debt}`.
#[must_use]
pub fn debt_name(account: AccountId, debt: DebtId) -> String {
    florin_platform::wire::child_name(account, DEBTS, debt)
}

/// Why a debt was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebtCause {
    /// The payment was declined.
    Declined,
    /// There was no method to collect from.
    NoMethod,
    /// The payment had succeeded, and was disputed or bounced (R3.7).
    Bounced,
}

/// How a debt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebtEnding {
    /// By this payment.
    Paid(PaymentId),
    /// Given up by an operator.
    WrittenOff,
    /// Credit notes left nothing of it.
    Credited,
    /// The dispute that opened it was won.
    DisputeWon,
}

impl DebtCause {
    const ALL: [Self; 3] = [Self::Declined, Self::NoMethod, Self::Bounced];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "DECLINED",
            Self::NoMethod => "NO_METHOD",
            Self::Bounced => "BOUNCED",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

impl DebtEnding {
    /// The stored form, without the payment.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid(_) => "PAID",
            Self::WrittenOff => "WRITTEN_OFF",
            Self::Credited => "CREDITED",
            Self::DisputeWon => "DISPUTE_WON",
        }
    }
}

/// What is still owed of an invoice, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debt {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: DebtId,
    /// For which invoice.
    pub invoice: InvoiceId,
    /// How much was owed when it was opened, with VAT.
    pub amount: Money,
    /// What of it credit notes have lowered.
    pub credited: Money,
    /// Why it was opened.
    pub cause: DebtCause,
    /// Since when.
    pub opened: Instant,
    /// When and how it ended, if it has.
    pub ended: Option<(Instant, DebtEnding)>,
}

impl Debt {
    /// A debt of `amount`, opened at `at`.
    #[must_use]
    pub fn open(
        account: AccountId,
        invoice: InvoiceId,
        amount: Money,
        cause: DebtCause,
        at: Instant,
    ) -> Self {
        let credited = Money::zero(amount.currency());
        Self { account, id: DebtId::generate(at), invoice, amount, credited, cause, opened: at, ended: None }
    }

    /// What is left to pay; of a closed one what was left when it closed.
    ///
    /// # Errors
    /// [`MoneyError`], if the row is corrupt.
    pub fn owed(&self) -> Result<Money, MoneyError> {
        self.amount.checked_sub(self.credited)
    }

    /// Whether it is still owed.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.ended.is_none()
    }
}

/// Marks ids of settlements of debts.
#[derive(Debug)]
pub(crate) enum DebtSettlementMark {}
impl Kind for DebtSettlementMark {
    const PREFIX: &'static str = "settle";
}
/// The id of a payment for debts.
pub(crate) type DebtSettlementId = Id<DebtSettlementMark>;

/// The collection of settlements of debts in references of payments.
pub(crate) const DEBT_SETTLEMENTS: &str = "debtSettlements";

/// `accounts/{account}/debtSettlements/{debt_settlement}`: what the payment is for.
#[must_use]
pub(crate) fn debt_settlement_name(account: AccountId, settlement: DebtSettlementId) -> String {
    florin_platform::wire::child_name(account, DEBT_SETTLEMENTS, settlement)
}

/// How long a settlement that waits for the customer keeps others away (R9.3). Seconds.
pub(crate) const STARTED_WITHIN_SECONDS: u64 = 3600;

/// One payment for one or several debts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DebtSettlement {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: DebtSettlementId,
    /// The payment.
    pub payment: PaymentId,
    /// When it was asked for.
    pub created: Instant,
    /// When it lapses, unless it has been started.
    pub lapses: Instant,
}
