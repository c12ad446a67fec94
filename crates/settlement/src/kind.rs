//! What can pay.
//!
//! Owns: the funding kinds, the lot kinds among them, and their names in tables.
//! Always holds: every lot kind is one funding kind; a name reads back to the kind it came from.
//! Refuses to know: the order of the kinds. Kinds have no `Ord`, on purpose: the order is the law,
//! and the law is one visible table, [`crate::DEBIT_ORDER`].

use std::fmt;

/// One step of the debit order (R7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FundingKind {
    /// A lot from a redeemed code.
    Voucher,
    /// A lot that was bought.
    CloudCredit,
    /// A lot granted by the startup programme.
    LaunchPad,
    /// A lot earned by paying, or granted.
    Loyalty,
    /// The account's default payment method: pays whatever remains, so it is declared last.
    PaymentMethod,
}

/// A kind of credit lot (R6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LotKind {
    /// From a redeemed code; owned by a project.
    Voucher,
    /// Bought; owned by a project.
    CloudCredit,
    /// Granted by the startup programme; owned by an account.
    LaunchPad,
    /// Earned or granted; owned by an account.
    Loyalty,
}

/// A text that names nothing known; says what kind of name was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown {0}")]
pub struct UnknownName(pub &'static str);

impl FundingKind {
    /// How many kinds there are. Declaring one more before `PaymentMethod` makes this grow, and
    /// [`crate::DEBIT_ORDER`] no longer compiles until the new kind is placed (R7.1).
    pub const COUNT: usize = Self::PaymentMethod as usize + 1;

    /// The name in tables and journals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voucher => "VOUCHER",
            Self::CloudCredit => "CLOUD_CREDIT",
            Self::LaunchPad => "LAUNCHPAD",
            Self::Loyalty => "LOYALTY",
            Self::PaymentMethod => "PAYMENT_METHOD",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        crate::DEBIT_ORDER.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownName("funding kind"))
    }
}

impl LotKind {
    /// Every lot kind, in no order that means anything.
    pub const ALL: [Self; FundingKind::COUNT - 1] =
        [Self::Voucher, Self::CloudCredit, Self::LaunchPad, Self::Loyalty];

    /// The step of the debit order at which lots of this kind pay.
    #[must_use]
    pub const fn funding_kind(self) -> FundingKind {
        match self {
            Self::Voucher => FundingKind::Voucher,
            Self::CloudCredit => FundingKind::CloudCredit,
            Self::LaunchPad => FundingKind::LaunchPad,
            Self::Loyalty => FundingKind::Loyalty,
        }
    }

    /// The name in tables and journals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.funding_kind().as_str()
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownName("lot kind"))
    }
}

impl fmt::Display for FundingKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Display for LotKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for kind in LotKind::ALL {
            assert_eq!(LotKind::parse(kind.as_str()), Ok(kind));
            assert_eq!(FundingKind::parse(kind.as_str()), Ok(kind.funding_kind()));
        }
        assert_eq!(FundingKind::parse("PAYMENT_METHOD"), Ok(FundingKind::PaymentMethod));
    }

    #[test]
    fn the_payment_method_is_no_lot() {
        assert_eq!(LotKind::parse("PAYMENT_METHOD"), Err(UnknownName("lot kind")));
        assert!(LotKind::parse("voucher").is_err());
    }
}
