//! Campaigns on the wire.

use std::collections::BTreeSet;

use florin_api::{credit::v1 as wire, event::v1::VoucherCodesGenerated};
use florin_platform::{
    etag,
    violation::Violations,
    wire::{account_name, instant, money, parse_account, parse_top, timestamp},
};
use florin_settlement::{Instant, Money, Restriction};

use super::{amount, families, restriction};
use crate::{
    domain::{
        campaign::{Audience, Campaign, CampaignId, CodeStyle, Lifetime, Offer, Terms, Value},
        code::BatchId,
        redemption::Redemption,
    },
    error::Error,
    names::{campaign_name, credit_name},
    service::campaigns::{Batch, NewCampaign, Report},
};

/// Reads a CreateCampaign request at `at`. What cannot be read is noted; the rest is judged with it, so
/// that every violation comes back at once.
pub(crate) fn new_campaign(request: &wire::CreateCampaignRequest, at: Instant) -> NewCampaign {
    let mut violations = Violations::new();
    let campaign = request.campaign.clone().unwrap_or_default();
    violations.check("campaign", request.campaign.is_some(), "is required");
    let description =
        if campaign.description.is_empty() { &campaign.display_name } else { &campaign.description };
    let terms = Terms {
        display_name: campaign.display_name.clone(),
        description: description.clone(),
        redeem_from: time("campaign.redeem_start_time", campaign.redeem_start_time, &mut violations)
            .unwrap_or(at),
        redeem_until: required_time(
            "campaign.redeem_end_time",
            campaign.redeem_end_time,
            &mut violations,
            at,
        ),
        lifetime: lifetime(&campaign, at, &mut violations),
        use_limit: campaign.use_limit.map(|limit| count("campaign.use_limit", limit, &mut violations)),
        per_account_limit: campaign
            .per_account_limit
            .map_or(1, |limit| count("campaign.per_account_limit", limit, &mut violations)),
        audience: audience(&campaign, &mut violations),
        countries: campaign.countries.iter().cloned().collect::<BTreeSet<_>>(),
        exclusion_group: Some(campaign.exclusion_group.clone()).filter(|group| !group.is_empty()),
        restriction: families_of(&campaign, &mut violations),
        method_required: campaign.payment_method_required,
        code_style: code_style(&campaign, &mut violations),
    };
    let offers = offers(&campaign, &mut violations);
    NewCampaign { terms, offers, allow_missed_settlement: request.allow_missed_settlement, violations }
}

fn time(field: &str, given: Option<prost_types::Timestamp>, violations: &mut Violations) -> Option<Instant> {
    given.and_then(|given| violations.take(field, instant(&given)))
}

fn required_time(
    field: &str,
    given: Option<prost_types::Timestamp>,
    violations: &mut Violations,
    at: Instant,
) -> Instant {
    violations.check(field, given.is_some(), "is required");
    // Where it is missing or malformed, a value the rules accept: one violation is enough for one field.
    time(field, given, violations).unwrap_or(Instant::MAX.max(at))
}

fn lifetime(campaign: &wire::Campaign, at: Instant, violations: &mut Violations) -> Lifetime {
    match &campaign.lot_lifetime {
        Some(wire::campaign::LotLifetime::LotLifetimeDays(days)) => {
            Lifetime::Days(count("campaign.lot_lifetime_days", *days, violations))
        }
        Some(wire::campaign::LotLifetime::LotExpireTime(end)) => {
            let end = violations.take("campaign.lot_expire_time", instant(end));
            end.map_or(Lifetime::Days(1), Lifetime::Until)
        }
        None => {
            violations.add(
                "campaign.lot_lifetime",
                "exactly one of lot_lifetime_days and lot_expire_time is required",
            );
            Lifetime::Until(Instant::MAX.max(at))
        }
    }
}

fn count(field: &str, given: i32, violations: &mut Violations) -> u32 {
    violations.take(field, u32::try_from(given).map_err(|_| "must be above 0")).unwrap_or(1)
}

