//! A credit lot as a value.
//!
//! Owns: what must be true of a lot wherever it was read from (R6.1).
//! Always holds: 0 ≤ remaining ≤ initial, one currency, an owner that fits the kind.
//! Refuses to know: how to change. A lot has no method that raises, lowers or moves its value (R6.2);
//! what a settlement takes from it is in a [`crate::Plan`].

use crate::{Currency, Instant, LotId, LotKind, LotOwner, Money, ProjectRef, Restriction};

/// A bounded amount of prepaid value with a validity window (R6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot(LotParts);

/// What a lot is made of; checked by [`Lot::try_new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotParts {
    /// Its id.
    pub id: LotId,
    /// Its kind.
    pub kind: LotKind,
    /// Who owns it.
    pub owner: LotOwner,
    /// What it was issued with, above zero.
    pub initial: Money,
    /// What is left of it.
    pub remaining: Money,
    /// When it was issued; it pays from this instant on (R7.3).
    pub issued: Instant,
    /// When it expires; it no longer pays at this instant (R7.3). `None` for never. May lie before
    /// `issued`: what a credit note returns to an expired source is born expired (R7.9).
    pub expires: Option<Instant>,
    /// Which lines it may pay for.
    pub restriction: Restriction,
}

/// Why parts do not make a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LotError {
    /// Initial and remaining are in two currencies.
    #[error("initial in {initial}, remaining in {remaining}")]
    MixedCurrencies {
        /// The currency of the initial amount.
        initial: Currency,
        /// The currency of the remaining amount.
        remaining: Currency,
    },
    /// A lot is issued with something.
    #[error("initial amount is not above zero")]
    InitialNotPositive,
    /// Less than nothing is left.
    #[error("remaining amount is below zero")]
    RemainingNegative,
    /// More is left than there ever was.
    #[error("remaining amount is above the initial amount")]
    RemainingAboveInitial,
    /// VOUCHER and CLOUD_CREDIT belong to a project, LAUNCHPAD and LOYALTY to an account (R6.1).
    #[error("a {0} lot cannot have this kind of owner")]
    OwnerMismatch(LotKind),
}

