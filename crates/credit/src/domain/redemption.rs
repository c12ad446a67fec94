//! May this account redeem this code now (R6.6)? Pure: everything that matters is given.

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::{Currency, Instant, Money};

use super::{
    campaign::{Audience, Campaign, CampaignId, CodeStyle},
    code::StoredCode,
    lot::CreditId,
    project_ref::ProjectId,
};

/// Marks ids of redemptions.
#[derive(Debug)]
pub enum RedemptionKind {}
impl Kind for RedemptionKind {
    const PREFIX: &'static str = "redeem";
}
/// The id of a redemption.
pub(crate) type RedemptionId = Id<RedemptionKind>;

/// What the caller knows about where the code is to be redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whether the project is the account's first.
    pub first_project: bool,
    /// Whether the account has a VALID payment method.
    pub has_method: bool,
}

/// Who wants to redeem, and what they redeemed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redeemer {
    /// The account.
    pub account: AccountId,
    /// Its country, ISO 3166 alpha-2.
    pub country: String,
    /// Its currency.
    pub currency: Currency,
    /// Whether it has paid nothing yet.
    pub is_new: bool,
    /// Where it wants to redeem.
    pub context: Context,
    /// How often it redeemed codes of the campaign.
    pub redeemed: u32,
    /// Whether it redeemed a code of another campaign of the same exclusion group.
    pub redeemed_of_group: bool,
}

/// Why a code gives nothing: each with its own reason (R6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoucherRefusal {
    /// No such code. The only refusal that counts as a wrong try.
    #[error("there is no such voucher code")]
    Unknown,
    /// The campaign was disabled.
    #[error("the code's campaign was disabled")]
    Disabled,
    /// Too early.
    #[error("the code can be redeemed from {0} on")]
    NotYetValid(Instant),
    /// Too late.
    #[error("the time to redeem the code is over")]
    Expired,
    /// The single-use code has been redeemed.
    #[error("the code has been redeemed")]
    AlreadyUsed,
    /// The campaign's limit is reached, or its budget is spent.
    #[error("the campaign's codes have been redeemed as often as they may")]
    UseLimitReached,
    /// This account's limit is reached.
    #[error("this account has redeemed codes of the campaign as often as it may")]
    AccountLimitReached,
    /// Not for this country.
    #[error("the code is not for customers of this country")]
    Country,
    /// For another account.
    #[error("the code is reserved for another account")]
    Reserved,
    /// For accounts that have paid nothing yet.
    #[error("the code is for new customers only")]
    NewCustomersOnly,
    /// For first projects.
    #[error("the code is for an account's first project only")]
    FirstProjectOnly,
    /// A code redeemed earlier excludes it.
    #[error("a code redeemed earlier excludes this one")]
    Incompatible,
    /// A VALID payment method is needed.
    #[error("the code needs a valid payment method first")]
    NeedsPaymentMethod,
    /// The campaign gives nothing in the account's currency.
    #[error("the campaign gives nothing in {0}")]
    WrongCurrency(Currency),
}

/// What the code gives, or the first reason why not, in the order of R6.6. What two redeemers at once
/// may both still find true (the last use, the last of the budget) is decided again by the database.
///
/// # Errors
/// [`VoucherRefusal`].
pub(crate) fn judge(
    campaign: &Campaign,
    code: &StoredCode,
    redeemer: &Redeemer,
    at: Instant,
) -> Result<Money, VoucherRefusal> {
    let terms = &campaign.terms;
    if campaign.disabled.is_some() {
        return Err(VoucherRefusal::Disabled);
    }
    if at < terms.redeem_from {
        return Err(VoucherRefusal::NotYetValid(terms.redeem_from));
    }
    if terms.redeem_until <= at {
        return Err(VoucherRefusal::Expired);
    }
    if code.use_limit.is_some_and(|limit| limit <= code.uses) {
        return Err(used_up(terms.code_style));
    }
    if terms.use_limit.is_some_and(|limit| limit <= campaign.use_count) {
        return Err(VoucherRefusal::UseLimitReached);
    }
    if terms.per_account_limit <= redeemer.redeemed {
        return Err(VoucherRefusal::AccountLimitReached);
    }
    if !terms.countries.is_empty() && !terms.countries.contains(&redeemer.country) {
        return Err(VoucherRefusal::Country);
    }
    match terms.audience {
        Audience::Account(account) if account != redeemer.account => return Err(VoucherRefusal::Reserved),
        Audience::NewCustomers if !redeemer.is_new => return Err(VoucherRefusal::NewCustomersOnly),
        Audience::FirstProject if !redeemer.context.first_project => {
            return Err(VoucherRefusal::FirstProjectOnly);
        }
        Audience::Account(_) | Audience::NewCustomers | Audience::FirstProject | Audience::Anyone => {}
    }
    if redeemer.redeemed_of_group {
        return Err(VoucherRefusal::Incompatible);
    }
    if terms.method_required && !redeemer.context.has_method {
        return Err(VoucherRefusal::NeedsPaymentMethod);
    }
    let offer = campaign.offer(redeemer.currency).ok_or(VoucherRefusal::WrongCurrency(redeemer.currency))?;
    Ok(offer.amount)
}

/// What it means that a code has no use left.
#[must_use]
pub(crate) fn used_up(style: CodeStyle) -> VoucherRefusal {
    match style {
        CodeStyle::SingleUse => VoucherRefusal::AlreadyUsed,
        CodeStyle::Shared => VoucherRefusal::UseLimitReached,
    }
}

