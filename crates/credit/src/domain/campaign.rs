//! Campaigns: what voucher codes give, to whom, and for how long (R6.5, R6.12).

use std::collections::BTreeSet;

use florin_platform::{
    id::{AccountId, Id, Kind},
    violation::Violations,
};
use florin_settlement::{Currency, Instant, Money, Restriction};

/// The longest display name and description, in characters.
pub(crate) const TEXT_CHARACTERS_MAX: usize = 255;
/// The longest exclusion group, in characters.
pub(crate) const GROUP_CHARACTERS_MAX: usize = 63;
/// The longest life of a lot counted in days.
pub(crate) const LIFETIME_DAYS_MAX: u32 = 3650;
/// The most codes one call generates.
pub(crate) const CODES_MAX: u32 = 100_000;
/// The most currencies a campaign can give.
pub(crate) const CURRENCIES_MAX: usize = 32;
/// A lot that lives so many days meets a monthly settlement, whatever the day it is issued: the longest
/// month, and a day for the issuer's billing delay.
const SETTLEMENT_DAYS: u32 = 32;

/// Marks ids of campaigns.
#[derive(Debug)]
pub enum CampaignKind {}
impl Kind for CampaignKind {
    const PREFIX: &'static str = "camp";
}
/// The id of a campaign.
pub type CampaignId = Id<CampaignKind>;

/// How long a lot lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// So many days after redemption.
    Days(u32),
    /// Until a fixed end.
    Until(Instant),
}

impl Lifetime {
    /// When a lot redeemed at `at` expires: computed once, here.
    #[must_use]
    pub(crate) fn expiry(self, at: Instant) -> Instant {
        match self {
            Self::Days(days) => at.plus_days(days),
            Self::Until(end) => end,
        }
    }
}

/// Who may redeem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Anyone.
    Anyone,
    /// Accounts that have paid nothing yet.
    NewCustomers,
    /// Accounts, in their first project.
    FirstProject,
    /// One account.
    Account(AccountId),
}

/// How codes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeStyle {
    /// Many codes, each redeemed once.
    SingleUse,
    /// One code, redeemed by many.
    Shared,
}

impl CodeStyle {
    /// The stored form.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SingleUse => "SINGLE_USE",
            Self::Shared => "SHARED",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::SingleUse, Self::Shared].into_iter().find(|style| style.as_str() == text)
    }
}

/// What a campaign gives in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// What one redemption gives.
    pub amount: Money,
    /// What the campaign may grant in all (R6.12).
    pub budget: Money,
    /// What generated, unused codes may still grant.
    pub reserved: Money,
    /// What was granted.
    pub granted: Money,
}

/// The terms of a campaign: fixed when it is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// What operators call it.
    pub display_name: String,
    /// What customers read on the lot.
    pub description: String,
    /// From when on codes can be redeemed.
    pub redeem_from: Instant,
    /// From when on they cannot any more.
    pub redeem_until: Instant,
    /// How long a lot lives.
    pub lifetime: Lifetime,
    /// How often its codes can be redeemed in all.
    pub use_limit: Option<u32>,
    /// How often by one account.
    pub per_account_limit: u32,
    /// Who may.
    pub audience: Audience,
    /// ISO 3166 alpha-2; everywhere when empty.
    pub countries: BTreeSet<String>,
    /// Codes of campaigns of one group exclude each other within an account.
    pub exclusion_group: Option<String>,
    /// What its lots may pay for.
    pub restriction: Restriction,
    /// Whether a VALID payment method is needed.
    pub method_required: bool,
    /// How codes are made.
    pub code_style: CodeStyle,
}

/// A promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// What was fixed at creation.
    pub terms: Terms,
    /// One per currency, by its code.
    pub offers: Vec<Offer>,
    /// How many codes were generated.
    pub code_count: u32,
    /// How many redemptions there were.
    pub use_count: u32,
    /// From when on its codes give nothing, if it was disabled.
    pub disabled: Option<Instant>,
    /// Grows with every change.
    pub version: i64,
    /// When it was created.
    pub created: Instant,
}

impl Campaign {
    /// What it gives in `currency`, if anything.
    #[must_use]
    pub(crate) fn offer(&self, currency: Currency) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.amount.currency() == currency)
    }
}

impl Campaign {
    /// Whether a code can be redeemed at `at`, or later.
    fn is_open_at(&self, at: Instant) -> bool {
        self.disabled.is_none() && at < self.terms.redeem_until
    }