impl Lot {
    /// A lot of these parts.
    ///
    /// # Errors
    /// [`LotError`] when the parts contradict R6.1.
    pub fn try_new(parts: LotParts) -> Result<Self, LotError> {
        let (initial, remaining) = (parts.initial, parts.remaining);
        if initial.currency() != remaining.currency() {
            return Err(LotError::MixedCurrencies {
                initial: initial.currency(),
                remaining: remaining.currency(),
            });
        }
        if !initial.is_positive() {
            return Err(LotError::InitialNotPositive);
        }
        if remaining.is_negative() {
            return Err(LotError::RemainingNegative);
        }
        if remaining.minor() > initial.minor() {
            return Err(LotError::RemainingAboveInitial);
        }
        let is_fitting = match (parts.kind, parts.owner) {
            (LotKind::Voucher | LotKind::CloudCredit, LotOwner::Project(_))
            | (LotKind::LaunchPad | LotKind::Loyalty, LotOwner::Account(_)) => true,
            (LotKind::Voucher | LotKind::CloudCredit, LotOwner::Account(_))
            | (LotKind::LaunchPad | LotKind::Loyalty, LotOwner::Project(_)) => false,
        };
        if is_fitting { Ok(Self(parts)) } else { Err(LotError::OwnerMismatch(parts.kind)) }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> LotId {
        self.0.id
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> LotKind {
        self.0.kind
    }

    /// Who owns it.
    #[must_use]
    pub const fn owner(&self) -> LotOwner {
        self.0.owner
    }

    /// The project that owns it, if one does.
    #[must_use]
    pub const fn project(&self) -> Option<ProjectRef> {
        match self.0.owner {
            LotOwner::Project(project) => Some(project),
            LotOwner::Account(_) => None,
        }
    }

    /// What it was issued with.
    #[must_use]
    pub const fn initial(&self) -> Money {
        self.0.initial
    }

    /// What is left of it.
    #[must_use]
    pub const fn remaining(&self) -> Money {
        self.0.remaining
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.0.initial.currency()
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued(&self) -> Instant {
        self.0.issued
    }

    /// When it expires, `None` for never.
    #[must_use]
    pub const fn expires(&self) -> Option<Instant> {
        self.0.expires
    }

    /// Which lines it may pay for.
    #[must_use]
    pub const fn restriction(&self) -> Restriction {
        self.0.restriction
    }

    /// Whether it has expired at `at`: it has at the very instant of its expiry (R7.3, R6.8).
    #[must_use]
    pub fn is_expired_at(&self, at: Instant) -> bool {
        self.0.expires.is_some_and(|expires| expires <= at)
    }

    /// Whether it counts at `at`: `issued ≤ at < expires` (R7.3).
    #[must_use]
    pub fn is_alive_at(&self, at: Instant) -> bool {
        self.0.issued <= at && !self.is_expired_at(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccountRef;

    fn parts() -> LotParts {
        let at = |text| Instant::parse(text).expect("an instant");
        LotParts {
            id: LotId::from_u128(1),
            kind: LotKind::Voucher,
            owner: LotOwner::Project(ProjectRef::from_u128(1)),
            initial: Money::new(100, Currency::EUR),
            remaining: Money::new(40, Currency::EUR),
            issued: at("2027-01-01T00:00:00Z"),
            expires: Some(at("2027-02-01T00:00:00Z")),
            restriction: Restriction::Unrestricted,
        }
    }

    #[test]
    fn a_lot_has_one_currency_and_between_nothing_and_its_initial_amount() {
        let eur = |minor| Money::new(minor, Currency::EUR);
        let with = |initial, remaining| Lot::try_new(LotParts { initial, remaining, ..parts() });
        assert!(with(eur(100), eur(100)).is_ok());
        assert!(with(eur(100), eur(0)).is_ok());
        assert_eq!(with(eur(100), eur(101)), Err(LotError::RemainingAboveInitial));
        assert_eq!(with(eur(100), eur(-1)), Err(LotError::RemainingNegative));
        assert_eq!(with(eur(0), eur(0)), Err(LotError::InitialNotPositive));
        let mixed = with(eur(100), Money::new(1, Currency::JPY));
        let expected = LotError::MixedCurrencies { initial: Currency::EUR, remaining: Currency::JPY };
        assert_eq!(mixed, Err(expected));
    }

    #[test]
    fn vouchers_and_credit_belong_to_projects_and_the_rest_to_accounts() {
        let project = LotOwner::Project(ProjectRef::from_u128(1));
        let account = LotOwner::Account(AccountRef::from_u128(1));
        let with = |kind, owner| Lot::try_new(LotParts { kind, owner, ..parts() }).map(|lot| lot.kind());
        for kind in [LotKind::Voucher, LotKind::CloudCredit] {
            assert_eq!(with(kind, project), Ok(kind));
            assert_eq!(with(kind, account), Err(LotError::OwnerMismatch(kind)));
        }
        for kind in [LotKind::LaunchPad, LotKind::Loyalty] {
            assert_eq!(with(kind, account), Ok(kind));
            assert_eq!(with(kind, project), Err(LotError::OwnerMismatch(kind)));
        }
    }

    #[test]
    fn a_lot_lives_from_its_issue_to_just_before_its_expiry() {
        let lot = Lot::try_new(parts()).expect("a lot");
        let alive = |text| lot.is_alive_at(Instant::parse(text).expect("an instant"));
        assert!(!alive("2026-12-31T23:59:59.999999Z"));
        assert!(alive("2027-01-01T00:00:00Z"));
        assert!(alive("2027-01-31T23:59:59.999999Z"));
        assert!(!alive("2027-02-01T00:00:00Z"));
    }
}