/// The record of a redeemed code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redemption {
    /// Its id.
    pub id: RedemptionId,
    /// Who redeemed.
    pub account: AccountId,
    /// In which project.
    pub project: ProjectId,
    /// A code of which campaign.
    pub campaign: CampaignId,
    /// Which code.
    pub code_digest: Vec<u8>,
    /// The campaign's exclusion group.
    pub exclusion_group: Option<String>,
    /// What it gave.
    pub amount: Money,
    /// The lot it became.
    pub lot: CreditId,
    /// When.
    pub redeemed: Instant,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use florin_settlement::Restriction;

    use super::*;
    use crate::domain::campaign::{Lifetime, Offer, Terms};

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    fn campaign() -> Campaign {
        let eur = |minor| Money::new(minor, Currency::EUR);
        Campaign {
            id: CampaignId::from_u128(1),
            terms: Terms {
                display_name: "Summer".to_owned(),
                description: "Summer voucher".to_owned(),
                redeem_from: at("2027-06-01T00:00:00Z"),
                redeem_until: at("2027-09-01T00:00:00Z"),
                lifetime: Lifetime::Days(90),
                use_limit: Some(10),
                per_account_limit: 1,
                audience: Audience::Anyone,
                countries: BTreeSet::from(["FR".to_owned()]),
                exclusion_group: Some("welcome".to_owned()),
                restriction: Restriction::Unrestricted,
                method_required: true,
                code_style: CodeStyle::SingleUse,
            },
            offers: vec![Offer { amount: eur(1000), budget: eur(10_000), reserved: eur(0), granted: eur(0) }],
            code_count: 1,
            use_count: 0,
            disabled: None,
            version: 1,
            created: at("2027-05-01T00:00:00Z"),
        }
    }

    fn code() -> StoredCode {
        StoredCode { digest: vec![1], campaign: CampaignId::from_u128(1), uses: 0, use_limit: Some(1) }
    }

    fn redeemer() -> Redeemer {
        Redeemer {
            account: AccountId::from_u128(1),
            country: "FR".to_owned(),
            currency: Currency::EUR,
            is_new: true,
            context: Context { first_project: true, has_method: true },
            redeemed: 0,
            redeemed_of_group: false,
        }
    }

    fn refusal(campaign: Campaign, code: StoredCode, redeemer: Redeemer, now: &str) -> VoucherRefusal {
        judge(&campaign, &code, &redeemer, at(now)).expect_err("refused")
    }

    const NOW: &str = "2027-07-01T00:00:00Z";

    #[test]
    fn a_code_gives_the_campaigns_amount_in_the_accounts_currency() {
        let amount = judge(&campaign(), &code(), &redeemer(), at(NOW));
        assert_eq!(amount, Ok(Money::new(1000, Currency::EUR)));
    }

    #[test]
    fn the_window_contains_its_start_and_not_its_end() {
        let judged = |now| judge(&campaign(), &code(), &redeemer(), at(now)).err();
        assert_eq!(
            judged("2027-05-31T23:59:59.999999Z"),
            Some(VoucherRefusal::NotYetValid(at("2027-06-01T00:00:00Z")))
        );
        assert_eq!(judged("2027-06-01T00:00:00Z"), None);
        assert_eq!(judged("2027-08-31T23:59:59.999999Z"), None);
        assert_eq!(judged("2027-09-01T00:00:00Z"), Some(VoucherRefusal::Expired));
    }

    #[test]
    fn a_used_code_a_used_up_campaign_and_a_used_up_account_differ() {
        let used = StoredCode { uses: 1, ..code() };
        assert_eq!(refusal(campaign(), used.clone(), redeemer(), NOW), VoucherRefusal::AlreadyUsed);
        let mut shared = campaign();
        shared.terms.code_style = CodeStyle::Shared;
        assert_eq!(refusal(shared, used, redeemer(), NOW), VoucherRefusal::UseLimitReached);
        let disabled = Campaign { disabled: Some(at(NOW)), ..campaign() };
        assert_eq!(refusal(disabled, code(), redeemer(), NOW), VoucherRefusal::Disabled);
        let spent = Campaign { use_count: 10, ..campaign() };
        assert_eq!(refusal(spent, code(), redeemer(), NOW), VoucherRefusal::UseLimitReached);
        let again = Redeemer { redeemed: 1, ..redeemer() };
        assert_eq!(refusal(campaign(), code(), again, NOW), VoucherRefusal::AccountLimitReached);
    }

    #[test]
    fn every_condition_of_the_campaign_has_its_own_refusal() {
        let with = |change: fn(&mut Campaign, &mut Redeemer)| {
            let (mut campaign, mut redeemer) = (campaign(), redeemer());
            change(&mut campaign, &mut redeemer);
            refusal(campaign, code(), redeemer, NOW)
        };
        assert_eq!(with(|_, redeemer| redeemer.country = "BE".to_owned()), VoucherRefusal::Country);
        let reserved =
            with(|campaign, _| campaign.terms.audience = Audience::Account(AccountId::from_u128(9)));
        assert_eq!(reserved, VoucherRefusal::Reserved);
        let old_customer = with(|campaign, redeemer| {
            campaign.terms.audience = Audience::NewCustomers;
            redeemer.is_new = false;
        });
        assert_eq!(old_customer, VoucherRefusal::NewCustomersOnly);
        let second_project = with(|campaign, redeemer| {
            campaign.terms.audience = Audience::FirstProject;
            redeemer.context.first_project = false;
        });
        assert_eq!(second_project, VoucherRefusal::FirstProjectOnly);
        assert_eq!(with(|_, redeemer| redeemer.redeemed_of_group = true), VoucherRefusal::Incompatible);
        let without = with(|_, redeemer| redeemer.context.has_method = false);
        assert_eq!(without, VoucherRefusal::NeedsPaymentMethod);
        let foreign = with(|_, redeemer| redeemer.currency = Currency::USD);
        assert_eq!(foreign, VoucherRefusal::WrongCurrency(Currency::USD));
    }
}