fn audience(campaign: &wire::Campaign, violations: &mut Violations) -> Audience {
    let is_for_one = campaign.audience() == wire::campaign::Audience::Account;
    violations.check(
        "campaign.account",
        is_for_one || campaign.account.is_empty(),
        "belongs to the audience ACCOUNT only",
    );
    match campaign.audience() {
        wire::campaign::Audience::Anyone => Audience::Anyone,
        wire::campaign::Audience::NewCustomers => Audience::NewCustomers,
        wire::campaign::Audience::FirstProject => Audience::FirstProject,
        wire::campaign::Audience::Account => {
            let account = violations.take("campaign.account", parse_account(&campaign.account));
            account.map_or(Audience::Anyone, Audience::Account)
        }
        wire::campaign::Audience::Unspecified => {
            violations.add("campaign.audience", "is required");
            Audience::Anyone
        }
    }
}

fn families_of(campaign: &wire::Campaign, violations: &mut Violations) -> Restriction {
    match restriction("campaign.restricted_families", &campaign.restricted_families) {
        Ok(restriction) => restriction,
        Err(wrong) => {
            violations.extend(wrong);
            Restriction::Unrestricted
        }
    }
}

fn code_style(campaign: &wire::Campaign, violations: &mut Violations) -> CodeStyle {
    match campaign.code_style() {
        wire::campaign::CodeStyle::SingleUse => CodeStyle::SingleUse,
        wire::campaign::CodeStyle::Shared => CodeStyle::Shared,
        wire::campaign::CodeStyle::Unspecified => {
            violations.add("campaign.code_style", "is required");
            CodeStyle::SingleUse
        }
    }
}

/// One offer per amount, each with the budget of its currency.
fn offers(campaign: &wire::Campaign, violations: &mut Violations) -> Vec<Offer> {
    let mut read = |field: &str, given: &[florin_api::google::r#type::Money]| -> Vec<Money> {
        let mut amounts = Vec::with_capacity(given.len());
        for (n, given) in given.iter().enumerate() {
            match amount(&format!("{field}[{n}]"), Some(given)) {
                Ok(amount) => amounts.push(amount),
                Err(wrong) => violations.extend(wrong),
            }
        }
        amounts
    };
    let amounts = read("campaign.amounts", &campaign.amounts);
    let budgets = read("campaign.budgets", &campaign.budgets);
    let with_budget = |amount: &Money| {
        let budget = budgets.iter().find(|budget| budget.currency() == amount.currency())?;
        let zero = Money::zero(amount.currency());
        Some(Offer { amount: *amount, budget: *budget, reserved: zero, granted: zero })
    };
    let offers: Vec<_> = amounts.iter().filter_map(with_budget).collect();
    let is_complete = offers.len() == amounts.len() && budgets.len() == amounts.len();
    violations.check("campaign.budgets", is_complete, "one budget per currency of amounts is required");
    offers
}

/// Reads the name of a campaign.
pub(crate) fn name(name: &str) -> Result<CampaignId, Violations> {
    parse_top("campaigns", name).map_err(|error| Violations::one("name", error))
}

/// Renders a campaign.
pub(crate) fn campaign(campaign: &Campaign) -> wire::Campaign {
    let name = campaign_name(campaign.id);
    let terms = &campaign.terms;
    let (audience, account) = match terms.audience {
        Audience::Anyone => (wire::campaign::Audience::Anyone, String::new()),
        Audience::NewCustomers => (wire::campaign::Audience::NewCustomers, String::new()),
        Audience::FirstProject => (wire::campaign::Audience::FirstProject, String::new()),
        Audience::Account(account) => (wire::campaign::Audience::Account, account_name(account)),
    };
    let code_style = match terms.code_style {
        CodeStyle::SingleUse => wire::campaign::CodeStyle::SingleUse,
        CodeStyle::Shared => wire::campaign::CodeStyle::Shared,
    };
    let whole = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    wire::Campaign {
        etag: etag::of(&name, campaign.version),
        name,
        display_name: terms.display_name.clone(),
        description: terms.description.clone(),
        amounts: campaign.offers.iter().map(|offer| money(offer.amount)).collect(),
        redeem_start_time: Some(timestamp(terms.redeem_from)),
        redeem_end_time: Some(timestamp(terms.redeem_until)),
        lot_lifetime: Some(match terms.lifetime {
            Lifetime::Days(days) => wire::campaign::LotLifetime::LotLifetimeDays(whole(days)),
            Lifetime::Until(end) => wire::campaign::LotLifetime::LotExpireTime(timestamp(end)),
        }),
        use_limit: terms.use_limit.map(whole),
        per_account_limit: Some(whole(terms.per_account_limit)),
        audience: audience.into(),
        account,
        countries: terms.countries.iter().cloned().collect(),
        exclusion_group: terms.exclusion_group.clone().unwrap_or_default(),
        restricted_families: families(terms.restriction),
        payment_method_required: terms.method_required,
        budgets: campaign.offers.iter().map(|offer| money(offer.budget)).collect(),
        code_style: code_style.into(),
        code_count: whole(campaign.code_count),
        use_count: whole(campaign.use_count),
        create_time: Some(timestamp(campaign.created)),
        disable_time: campaign.disabled.map(timestamp),
    }
}

