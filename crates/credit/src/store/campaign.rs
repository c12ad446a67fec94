//! Rows of campaigns and of what they offer per currency: reference data, shared by all accounts, so
//! that a transaction touches them last.

use std::collections::{BTreeSet, HashMap};

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Restriction};
use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult, QueryOrder, QuerySelect, Set, Value, entity::prelude::*,
};

use super::places;
use crate::domain::campaign::{Audience, Campaign, CampaignId, CodeStyle, Lifetime, Offer, Terms};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: CampaignId,
    display_name: String,
    description: String,
    redeem_from: At,
    redeem_until: At,
    lot_lifetime_days: Option<i64>,
    lot_expires_at: Option<At>,
    use_limit: Option<i64>,
    per_account_limit: i64,
    audience: String,
    audience_account: Option<AccountId>,
    countries: String,
    exclusion_group: Option<String>,
    restriction: String,
    method_required: bool,
    code_style: String,
    code_count: i64,
    use_count: i64,
    version: i64,
    created_at: At,
    disabled_at: Option<At>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "campaign";

fn campaign(row: Model, offers: Vec<Offer>) -> Result<Campaign, CorruptRow> {
    let number = |value: i64| u32::try_from(value).map_err(CorruptRow::of(TABLE));
    let lifetime = match (row.lot_lifetime_days, row.lot_expires_at) {
        (Some(days), None) => Lifetime::Days(number(days)?),
        (None, Some(end)) => Lifetime::Until(end.into()),
        (Some(_), Some(_)) | (None, None) => return Err(CorruptRow::new(TABLE, "not one lifetime")),
    };
    let audience = match (row.audience.as_str(), row.audience_account) {
        ("ANYONE", None) => Audience::Anyone,
        ("NEW_CUSTOMERS", None) => Audience::NewCustomers,
        ("FIRST_PROJECT", None) => Audience::FirstProject,
        ("ACCOUNT", Some(account)) => Audience::Account(account),
        (_, _) => return Err(CorruptRow::new(TABLE, "unknown audience")),
    };
    Ok(Campaign {
        id: row.id,
        terms: Terms {
            display_name: row.display_name,
            description: row.description,
            redeem_from: row.redeem_from.into(),
            redeem_until: row.redeem_until.into(),
            lifetime,
            use_limit: row.use_limit.map(number).transpose()?,
            per_account_limit: number(row.per_account_limit)?,
            audience,
            countries: row.countries.split(',').filter(|code| !code.is_empty()).map(str::to_owned).collect(),
            exclusion_group: row.exclusion_group,
            restriction: Restriction::parse(&row.restriction).map_err(CorruptRow::of(TABLE))?,
            method_required: row.method_required,
            code_style: CodeStyle::parse(&row.code_style)
                .ok_or_else(|| CorruptRow::new(TABLE, "unknown code style"))?,
        },
        offers,
        code_count: number(row.code_count)?,
        use_count: number(row.use_count)?,
        version: row.version,
        created: row.created_at.into(),
        disabled: row.disabled_at.map(Into::into),
    })
}

fn active(campaign: &Campaign) -> ActiveModel {
    let terms = &campaign.terms;
    let (days, until) = match terms.lifetime {
        Lifetime::Days(days) => (Some(i64::from(days)), None),
        Lifetime::Until(end) => (None, Some(end)),
    };
    let (audience, account) = match terms.audience {
        Audience::Anyone => ("ANYONE", None),
        Audience::NewCustomers => ("NEW_CUSTOMERS", None),
        Audience::FirstProject => ("FIRST_PROJECT", None),
        Audience::Account(account) => ("ACCOUNT", Some(account)),
    };
    ActiveModel {
        id: Set(campaign.id),
        display_name: Set(terms.display_name.clone()),
        description: Set(terms.description.clone()),
        redeem_from: Set(terms.redeem_from.into()),
        redeem_until: Set(terms.redeem_until.into()),
        lot_lifetime_days: Set(days),
        lot_expires_at: Set(until.map(Into::into)),
        use_limit: Set(terms.use_limit.map(i64::from)),
        per_account_limit: Set(i64::from(terms.per_account_limit)),
        audience: Set(audience.to_owned()),
        audience_account: Set(account),
        countries: Set(joined(&terms.countries)),
        exclusion_group: Set(terms.exclusion_group.clone()),
        restriction: Set(terms.restriction.as_text()),
        method_required: Set(terms.method_required),
        code_style: Set(terms.code_style.as_str().to_owned()),
        code_count: Set(i64::from(campaign.code_count)),
        use_count: Set(i64::from(campaign.use_count)),
        version: Set(campaign.version),
        created_at: Set(campaign.created.into()),
        disabled_at: Set(campaign.disabled.map(Into::into)),
    }
}

