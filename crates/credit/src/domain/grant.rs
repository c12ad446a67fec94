//! Credit an operator gives to an account: LAUNCHPAD and LOYALTY (R6.7, R6.13).

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::{Instant, LotKind, Money};

use super::lot::CreditId;

/// A LAUNCHPAD lot lives so many calendar months unless another expiry is given (R6.7).
pub(crate) const LAUNCHPAD_MONTHS: u32 = 12;
/// The longest reason, in characters.
pub(crate) const REASON_CHARACTERS_MAX: usize = 500;

/// Marks ids of grants.
#[derive(Debug)]
pub enum GrantMark {}
impl Kind for GrantMark {
    const PREFIX: &'static str = "grant";
}
/// The id of a grant.
pub type GrantId = Id<GrantMark>;

/// What an operator can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// The startup programme.
    LaunchPad,
    /// Loyalty given by hand, beside what is earned.
    Loyalty,
}

impl GrantKind {
    /// The kind of the lot it becomes.
    #[must_use]
    pub const fn lot_kind(self) -> LotKind {
        match self {
            Self::LaunchPad => LotKind::LaunchPad,
            Self::Loyalty => LotKind::Loyalty,
        }
    }

    /// When a lot granted at `at` expires, unless something else is said.
    #[must_use]
    pub fn expiry(self, at: Instant) -> Option<Instant> {
        match self {
            Self::LaunchPad => Some(at.plus_months_clamped(LAUNCHPAD_MONTHS)),
            Self::Loyalty => None,
        }
    }

    /// What customers read on the lot.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::LaunchPad => "LaunchPad",
            Self::Loyalty => "Loyalty",
        }
    }

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.lot_kind().as_str()
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::LaunchPad, Self::Loyalty].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The record of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who got it.
    pub account: AccountId,
    /// LAUNCHPAD or LOYALTY.
    pub kind: GrantKind,
    /// How much, excluding VAT.
    pub amount: Money,
    /// Why, in the operator's words.
    pub reason: String,
    /// The lot it became.
    pub lot: CreditId,
    /// Who gave it.
    pub grantor: String,
    /// When.
    pub created: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchpad_lives_twelve_months_and_loyalty_for_ever() {
        let at = Instant::parse("2028-02-29T12:00:00Z").expect("an instant");
        assert_eq!(GrantKind::LaunchPad.expiry(at), Instant::parse("2029-02-28T12:00:00Z").ok());
        assert_eq!(GrantKind::Loyalty.expiry(at), None);
    }
}
