//! Quotas: how many resources of a plan family a project may hold at a time (R4.7).

use florin_settlement::{Instant, PlanFamily};

/// The largest limit an operator can set.
pub(crate) const QUOTA_MAX: u32 = 1_000_000;

/// What every project may hold where nothing else is configured.
#[must_use]
pub(crate) const fn fallback(family: PlanFamily) -> u32 {
    match family {
        PlanFamily::Instance => 100,
        PlanFamily::Storage | PlanFamily::Option => 500,
    }
}

/// What a project may hold of a family, and holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The family.
    pub family: PlanFamily,
    /// The most resources of it.
    pub limit: u32,
    /// How many there are.
    pub in_use: u32,
    /// What every project may hold.
    pub default_limit: u32,
    /// When an operator last set the limit of this project.
    pub set: Option<Instant>,
}

impl Quota {
    /// Whether one more fits.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.in_use < self.limit
    }
}

/// `{family}` in the name of a quota.
#[must_use]
pub(crate) fn quota_id(family: PlanFamily) -> String {
    family.as_str().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_fits_below_the_limit_only() {
        let quota = |limit, in_use| Quota {
            family: PlanFamily::Instance,
            limit,
            in_use,
            default_limit: fallback(PlanFamily::Instance),
            set: None,
        };
        assert!(quota(2, 1).has_room());
        assert!(!quota(2, 2).has_room());
        assert!(!quota(2, 3).has_room(), "a limit set below what is there lets nothing in");
        assert!(!quota(0, 0).has_room());
    }
}
