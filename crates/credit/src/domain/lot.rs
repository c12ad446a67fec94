//! The credit lot: what was issued, to whom, until when, and what became of it (R6.1, R6.8).
//!
//! Always holds: a lot's value only falls. There is no function here, or anywhere, that raises it or
//! moves it to another lot (R6.2).

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::{
    AccountRef, Instant, Lot, LotError, LotId, LotKind, LotOwner, LotParts, Money, MoneyError, ProjectRef,
    Restriction,
};

use super::{
    grant::GrantId, movement::MovementKind, order::OrderId, project_ref::ProjectId, redemption::RedemptionId,
};

/// Marks ids of credit lots.
#[derive(Debug)]
pub enum CreditKind {}
impl Kind for CreditKind {
    const PREFIX: &'static str = "cred";
}
/// The id of a credit lot.
pub type CreditId = Id<CreditKind>;

/// The number settlement knows the lot by.
#[must_use]
pub const fn settlement_id(id: CreditId) -> LotId {
    LotId::from_u128(id.as_u128())
}

/// The lot settlement speaks of.
#[must_use]
pub const fn credit_id(id: LotId) -> CreditId {
    CreditId::from_u128(id.as_u128())
}

/// Where a lot came from. One source issues one lot: the database keeps it unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A paid credit order (R6.4).
    CreditOrder(OrderId),
    /// A redeemed voucher code (R6.6).
    VoucherCode {
        /// The redemption.
        redemption: RedemptionId,
        /// The code as the customer may see it again.
        masked: String,
    },
    /// An operator's grant (R6.7).
    Grant(GrantId),
    /// What was earned by paying an invoice in money (R6.7).
    Earning {
        /// The invoice's resource name.
        invoice: String,
        /// From 1; an invoice that is paid again after a bounce earns again.
        turn: u32,
    },
    /// What was taken from another lot and came back: as a new lot, because a lot's value only falls.
    Returned(Returned),
}

/// Why value came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnCause {
    /// A credit note gives back what the source had paid (R7.9).
    CreditNote,
    /// A won dispute replaces what it had revoked (R6.11).
    DisputeWon,
}

/// Where value came back from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The lot it had been taken from.
    pub source: CreditId,
    /// The first lot of the chain: the one that was bought, redeemed, granted or earned.
    pub root: CreditId,
    /// Why.
    pub cause: ReturnCause,
    /// The document that gives it back, as a resource name.
    pub document: String,
}

/// A lot to issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLot {
    /// The account it is for.
    pub account: AccountId,
    /// The project, for VOUCHER and CLOUD_CREDIT.
    pub project: Option<ProjectId>,
    /// Its kind.
    pub kind: LotKind,
    /// What it begins with.
    pub amount: Money,
    /// From when on it pays.
    pub issued: Instant,
    /// From when on it does not; `None` for never.
    pub expires: Option<Instant>,
    /// What it may pay for.
    pub restriction: Restriction,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is, for the customer.
    pub description: String,
}

/// A credit lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditLot {
    /// Its id.
    pub id: CreditId,
    /// The account it belongs to, itself or through its project, for life.
    pub account: AccountId,
    /// The project it belongs to for life; `None` for lots of the whole account.
    pub project: Option<ProjectId>,
    /// VOUCHER, CLOUD_CREDIT, LAUNCHPAD or LOYALTY.
    pub kind: LotKind,
    /// What it began with.
    pub initial: Money,
    /// What no movement has taken yet.
    pub remaining: Money,
    /// From when on it pays.
    pub issued: Instant,
    /// From when on it does not; `None` for never.
    pub expires: Option<Instant>,
    /// What it may pay for.
    pub restriction: Restriction,
    /// Where it came from.
    pub origin: Origin,
    /// What it is, for the customer.
    pub description: String,
}

impl CreditLot {
    /// The lot `new` becomes, whole.
    ///
    /// # Errors
    /// [`LotError`] when kind, owner and amount contradict R6.1.
    pub fn issue(id: CreditId, new: NewLot) -> Result<Self, LotError> {
        let lot = Self {
            id,
            account: new.account,
            project: new.project,
            kind: new.kind,
            initial: new.amount,
            remaining: new.amount,
            issued: new.issued,
            expires: new.expires,
            restriction: new.restriction,
            origin: new.origin,
            description: new.description,
        };
        lot.for_settlement().map(|_| lot)
    }

    /// The lot as the debit order sees it.
    ///
    /// # Errors
    /// [`LotError`] when the parts contradict R6.1: a corrupt row.
    pub fn for_settlement(&self) -> Result<Lot, LotError> {
        Lot::try_new(LotParts {
            id: settlement_id(self.id),
            kind: self.kind,
            owner: match self.project {
                Some(project) => LotOwner::Project(ProjectRef::from_u128(project.as_u128())),
                None => LotOwner::Account(AccountRef::from_u128(self.account.as_u128())),
            },
            initial: self.initial,
            remaining: self.remaining,
            issued: self.issued,
            expires: self.expires,
            restriction: self.restriction,
        })
    }