    /// What codes in force may still give of `offer` from `at` on (R6.12).
    pub(crate) fn grantable(&self, offer: &Offer, at: Instant) -> Money {
        let zero = Money::zero(offer.amount.currency());
        if !self.is_open_at(at) || self.code_count == 0 {
            return zero;
        }
        let budget = match self.terms.code_style {
            CodeStyle::SingleUse => offer.reserved.minor(),
            CodeStyle::Shared => offer.budget.minor() - offer.granted.minor(),
        };
        let by_budget = budget / offer.amount.minor();
        let left = |limit: u32| i64::from(limit.saturating_sub(self.use_count));
        let uses = self.terms.use_limit.map_or(by_budget, |limit| by_budget.min(left(limit)));
        Money::new(uses.saturating_mul(offer.amount.minor()), zero.currency())
    }
}

/// What became of the value a campaign gave in one currency (R6.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// What redeemed codes gave.
    pub redeemed: Money,
    /// What paid invoices, less what came back.
    pub burnt: Money,
    /// What expired or was forfeited.
    pub lapsed: Money,
    /// What was taken back.
    pub revoked: Money,
    /// What can still pay.
    pub remaining: Money,
}

impl Terms {
    /// Everything that contradicts the rules of a campaign created at `at` with `offers`; fields under
    /// `campaign.`.
    #[must_use]
    pub(crate) fn violations(&self, offers: &[Offer], at: Instant) -> Violations {
        let mut violations = Violations::new();
        let fits = |text: &str, max| text.chars().count() <= max && !text.chars().any(char::is_control);
        let name = !self.display_name.is_empty() && fits(&self.display_name, TEXT_CHARACTERS_MAX);
        violations.check(
            "campaign.display_name",
            name,
            format!("must be 1 to {TEXT_CHARACTERS_MAX} characters"),
        );
        let description = fits(&self.description, TEXT_CHARACTERS_MAX);
        violations.check(
            "campaign.description",
            description,
            format!("at most {TEXT_CHARACTERS_MAX} characters"),
        );
        let window = self.redeem_from < self.redeem_until && at < self.redeem_until;
        violations.check(
            "campaign.redeem_end_time",
            window,
            "must lie after redeem_start_time and after now",
        );
        match self.lifetime {
            Lifetime::Days(days) => {
                let rule = format!("must be 1 to {LIFETIME_DAYS_MAX}");
                violations.check("campaign.lot_lifetime_days", (1..=LIFETIME_DAYS_MAX).contains(&days), rule);
            }
            Lifetime::Until(end) => {
                violations.check(
                    "campaign.lot_expire_time",
                    self.redeem_until < end,
                    "must lie after redeem_end_time",
                );
            }
        }
        violations.check("campaign.use_limit", self.use_limit != Some(0), "must be above 0");
        violations.check("campaign.per_account_limit", self.per_account_limit > 0, "must be above 0");
        let is_country =
            |text: &String| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        violations.check(
            "campaign.countries",
            self.countries.iter().all(is_country),
            "must be ISO 3166 alpha-2",
        );
        let group = self.exclusion_group.as_ref().is_none_or(|group| fits(group, GROUP_CHARACTERS_MAX));
        violations.check(
            "campaign.exclusion_group",
            group,
            format!("at most {GROUP_CHARACTERS_MAX} characters"),
        );
        violations.extend(offer_violations(offers));
        violations
    }

    /// Whether a lot redeemed on an unlucky day lives through no monthly settlement (R6.8): its life is
    /// shorter than a month, or its fixed end comes before the settlement after the last redemption.
    #[must_use]
    pub(crate) fn misses_settlement(&self) -> bool {
        match self.lifetime {
            Lifetime::Days(days) => days < SETTLEMENT_DAYS,
            Lifetime::Until(end) => end < self.redeem_until.start_of_next_month().plus_days(1),
        }
    }
}

fn offer_violations(offers: &[Offer]) -> Violations {
    let mut violations = Violations::new();
    let count = (1..=CURRENCIES_MAX).contains(&offers.len());
    violations.check("campaign.amounts", count, format!("1 to {CURRENCIES_MAX} currencies"));
    let currencies: BTreeSet<_> = offers.iter().map(|offer| offer.amount.currency()).collect();
    violations.check("campaign.amounts", currencies.len() == offers.len(), "one amount per currency");
    for offer in offers {
        let code = offer.amount.currency().code();
        violations.check(
            "campaign.amounts",
            offer.amount.is_positive(),
            format!("{code}: must be above zero"),
        );
        let covers = offer.amount.compare(offer.budget).is_ok_and(std::cmp::Ordering::is_le);
        violations.check("campaign.budgets", covers, format!("{code}: must cover at least one redemption"));
    }
    violations
}

#[cfg(test)]
mod tests;
