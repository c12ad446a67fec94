//! The tariff: the catalogue as one account sees it (R5.1).
//!
//! Owns: which price is in force for an account when: the list price, or the one negotiated with it.
//! Always holds: at every instant at most one price of a plan is in force; a price that was in force is in
//! force for that instant for ever, because prices only begin and end in the future.
//! Refuses to know: who uses the plan, and what tax comes on top.
//!
//! A negotiated price begins at an instant and may end at one. The latest one that has begun counts, whether
//! it is below the list price or above it; where it has ended, the list price counts again, never an earlier
//! negotiated one.

use std::collections::BTreeMap;

use florin_settlement::{Currency, Instant, UnitPrice};

use super::{
    plan::{PlanCode, PricedPlan},
    rating::RatingError,
};

/// A price negotiated with one account, instead of the list price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnPrice {
    /// The price of one unit, net.
    pub price: UnitPrice,
    /// The price of a month it was derived from, if it was (R1.4).
    pub monthly: Option<UnitPrice>,
    /// From when on it rates usage: a full hour.
    pub effective: Instant,
    /// Until when, a full hour; none as long as nothing supersedes it.
    pub ends: Option<Instant>,
}

/// What was negotiated with one account, by plan and effective instant.
pub(crate) type OwnPrices = BTreeMap<PlanCode, Vec<OwnPrice>>;

/// Priced plans by code, in the currency of an account, with what was negotiated with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tariff<'catalogue> {
    currency: Currency,
    plans: &'catalogue BTreeMap<PlanCode, PricedPlan>,
    own: Option<&'catalogue OwnPrices>,
}

/// A price in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    /// The price of one unit.
    pub price: UnitPrice,
    /// Which version it is.
    pub version: Version,
}

/// Which version of a price: no two of one plan and account are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    /// When it began.
    pub effective: Instant,
    /// Whether it was negotiated with the account.
    pub negotiated: bool,
}

impl<'catalogue> Tariff<'catalogue> {
    /// The list prices in `currency`.
    #[must_use]
    pub(crate) const fn new(currency: Currency, plans: &'catalogue BTreeMap<PlanCode, PricedPlan>) -> Self {
        Self { currency, plans, own: None }
    }

    /// With what was negotiated with the account, each plan's by effective instant.
    #[must_use]
    pub(crate) const fn with_own(self, own: &'catalogue OwnPrices) -> Self {
        Self { own: Some(own), ..self }
    }

    /// The currency of its prices.
    #[must_use]
    pub(crate) const fn currency(&self) -> Currency {
        self.currency
    }

    /// The plan.
    ///
    /// # Errors
    /// [`RatingError::UnknownPlan`].
    pub(crate) fn plan(&self, code: &PlanCode) -> Result<&'catalogue PricedPlan, RatingError> {
        self.plans.get(code).ok_or_else(|| RatingError::UnknownPlan(code.clone()))
    }

    /// The price of one unit of the plan in force at `at`.
    ///
    /// # Errors
    /// [`RatingError`]: no such plan, or no price in the currency then.
    pub(crate) fn price(&self, code: &PlanCode, at: Instant) -> Result<Priced, RatingError> {
        let listed = self.plan(code)?;
        if let Some(own) = own_at(self.own_of(code), at) {
            let version = Version { effective: own.effective, negotiated: true };
            return Ok(Priced { price: own.price, version });
        }
        let listed = listed.version_at(self.currency, at).ok_or_else(|| RatingError::Unpriced {
            plan: code.clone(),
            currency: self.currency,
            at,
        })?;
        let version = Version { effective: listed.effective, negotiated: false };
        Ok(Priced { price: listed.price, version })
    }

    /// Every instant at which the price of the plan may change.
    ///
    /// # Errors
    /// [`RatingError::UnknownPlan`].
    pub(crate) fn changes(&self, code: &PlanCode) -> Result<impl Iterator<Item = Instant>, RatingError> {
        let listed = self.plan(code)?.versions_in(self.currency).iter().map(|version| version.effective);
        let own = self.own_of(code).iter().flat_map(|own| [Some(own.effective), own.ends]).flatten();
        Ok(listed.chain(own))
    }

    fn own_of(&self, code: &PlanCode) -> &'catalogue [OwnPrice] {
        self.own.and_then(|own| own.get(code)).map_or(&[], Vec::as_slice)
    }
}

/// The negotiated price in force at `at` among `own`, which are in the order of their effective instants.
pub(crate) fn own_at(own: &[OwnPrice], at: Instant) -> Option<OwnPrice> {
    let begun = own.iter().rev().find(|own| own.effective <= at).copied();
    begun.filter(|own| own.ends.is_none_or(|ends| at < ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(&format!("{text}T00:00:00Z")).expect("an instant")
    }

    fn own(price: &str, from: &str, to: Option<&str>) -> OwnPrice {
        let price = UnitPrice::parse(price, Currency::EUR).expect("a price");
        OwnPrice { price, monthly: None, effective: at(from), ends: to.map(at) }
    }

    #[test]
    fn the_latest_negotiated_price_counts_until_it_ends_and_then_the_list_does() {
        let own = [
            own("1", "2027-01-01", None),
            own("2", "2027-02-01", Some("2027-03-01")),
            own("3", "2027-04-01", None),
        ];
        let price = |day| own_at(&own, at(day)).map(|own| own.price.amount().to_string());
        assert_eq!(price("2026-12-31"), None);
        assert_eq!(price("2027-01-31").as_deref(), Some("1"));
        assert_eq!(price("2027-02-28").as_deref(), Some("2"));
        assert_eq!(price("2027-03-01"), None, "never an earlier negotiated one");
        assert_eq!(price("2027-04-01").as_deref(), Some("3"));
    }
}
