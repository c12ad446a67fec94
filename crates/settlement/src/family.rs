//! What a lot may pay for.
//!
//! Owns: plan families, sets of them, and the restriction of a lot to such a set (R6.1).
//! Always holds: a [`FamilySet`] is not empty; a restriction has one canonical text.
//! Refuses to know: plans. A restriction is by family only.

use std::fmt;

use crate::UnknownName;

/// A family of plans (R5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlanFamily {
    /// Something that computes.
    Instance,
    /// Something that keeps data.
    Storage,
    /// Anything added to the two.
    Option,
}

/// A non-empty set of families.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FamilySet(u8);

/// Which lines a lot may pay for (R6.1, R7.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Restriction {
    /// Any line, also of families that do not exist yet.
    Unrestricted,
    /// Only lines of these families. Naming every family is still a restriction.
    Only(FamilySet),
}

impl PlanFamily {
    /// How many families there are.
    pub const COUNT: usize = Self::Option as usize + 1;
    /// Every family, in the order of their canonical text.
    pub const ALL: [Self; Self::COUNT] = [Self::Instance, Self::Storage, Self::Option];

    /// The name in tables and texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "INSTANCE",
            Self::Storage => "STORAGE",
            Self::Option => "OPTION",
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`UnknownName`].
    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|family| family.as_str() == name).ok_or(UnknownName("plan family"))
    }

    /// The bit that stands for this family in a set.
    const fn bit(self) -> u8 {
        match self {
            Self::Instance => 1,
            Self::Storage => 1 << 1,
            Self::Option => 1 << 2,
        }
    }
}

impl FamilySet {
    /// How many sets of families there are, the empty one included.
    pub(crate) const SUBSETS: usize = 1 << PlanFamily::COUNT;
    /// Every family there is.
    pub(crate) const ALL: Self =
        Self::of(PlanFamily::Instance).with(PlanFamily::Storage).with(PlanFamily::Option);

    /// The set of one family.
    #[must_use]
    pub const fn of(family: PlanFamily) -> Self {
        Self(family.bit())
    }

    /// The set with one more family.
    #[must_use]
    pub const fn with(self, family: PlanFamily) -> Self {
        Self(self.0 | family.bit())
    }

    /// Whether `family` is in the set.
    #[must_use]
    pub const fn contains(self, family: PlanFamily) -> bool {
        self.0 & family.bit() != 0
    }

    /// The families of the set, in the order of [`PlanFamily::ALL`].
    pub fn families(self) -> impl Iterator<Item = PlanFamily> {
        PlanFamily::ALL.into_iter().filter(move |family| self.contains(*family))
    }

    /// Whether every family of this set is in the subset of that number, below [`Self::SUBSETS`].
    pub(crate) fn is_within(self, subset: usize) -> bool {
        usize::from(self.0) & !subset == 0
    }
}

impl Restriction {
    /// A restriction to these families; to none is no restriction that a lot can have, so the first
    /// is named apart.
    #[must_use]
    pub fn only(first: PlanFamily, others: &[PlanFamily]) -> Self {
        Self::Only(others.iter().fold(FamilySet::of(first), |set, family| set.with(*family)))
    }

    /// Whether a lot so restricted may pay for a line of `family`.
    #[must_use]
    pub const fn allows(self, family: PlanFamily) -> bool {
        match self {
            Self::Unrestricted => true,
            Self::Only(set) => set.contains(family),
        }
    }

    /// The canonical text: `INSTANCE,STORAGE` in the order of [`PlanFamily::ALL`], and the empty text
    /// for [`Restriction::Unrestricted`].
    #[must_use]
    pub fn as_text(self) -> String {
        match self {
            Self::Unrestricted => String::new(),
            Self::Only(set) => set.families().map(PlanFamily::as_str).collect::<Vec<_>>().join(","),
        }
    }

    /// Reads the canonical text and no other: order and spelling are those of [`Self::as_text`].
    ///
    /// # Errors
    /// [`UnknownName`] for unknown, repeated or unordered families.
    pub fn parse(text: &str) -> Result<Self, UnknownName> {
        if text.is_empty() {
            return Ok(Self::Unrestricted);
        }
        let families = text.split(',').map(PlanFamily::parse).collect::<Result<Vec<_>, _>>()?;
        let (first, others) = families.split_first().ok_or(UnknownName("restriction"))?;
        let read = Self::only(*first, others);
        if read.as_text() == text { Ok(read) } else { Err(UnknownName("restriction")) }
    }

    /// The families that may be paid for.
    pub(crate) const fn families(self) -> FamilySet {
        match self {
            Self::Unrestricted => FamilySet::ALL,
            Self::Only(set) => set,
        }
    }
}

impl fmt::Display for PlanFamily {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for FamilySet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.families()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restriction_has_one_text() {
        use PlanFamily::{Instance, Option, Storage};
        assert_eq!(Restriction::Unrestricted.as_text(), "");
        assert_eq!(Restriction::only(Storage, &[Instance, Storage]).as_text(), "INSTANCE,STORAGE");
        for text in ["", "OPTION", "INSTANCE,OPTION", "INSTANCE,STORAGE,OPTION"] {
            assert_eq!(Restriction::parse(text).map(Restriction::as_text).as_deref(), Ok(text));
        }
        assert!(Restriction::parse("OPTION").is_ok_and(|option| option == Restriction::only(Option, &[])));
        for text in [",", "instance", "STORAGE,INSTANCE", "OPTION,OPTION", "OPTION,", " OPTION", "DISK"] {
            assert!(Restriction::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_restricted_lot_pays_only_for_its_families() {
        let storage = Restriction::only(PlanFamily::Storage, &[]);
        assert!(storage.allows(PlanFamily::Storage) && !storage.allows(PlanFamily::Instance));
        assert!(PlanFamily::ALL.into_iter().all(|family| Restriction::Unrestricted.allows(family)));
    }

    #[test]
    fn naming_every_family_is_still_a_restriction() {
        assert_ne!(Restriction::parse("INSTANCE,STORAGE,OPTION"), Ok(Restriction::Unrestricted));
    }

    #[test]
    fn the_set_of_all_families_has_each_of_them() {
        assert!(FamilySet::ALL.families().eq(PlanFamily::ALL));
        assert!(FamilySet::ALL.is_within(FamilySet::SUBSETS - 1));
        assert!((0..FamilySet::SUBSETS - 1).all(|subset| !FamilySet::ALL.is_within(subset)));
    }
}
