//! May this account create a project now, and with what funding (R4.1, R4.2)?
//!
//! Owns: the conditions, their order, and who needs to fund.
//! Always holds: every unmet condition is named at once; only an account of which no project has ever
//! become ACTIVE is asked for funding.
//! Refuses to know: where the facts come from.

use florin_account::AccountState;
use florin_payment::PaymentMethodId;
use florin_settlement::Money;

/// What is known of an account that wants a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The account's state.
    pub account_state: AccountState,
    /// Names of the terms documents to be accepted first.
    pub unaccepted_terms: Vec<String>,
    /// Whether a debt is unpaid.
    pub has_debt: bool,
    /// Projects that take a place, pending ones included.
    pub live_projects: u32,
    /// How many there may be.
    pub project_limit: u32,
    /// Whether one of its projects has ever become ACTIVE.
    pub is_funded: bool,
    /// Whether it has a LaunchPad grant that is alive.
    pub has_launchpad: bool,
    /// A VALID payment method, the default one if there is one.
    pub valid_method: Option<PaymentMethodId>,
}

/// Something that keeps an account from creating a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnmetCondition {
    /// The account is not ACTIVE.
    AccountNotActive(AccountState),
    /// These documents are to be accepted.
    TermsNotAccepted(Vec<String>),
    /// A debt is unpaid.
    DebtUnpaid,
    /// There are as many projects as there may be.
    ProjectLimitReached(u32),
    /// The first project needs a funding, and none was given.
    FundingRequired,
}

impl UnmetCondition {
    /// What is wrong, for people.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::AccountNotActive(state) => format!("the account is {}, not ACTIVE", state.as_str()),
            Self::TermsNotAccepted(documents) => format!("not accepted yet: {}", documents.join(", ")),
            Self::DebtUnpaid => "the account has an unpaid debt".to_owned(),
            Self::ProjectLimitReached(limit) => {
                format!("the account has all the {limit} projects it may have")
            }
            Self::FundingRequired => "the first project needs a funding".to_owned(),
        }
    }

    /// What to do about it, for people.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::AccountNotActive(AccountState::Pending) => {
                "confirm the account with the code that was mailed"
            }
            Self::AccountNotActive(AccountState::Active | AccountState::Suspended) => "contact support",
            Self::AccountNotActive(AccountState::Closed) => {
                "create another account; a closed one stays closed"
            }
            Self::TermsNotAccepted(_) => "read and accept the documents",
            Self::DebtUnpaid => "pay the debt",
            Self::ProjectLimitReached(_) => "give up or delete a project, or ask support for a higher limit",
            Self::FundingRequired => {
                "give a payment method, buy initial cloud credit, or enter a voucher code"
            }
        }
    }
}

/// What a customer offers to fund a project with: exactly one of these (R4.2).
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// This payment method, VALID or VALIDATING.
    PaymentMethod(PaymentMethodId),
    /// Buying initial credit: so much net, or the least there is.
    InitialCredit(Option<Money>),
    /// A voucher code.
    Voucher(String),
}

// A voucher code is as good as money: it stays out of logs.
impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PaymentMethod(method) => f.debug_tuple("PaymentMethod").field(method).finish(),
            Self::InitialCredit(net) => f.debug_tuple("InitialCredit").field(net).finish(),
            Self::Voucher(_) => f.write_str("Voucher(…)"),
        }
    }
}

/// What a project is to be funded with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FundingDecision {
    /// Nothing: the account was funded before.
    NotAsked,
    /// What the account has already: a VALID payment method.
    MethodAtHand(PaymentMethodId),
    /// What the account has already: a LaunchPad grant.
    LaunchPadAtHand,
    /// What the customer offers.
    Offered(Offer),
}

/// Why no project can be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ineligible {
    /// These conditions first; never empty.
    Unmet(Vec<UnmetCondition>),
    /// A funding was offered, and only the first project asks for one.
    FundingNotAsked,
}

impl Standing {
    /// Every condition that is unmet whatever the funding, in the order of the error reasons (R4.1).
    #[must_use]
    pub(crate) fn unmet(&self) -> Vec<UnmetCondition> {
        let mut unmet = Vec::new();
        if self.account_state != AccountState::Active {
            unmet.push(UnmetCondition::AccountNotActive(self.account_state));
        }
        if !self.unaccepted_terms.is_empty() {
            unmet.push(UnmetCondition::TermsNotAccepted(self.unaccepted_terms.clone()));
        }
        if self.has_debt {
            unmet.push(UnmetCondition::DebtUnpaid);
        }
        if self.live_projects >= self.project_limit {
            unmet.push(UnmetCondition::ProjectLimitReached(self.project_limit));
        }
        unmet
    }

