//! Creating campaigns and generating their codes (R6.5, R6.12).

use florin_platform::{
    Platform, audit, call::Call, db::Tx, etag, id::AccountId, outbox, violation::Violations,
    wire::account_name,
};
use florin_settlement::Instant;
use sea_orm::ConnectionTrait;

use super::query;
use crate::{
    domain::{
        campaign::{Audience, CODES_MAX, Campaign, CampaignId, CodeStyle, Offer, Terms, Value},
        code::{BatchId, Code},
    },
    error::Error,
    events::{CampaignCreated, CampaignDisabled, VoucherCodesGenerated},
    names::campaign_name,
    store,
};

/// A campaign to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewCampaign {
    pub(crate) terms: Terms,
    pub(crate) offers: Vec<Offer>,
    /// An explicit override: its lots may miss every monthly settlement (R6.8).
    pub(crate) allow_missed_settlement: bool,
    /// What was wrong with the request's form already.
    pub(crate) violations: Violations,
}

/// Creates a campaign, without codes yet; every violation at once.
pub(crate) async fn create(tx: &Tx, at: Instant, call: &Call, new: NewCampaign) -> Result<Campaign, Error> {
    let NewCampaign { terms, offers, allow_missed_settlement, mut violations } = new;
    violations.extend(terms.violations(&offers, at));
    violations.finish()?;
    if let Audience::Account(account) = terms.audience {
        let found = florin_account::find(tx, account).await?;
        found.ok_or_else(|| Error::NotFound(account_name(account)))?;
    }
    if terms.misses_settlement() && !allow_missed_settlement {
        return Err(Error::CampaignMissesSettlement);
    }
    let id = CampaignId::generate(at);
    let (code_count, use_count, disabled) = (0, 0, None);
    let campaign = Campaign { id, terms, offers, code_count, use_count, disabled, version: 1, created: at };
    store::campaign::insert(tx, &campaign).await?;
    let name = campaign_name(id);
    audit::record(tx, at, call, AccountId::NONE, &name).await?;
    outbox::append(tx, at, AccountId::NONE, &CampaignCreated { campaign: name }).await?;
    Ok(campaign)
}

/// Codes that were generated: what is needed to derive them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) campaign: CampaignId,
    pub(crate) id: BatchId,
    pub(crate) count: u32,
}

impl Batch {
    /// The codes themselves, in order. Derived, never read: nothing that is stored gives them away.
    pub(crate) fn codes(self, platform: &Platform) -> impl Iterator<Item = Code> + Send + 'static {
        let key = platform.key.clone();
        (0..self.count).map(move |index| Code::derive(&key, self.campaign, self.id, index))
    }
}

/// Puts `count` new codes of a campaign in force, all of them in this transaction.
pub(crate) async fn generate_codes(
    platform: &Platform,
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: CampaignId,
    count: u32,
) -> Result<Batch, Error> {
    let campaign = query::campaign(tx, id).await?;
    let (most, use_limit) = match campaign.terms.code_style {
        CodeStyle::SingleUse => (CODES_MAX, Some(1)),
        CodeStyle::Shared => (1, campaign.terms.use_limit.map(i64::from)),
    };
    if !(1..=most).contains(&count) {
        return Err(Violations::one("count", format!("must be 1 to {most}")).into());
    }
    if campaign.disabled.is_some() {
        return Err(Error::CampaignDisabled);
    }
    if campaign.terms.redeem_until <= at {
        return Err(Error::CampaignEnded);
    }
    let batch = Batch { campaign: id, id: BatchId::generate(at), count };
    // The campaign's row is locked before the codes are written: budgets are decided one call at a time.
    if !store::campaign::add_codes(tx, id, count).await? {
        let meanwhile = query::campaign(tx, id).await?.disabled.is_some();
        return Err(if meanwhile { Error::CampaignDisabled } else { Error::CampaignCodeExists });
    }
    let is_covered = match campaign.terms.code_style {
        CodeStyle::SingleUse => {
            store::campaign::reserve(tx, id, i64::from(count), campaign.offers.len()).await?
        }
        CodeStyle::Shared => true,
    };
    if !is_covered {
        return Err(Error::CampaignBudgetExceeded);
    }
    let digests = batch.codes(platform).map(|code| code.digest());
    store::code::insert(tx, id, batch.id, use_limit, digests).await?;
    let name = campaign_name(id);
    audit::record(tx, at, call, AccountId::NONE, &name).await?;
    let fact = VoucherCodesGenerated { campaign: name, batch: batch.id.to_string(), count };
    outbox::append(tx, at, AccountId::NONE, &fact).await?;
    Ok(batch)
}

/// Disables a campaign for good; one that is disabled is left as it is.
pub(crate) async fn disable(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: CampaignId,
    etag: &str,
) -> Result<Campaign, Error> {
    let name = campaign_name(id);
    if !etag::allows(etag, &name, query::campaign(tx, id).await?.version) {
        return Err(Error::EtagMismatch(name));
    }
    if store::campaign::disable(tx, id, at).await? {
        audit::record(tx, at, call, AccountId::NONE, &name).await?;
        outbox::append(tx, at, AccountId::NONE, &CampaignDisabled { campaign: name }).await?;
    }
    query::campaign(tx, id).await
}

/// A campaign, and what became of what its codes gave (R6.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) campaign: Campaign,
    /// Of the currencies in which anything was redeemed.
    pub(crate) values: Vec<Value>,
    /// As of when.
    pub(crate) at: Instant,
}

/// The report of a campaign as of `at`.
pub(crate) async fn report(
    connection: &impl ConnectionTrait,
    id: CampaignId,
    at: Instant,
) -> Result<Report, Error> {
    let campaign = query::campaign(connection, id).await?;
    let values = store::redemption::values(connection, id, at).await?;
    Ok(Report { campaign, values, at })
}
