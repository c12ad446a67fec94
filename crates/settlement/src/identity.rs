//! Opaque names of what settlement speaks about.
//!
//! Owns: nothing but the names; whoever calls made them.
//! Always holds: they are ordered and comparable, so that ties end the same everywhere (R7.2).
//! Refuses to know: how ids are made, stored or shown to customers.

use std::fmt;

/// A credit lot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LotId(u128);

/// A project.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectRef(u128);

/// An account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountRef(u128);

/// A line within what is due: its number in the document. Unique within one [`crate::Due`]; it keeps
/// naming the same line when that line is later reduced (R7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey(u32);

/// Who owns a lot, for life (R6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LotOwner {
    /// One project: VOUCHER, CLOUD_CREDIT.
    Project(ProjectRef),
    /// One account, shared by its projects: LAUNCHPAD, LOYALTY.
    Account(AccountRef),
}

impl LotId {
    /// The lot known by this number.
    #[must_use]
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl ProjectRef {
    /// The project known by this number.
    #[must_use]
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl AccountRef {
    /// The account known by this number.
    #[must_use]
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl LineKey {
    /// The line with this number.
    #[must_use]
    pub const fn from_u32(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LotId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl fmt::Debug for LotId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "lot {self}")
    }
}

impl fmt::Debug for ProjectRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "project {:032x}", self.0)
    }
}

impl fmt::Debug for AccountRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "account {:032x}", self.0)
    }
}

impl fmt::Display for LineKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}
