//! What a settlement took from each lot, or why it took nothing (R7.8).
//!
//! Owns: [`Considered`], [`LotDebit`], [`LineDebit`], [`SkipReason`].
//! Always holds: a debit is above zero, is the sum of what it pays of each line, and is no more than
//! the lot had.
//! Refuses to know: how to be made from outside. Only a [`crate::Plan`] has debits (R6.2, R7.6).

use crate::{LineKey, Lot, LotId, LotKind, Money, PlanError, UnknownName};

/// A lot that was looked at (R7.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered(Outcome);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Debited(LotDebit),
    Skipped { lot: Lot, reason: SkipReason },
}

/// What is taken from one lot, above zero. Only a plan has one (R6.2, R7.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotDebit {
    lot: Lot,
    amount: Money,
    after: Money,
    lines: Vec<LineDebit>,
}

/// The part of a lot's debit that pays one line, above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineDebit {
    line: LineKey,
    amount: Money,
}

/// Why a lot gave nothing (R7.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// It is in another currency (R1.1).
    Currency,
    /// It belongs to another project or account (R6.1).
    ForeignOwner,
    /// It was issued after the settlement instant (R7.3).
    NotYetIssued,
    /// It had expired at the settlement instant (R7.3).
    Expired,
    /// Nothing was left of it.
    Empty,
    /// No line above zero is of a family it may pay for (R7.5).
    Restricted,
    /// Lots before it had already paid, or been promised, all it may pay for.
    NothingLeftDue,
}

impl SkipReason {
    const ALL: [Self; 7] = [
        Self::Currency,
        Self::ForeignOwner,
        Self::NotYetIssued,
        Self::Expired,
        Self::Empty,
        Self::Restricted,
        Self::NothingLeftDue,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Currency => "CURRENCY",
            Self::ForeignOwner => "FOREIGN_OWNER",
            Self::NotYetIssued => "NOT_YET_ISSUED",
            Self::Expired => "EXPIRED",
            Self::Empty => "EMPTY",
            Self::Restricted => "RESTRICTED",
            Self::NothingLeftDue => "NOTHING_LEFT_DUE",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name).ok_or(UnknownName("skip reason"))
    }
}

impl Considered {
    pub(crate) const fn skipped_for(lot: Lot, reason: SkipReason) -> Self {
        Self(Outcome::Skipped { lot, reason })
    }

    pub(crate) fn debited(lot: Lot, lines: Vec<LineDebit>) -> Result<Self, PlanError> {
        let amount = Money::sum(lines.iter().map(|line| line.amount), lot.currency())?;
        let after = lot.remaining().checked_sub(amount)?;
        if after.is_negative() || !amount.is_positive() {
            return Err(PlanError::Unbalanced);
        }
        Ok(Self(Outcome::Debited(LotDebit { lot, amount, after, lines })))
    }

    /// The lot as it was before.
    #[must_use]
    pub const fn lot(&self) -> &Lot {
        match &self.0 {
            Outcome::Debited(debit) => &debit.lot,
            Outcome::Skipped { lot, .. } => lot,
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> LotId {
        self.lot().id()
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> LotKind {
        self.lot().kind()
    }

    /// What was left of it before, in the lot's own currency.
    #[must_use]
    pub const fn before(&self) -> Money {
        self.lot().remaining()
    }

    /// What is taken from it, in the lot's own currency; zero if it was skipped.
    #[must_use]
    pub fn taken(&self) -> Money {
        match &self.0 {
            Outcome::Debited(debit) => debit.amount,
            Outcome::Skipped { lot, .. } => Money::zero(lot.currency()),
        }
    }

    /// What is left of it after, in the lot's own currency.
    #[must_use]
    pub const fn after(&self) -> Money {
        match &self.0 {
            Outcome::Debited(debit) => debit.after,
            Outcome::Skipped { lot, .. } => lot.remaining(),
        }
    }

    /// Which lines it pays, in invoice order; none if it was skipped.
    #[must_use]
    pub fn lines(&self) -> &[LineDebit] {
        self.debit().map_or(&[], LotDebit::lines)
    }

    /// What is taken from it, if anything.
    #[must_use]
    pub const fn debit(&self) -> Option<&LotDebit> {
        match &self.0 {
            Outcome::Debited(debit) => Some(debit),
            Outcome::Skipped { .. } => None,
        }
    }

    /// Why nothing is taken from it, if nothing is.
    #[must_use]
    pub const fn skipped(&self) -> Option<SkipReason> {
        match &self.0 {
            Outcome::Debited(_) => None,
            Outcome::Skipped { reason, .. } => Some(*reason),
        }
    }
}

impl LotDebit {
    /// The lot as it was before.
    #[must_use]
    pub const fn lot(&self) -> &Lot {
        &self.lot
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> LotId {
        self.lot.id()
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> LotKind {
        self.lot.kind()
    }

    /// What was left of it before.
    #[must_use]
    pub const fn before(&self) -> Money {
        self.lot.remaining()
    }

    /// What is taken, above zero.
    #[must_use]
    pub const fn amount(&self) -> Money {
        self.amount
    }

    /// What is left of it after.
    #[must_use]
    pub const fn after(&self) -> Money {
        self.after
    }

    /// Which lines it pays, in invoice order.
    #[must_use]
    pub fn lines(&self) -> &[LineDebit] {
        &self.lines
    }
}

impl LineDebit {
    pub(crate) const fn new(line: LineKey, amount: Money) -> Self {
        Self { line, amount }
    }

    /// The line that is paid.
    #[must_use]
    pub const fn line(self) -> LineKey {
        self.line
    }

    /// How much of it, above zero.
    #[must_use]
    pub const fn amount(self) -> Money {
        self.amount
    }
}