fn joined(countries: &BTreeSet<String>) -> String {
    countries.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

#[derive(Debug, FromQueryResult)]
struct OfferRow {
    campaign_id: CampaignId,
    currency: Code,
    amount: Minor,
    budget: Minor,
    reserved: Minor,
    granted: Minor,
}

pub(crate) async fn insert(tx: &Tx, campaign: &Campaign) -> Result<(), DbErr> {
    Entity::insert(active(campaign)).exec_without_returning(tx).await?;
    let text = format!(
        "INSERT INTO campaign_offer (campaign_id, currency, amount, budget, reserved, granted) VALUES {}",
        places(campaign.offers.len(), 6)
    );
    let values = campaign.offers.iter().flat_map(|offer| -> [Value; 6] {
        [
            campaign.id.into(),
            Code(offer.amount.currency()).into(),
            offer.amount.minor().into(),
            offer.budget.minor().into(),
            offer.reserved.minor().into(),
            offer.granted.minor().into(),
        ]
    });
    tx.execute_raw(sql(tx, &text, values)).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: CampaignId,
) -> Result<Option<Campaign>, DbErr> {
    let rows: Vec<_> = Entity::find_by_id(id).one(connection).await?.into_iter().collect();
    Ok(with_offers(connection, rows).await?.pop())
}

/// Campaigns, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    after: Option<CampaignId>,
    fetch: u64,
) -> Result<Vec<Campaign>, DbErr> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(fetch);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let rows = query.all(connection).await?;
    with_offers(connection, rows).await
}

async fn with_offers(connection: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Campaign>, DbErr> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = (1..=rows.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "SELECT campaign_id, currency, amount, budget, reserved, granted FROM campaign_offer \
         WHERE campaign_id IN ({wanted}) ORDER BY campaign_id, currency"
    );
    let ids = rows.iter().map(|row| Value::from(row.id));
    let mut offers: HashMap<CampaignId, Vec<Offer>> = HashMap::new();
    for row in connection.query_all_raw(sql(connection, &text, ids)).await? {
        let row = OfferRow::from_query_result(&row, "")?;
        let currency = row.currency.0;
        offers.entry(row.campaign_id).or_default().push(Offer {
            amount: row.amount.money(currency),
            budget: row.budget.money(currency),
            reserved: row.reserved.money(currency),
            granted: row.granted.money(currency),
        });
    }
    let complete = |row: Model| {
        let offers = offers.remove(&row.id).unwrap_or_default();
        Ok(campaign(row, offers)?)
    };
    rows.into_iter().map(complete).collect()
}

/// Counts `count` new codes; false if a SHARED campaign would have more than its one, or it is disabled. Locks the
/// row.
pub(crate) async fn add_codes(tx: &Tx, id: CampaignId, count: u32) -> Result<bool, DbErr> {
    let text = "UPDATE campaign SET code_count = code_count + $2, version = version + 1 \
                WHERE id = $1 AND (code_style = 'SINGLE_USE' OR code_count = 0) AND disabled_at IS NULL";
    Ok(tx.execute_raw(sql(tx, text, [id.into(), i64::from(count).into()])).await?.rows_affected() == 1)
}

/// Sets aside what `uses` redemptions may grant, in every currency; false if some budget does not cover
/// it (R6.12).
pub(crate) async fn reserve(tx: &Tx, id: CampaignId, uses: i64, currencies: usize) -> Result<bool, DbErr> {
    let text = "UPDATE campaign_offer SET reserved = reserved + amount * $2 \
                WHERE campaign_id = $1 AND amount <= (budget - granted - reserved) / $2";
    let rows = tx.execute_raw(sql(tx, text, [id.into(), uses.into()])).await?.rows_affected();
    Ok(usize::try_from(rows) == Ok(currencies))
}

/// Counts one redemption; false if the campaign's limit is reached, or it is disabled. Locks the row.
pub(crate) async fn use_once(tx: &Tx, id: CampaignId) -> Result<bool, DbErr> {
    let text = "UPDATE campaign SET use_count = use_count + 1, version = version + 1 \
                WHERE id = $1 AND (use_limit IS NULL OR use_count < use_limit) AND disabled_at IS NULL";
    Ok(tx.execute_raw(sql(tx, text, [id.into()])).await?.rows_affected() == 1)
}

/// Grants one amount out of what was set aside for it: what the code could have granted in other
/// currencies is free again.
pub(crate) async fn grant_reserved(tx: &Tx, id: CampaignId, currency: Currency) -> Result<bool, DbErr> {
    let text = "UPDATE campaign_offer SET reserved = reserved - amount, \
                granted = granted + CASE WHEN currency = $2 THEN amount ELSE 0 END \
                WHERE campaign_id = $1 AND reserved >= amount";
    Ok(tx.execute_raw(sql(tx, text, [id.into(), Code(currency).into()])).await?.rows_affected() > 0)
}

/// Grants one amount out of the budget; false if it is spent.
pub(crate) async fn grant_free(tx: &Tx, id: CampaignId, currency: Currency) -> Result<bool, DbErr> {
    let text = "UPDATE campaign_offer SET granted = granted + amount \
                WHERE campaign_id = $1 AND currency = $2 AND granted + reserved + amount <= budget";
    Ok(tx.execute_raw(sql(tx, text, [id.into(), Code(currency).into()])).await?.rows_affected() == 1)
}

/// Disables a campaign; false if it was before. What its codes might have granted is free again. Locks the row:
/// whoever redeems at the same time has done so, or finds it disabled.
pub(crate) async fn disable(tx: &Tx, id: CampaignId, at: Instant) -> Result<bool, DbErr> {
    let text =
        "UPDATE campaign SET disabled_at = $2, version = version + 1 WHERE id = $1 AND disabled_at IS NULL";
    if tx.execute_raw(sql(tx, text, [id.into(), At::from(at).into()])).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let text = "UPDATE campaign_offer SET reserved = 0 WHERE campaign_id = $1";
    tx.execute_raw(sql(tx, text, [id.into()])).await?;
    Ok(true)
}