/// Reads how many codes are wanted of which campaign.
pub(crate) fn wanted_codes(request: &wire::GenerateCodesRequest) -> Result<(CampaignId, u32), Violations> {
    let mut violations = Violations::new();
    let id = violations.take("name", parse_top("campaigns", &request.name));
    let count = violations.take("count", u32::try_from(request.count).map_err(|_| "must be above 0"));
    violations.finish_with(id.zip(count))
}

/// Renders a batch without its codes: what a replay derives them from.
pub(crate) fn batch(batch: Batch) -> VoucherCodesGenerated {
    VoucherCodesGenerated {
        campaign: campaign_name(batch.campaign),
        batch: batch.id.to_string(),
        count: batch.count,
    }
}

/// Reads a rendered batch back.
pub(crate) fn read_batch(batch: &VoucherCodesGenerated) -> Result<Batch, Violations> {
    let id = BatchId::parse(&batch.batch).map_err(|error| Violations::one("name", error))?;
    Ok(Batch { campaign: name(&batch.campaign)?, id, count: batch.count })
}

/// Reads the parent of a list.
pub(crate) fn parent(name: &str) -> Result<CampaignId, Violations> {
    parse_top("campaigns", name).map_err(|error| Violations::one("parent", error))
}

/// Reads the name of a report.
pub(crate) fn report_name(name: &str) -> Result<CampaignId, Violations> {
    let refused = || Violations::one("name", "is not a name of the form campaigns/…/report");
    let campaign = name.strip_suffix("/report").ok_or_else(refused)?;
    parse_top("campaigns", campaign).map_err(|_| refused())
}

/// Renders a redemption.
pub(crate) fn redemption(redemption: &Redemption) -> wire::Redemption {
    wire::Redemption {
        name: format!("{}/redemptions/{}", campaign_name(redemption.campaign), redemption.id),
        account: account_name(redemption.account),
        credit: credit_name(redemption.account, Some(redemption.project), redemption.lot),
        amount: Some(money(redemption.amount)),
        redeem_time: Some(timestamp(redemption.redeemed)),
    }
}

/// Renders a report.
pub(crate) fn report(report: &Report) -> Result<wire::CampaignReport, Error> {
    let campaign = &report.campaign;
    let whole = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let values = campaign.offers.iter().map(|offer| {
        let currency = offer.amount.currency();
        let zero = Money::zero(currency);
        let none = Value { redeemed: zero, burnt: zero, lapsed: zero, revoked: zero, remaining: zero };
        let found = report.values.iter().find(|value| value.redeemed.currency() == currency);
        value(offer, found.unwrap_or(&none), campaign.grantable(offer, report.at))
    });
    Ok(wire::CampaignReport {
        name: format!("{}/report", campaign_name(campaign.id)),
        issued_code_count: whole(campaign.code_count),
        redemption_count: whole(campaign.use_count),
        values: values.collect::<Result<_, _>>()?,
        report_time: Some(timestamp(report.at)),
    })
}

fn value(offer: &Offer, value: &Value, grantable: Money) -> Result<wire::campaign_report::Value, Error> {
    Ok(wire::campaign_report::Value {
        budget_amount: Some(money(offer.budget)),
        redeemed_amount: Some(money(value.redeemed)),
        burnt_amount: Some(money(value.burnt)),
        lapsed_amount: Some(money(value.lapsed)),
        revoked_amount: Some(money(value.revoked)),
        remaining_amount: Some(money(value.remaining)),
        grantable_amount: Some(money(grantable)),
        liability_amount: Some(money(value.remaining.checked_add(grantable)?)),
    })
}