    /// The first lot of the chain this one belongs to: itself, unless it gives value back.
    #[must_use]
    pub(crate) fn root(&self) -> CreditId {
        match &self.origin {
            Origin::Returned(returned) => returned.root,
            Origin::CreditOrder(_)
            | Origin::VoucherCode { .. }
            | Origin::Grant(_)
            | Origin::Earning { .. } => self.id,
        }
    }

    /// Whether its time is over at `at`: by comparing instants, never by what a job has done (R6.8).
    #[must_use]
    pub fn is_expired_at(&self, at: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= at)
    }
}

/// What can become of a lot now (R6.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LotState {
    /// Can pay.
    Active,
    /// Nothing remains: it has paid.
    Used,
    /// Its time is over.
    Expired,
    /// Its project is deleted, or its account closed.
    Forfeited,
    /// What remained was taken back.
    Revoked,
}

/// A lot and what its movements add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LotStanding {
    /// The lot.
    pub lot: CreditLot,
    /// Σ DEBITED.
    pub used: Money,
    /// Σ EXPIRED and FORFEITED as recorded.
    pub lapsed: Money,
    /// Σ DISPUTED and CLAWBACK.
    pub revoked: Money,
    /// The kind of the newest movement.
    pub last: MovementKind,
}

impl LotStanding {
    /// The state at `at`. An expired lot whose lapse is not recorded yet is expired all the same.
    #[must_use]
    pub(crate) fn state_at(&self, at: Instant) -> LotState {
        if self.lot.remaining.is_positive() {
            return if self.lot.is_expired_at(at) { LotState::Expired } else { LotState::Active };
        }
        match self.last {
            MovementKind::Issued | MovementKind::Debited => LotState::Used,
            MovementKind::Expired => LotState::Expired,
            MovementKind::Forfeited => LotState::Forfeited,
            MovementKind::Disputed | MovementKind::Clawback => LotState::Revoked,
        }
    }

    /// What it can still pay, and what has lapsed, as of `at`.
    ///
    /// # Errors
    /// [`MoneyError`] when the amounts cannot be summed: a corrupt row.
    pub(crate) fn remaining_and_lapsed_at(&self, at: Instant) -> Result<(Money, Money), MoneyError> {
        if self.lot.is_expired_at(at) {
            let lapsed = self.lapsed.checked_add(self.lot.remaining)?;
            Ok((Money::zero(self.lot.initial.currency()), lapsed))
        } else {
            Ok((self.lot.remaining, self.lapsed))
        }
    }
}

#[cfg(test)]
mod tests {
    use florin_settlement::Currency;

    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    fn standing(remaining: i64, last: MovementKind) -> LotStanding {
        let eur = |minor| Money::new(minor, Currency::EUR);
        let new = NewLot {
            account: AccountId::from_u128(1),
            project: Some(ProjectId::from_u128(2)),
            kind: LotKind::CloudCredit,
            amount: eur(3000),
            issued: at("2027-01-31T00:00:00Z"),
            expires: Some(at("2028-02-29T00:00:00Z")),
            restriction: Restriction::Unrestricted,
            origin: Origin::CreditOrder(OrderId::from_u128(3)),
            description: "Cloud credit".to_owned(),
        };
        let lot = CreditLot::issue(CreditId::from_u128(4), new).expect("a lot");
        LotStanding {
            lot: CreditLot { remaining: eur(remaining), ..lot },
            used: eur(3000 - remaining),
            lapsed: eur(0),
            revoked: eur(0),
            last,
        }
    }

    #[test]
    fn a_lot_is_expired_at_the_very_instant_whether_or_not_its_lapse_is_recorded() {
        let standing = standing(1000, MovementKind::Debited);
        assert_eq!(standing.state_at(at("2028-02-28T23:59:59.999999Z")), LotState::Active);
        assert_eq!(standing.state_at(at("2028-02-29T00:00:00Z")), LotState::Expired);
        let (remaining, lapsed) = standing.remaining_and_lapsed_at(at("2028-02-29T00:00:00Z")).expect("sums");
        assert_eq!((remaining.minor(), lapsed.minor()), (0, 1000));
    }

    #[test]
    fn an_empty_lot_is_named_by_what_emptied_it() {
        let now = at("2027-06-01T00:00:00Z");
        for (last, state) in [
            (MovementKind::Debited, LotState::Used),
            (MovementKind::Expired, LotState::Expired),
            (MovementKind::Forfeited, LotState::Forfeited),
            (MovementKind::Disputed, LotState::Revoked),
            (MovementKind::Clawback, LotState::Revoked),
        ] {
            assert_eq!(standing(0, last).state_at(now), state);
        }
    }

    #[test]
    fn bought_credit_without_a_project_is_no_lot() {
        let CreditLot { account, kind, initial, issued, expires, restriction, origin, description, .. } =
            standing(3000, MovementKind::Issued).lot;
        let new = NewLot {
            account,
            project: None,
            kind,
            amount: initial,
            issued,
            expires,
            restriction,
            origin,
            description,
        };
        assert!(CreditLot::issue(CreditId::from_u128(5), new).is_err());
    }
}