    /// Whether a project needs a funding to be offered: nothing the account has counts as one (R4.2).
    #[must_use]
    pub(crate) fn is_funding_required(&self) -> bool {
        !self.is_funded && self.valid_method.is_none() && !self.has_launchpad
    }

    /// What funds a project created now with this offer.
    ///
    /// # Errors
    /// [`Ineligible`]: everything in the way.
    pub(crate) fn decide(&self, offer: Option<Offer>) -> Result<FundingDecision, Ineligible> {
        let mut unmet = self.unmet();
        if offer.is_none() && self.is_funding_required() {
            unmet.push(UnmetCondition::FundingRequired);
        }
        if !unmet.is_empty() {
            return Err(Ineligible::Unmet(unmet));
        }
        match (offer, self.is_funded, self.valid_method) {
            (Some(_), true, _) => Err(Ineligible::FundingNotAsked),
            (None, true, _) => Ok(FundingDecision::NotAsked),
            (Some(offer), false, _) => Ok(FundingDecision::Offered(offer)),
            (None, false, Some(method)) => Ok(FundingDecision::MethodAtHand(method)),
            (None, false, None) => Ok(FundingDecision::LaunchPadAtHand),
        }
    }
}

#[cfg(test)]
mod tests {
    use florin_settlement::Instant;

    use super::*;

    fn standing() -> Standing {
        Standing {
            account_state: AccountState::Active,
            unaccepted_terms: Vec::new(),
            has_debt: false,
            live_projects: 0,
            project_limit: 3,
            is_funded: false,
            has_launchpad: false,
            valid_method: None,
        }
    }

    fn method() -> PaymentMethodId {
        PaymentMethodId::generate(Instant::MIN)
    }

    #[test]
    fn every_unmet_condition_is_named_at_once_and_in_order() {
        let worst = Standing {
            account_state: AccountState::Suspended,
            unaccepted_terms: vec!["issuers/fr/terms/2".to_owned()],
            has_debt: true,
            live_projects: 3,
            ..standing()
        };
        let expected = vec![
            UnmetCondition::AccountNotActive(AccountState::Suspended),
            UnmetCondition::TermsNotAccepted(vec!["issuers/fr/terms/2".to_owned()]),
            UnmetCondition::DebtUnpaid,
            UnmetCondition::ProjectLimitReached(3),
            UnmetCondition::FundingRequired,
        ];
        assert_eq!(worst.decide(None), Err(Ineligible::Unmet(expected)));
    }

    #[test]
    fn only_the_first_project_asks_for_funding() {
        let funded = Standing { is_funded: true, ..standing() };
        assert_eq!(funded.decide(None), Ok(FundingDecision::NotAsked));
        let offer = Some(Offer::Voucher("CODE".to_owned()));
        assert_eq!(funded.decide(offer), Err(Ineligible::FundingNotAsked));
        assert_eq!(standing().decide(None), Err(Ineligible::Unmet(vec![UnmetCondition::FundingRequired])));
    }

    #[test]
    fn a_valid_method_or_a_launchpad_grant_counts_as_funding() {
        let valid = method();
        let with_method = Standing { valid_method: Some(valid), has_launchpad: true, ..standing() };
        assert_eq!(with_method.decide(None), Ok(FundingDecision::MethodAtHand(valid)));
        let with_grant = Standing { has_launchpad: true, ..standing() };
        assert_eq!(with_grant.decide(None), Ok(FundingDecision::LaunchPadAtHand));
        assert!(!with_grant.is_funding_required());
    }

    #[test]
    fn an_offer_for_the_first_project_is_taken_even_when_a_method_is_at_hand() {
        let with_method = Standing { valid_method: Some(method()), ..standing() };
        let offer = Offer::InitialCredit(None);
        assert_eq!(with_method.decide(Some(offer.clone())), Ok(FundingDecision::Offered(offer)));
    }

    #[test]
    fn a_voucher_code_is_not_printed() {
        assert_eq!(format!("{:?}", Offer::Voucher("SECRET".to_owned())), "Voucher(…)");
    }
}
