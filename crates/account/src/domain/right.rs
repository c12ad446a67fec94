//! Rights: what one account lets another do with a named resource of its own (R4.5).
//!
//! Owns: who may hand out which right, and who may take it back.
//! Always holds: the owning account needs no right and can lose none; an ADMIN makes and unmakes no OWNER;
//! everybody may give up what they hold. A right moves nothing from one account to another.
//! Refuses to know: what the resource is.

use florin_platform::{
    call::Right,
    id::{AccountId, Id, Kind},
};
use florin_settlement::Instant;

/// Marks ids of rights.
#[derive(Debug)]
pub enum RightKind {}
impl Kind for RightKind {
    const PREFIX: &'static str = "right";
}
/// The id of a granted right.
pub type RightId = Id<RightKind>;

/// A right one account has given another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose resource.
    pub account: AccountId,
    /// The grant's id.
    pub id: RightId,
    /// The resource's name.
    pub resource: String,
    /// Who holds the right.
    pub grantee: AccountId,
    /// What it is.
    pub right: Right,
    /// Since when.
    pub granted: Instant,
    /// Until when, once it is revoked.
    pub revoked: Option<Instant>,
}

/// As what a caller reaches a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As the account that owns it.
    Itself,
    /// As a service, for one of its roles.
    Service,
    /// As the guest of this account, with these rights, one of which lets the call in.
    Guest(AccountId, Vec<Right>),
}

impl Reach {
    /// Whether the caller is another account.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        matches!(self, Self::Guest(_, _))
    }

    /// Whether the caller may give `right` to somebody.
    #[must_use]
    pub fn may_grant(&self, right: Right) -> bool {
        match self {
            Self::Itself | Self::Service => true,
            Self::Guest(_, held) => {
                held.contains(&Right::Owner) || held.contains(&Right::Admin) && right != Right::Owner
            }
        }
    }

    /// Whether the caller may take `grant` back: whoever may give it, and its holder.
    #[must_use]
    pub fn may_revoke(&self, grant: &Grant) -> bool {
        let own = matches!(self, Self::Guest(guest, _) if *guest == grant.grantee);
        own || self.may_grant(grant.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(held: &[Right]) -> Reach {
        Reach::Guest(AccountId::from_u128(7), held.to_vec())
    }

    #[test]
    fn an_admin_makes_and_unmakes_no_owner_and_others_hand_out_nothing() {
        for right in Right::ALL {
            assert!(Reach::Itself.may_grant(right) && Reach::Service.may_grant(right));
            assert!(guest(&[Right::Owner]).may_grant(right));
            assert_eq!(guest(&[Right::Admin]).may_grant(right), right != Right::Owner);
            let others = [Right::Billing, Right::Technical, Right::ReadOnly];
            assert!(!guest(&others).may_grant(right), "{right:?}");
        }
    }

    #[test]
    fn everybody_may_give_up_what_they_hold() {
        let of = |grantee| Grant {
            account: AccountId::from_u128(1),
            id: RightId::from_u128(2),
            resource: "accounts/1/things/3".to_owned(),
            grantee: AccountId::from_u128(grantee),
            right: Right::ReadOnly,
            granted: Instant::MIN,
            revoked: None,
        };
        assert!(guest(&[Right::ReadOnly]).may_revoke(&of(7)));
        assert!(!guest(&[Right::ReadOnly]).may_revoke(&of(8)));
        assert!(guest(&[Right::Admin]).may_revoke(&of(8)));
    }
}
