//! Rows of redemptions: written once; what an account redeemed before is read from them.

use florin_platform::{
    column::{At, Code, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::{campaign::CampaignId, redemption::Redemption};

pub(crate) async fn insert(tx: &Tx, redemption: &Redemption) -> Result<(), DbErr> {
    let text = "INSERT INTO voucher_redemption (account_id, id, project_id, campaign_id, code_digest, \
                exclusion_group, currency, amount, lot_id, redeemed_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values = [
        redemption.account.into(),
        redemption.id.into(),
        redemption.project.into(),
        redemption.campaign.into(),
        redemption.code_digest.clone().into(),
        redemption.exclusion_group.clone().into(),
        Code(redemption.amount.currency()).into(),
        redemption.amount.minor().into(),
        redemption.lot.into(),
        At::from(redemption.redeemed).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// How often an account redeemed codes of a campaign, and whether of another one of `group`.
pub(crate) async fn before(
    connection: &impl ConnectionTrait,
    account: AccountId,
    campaign: CampaignId,
    group: Option<&str>,
) -> Result<(u32, bool), DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(CASE WHEN campaign_id = $2 THEN 1 ELSE 0 END), 0) AS bigint), \
                CAST(COALESCE(SUM(CASE WHEN campaign_id <> $2 AND exclusion_group = $3 THEN 1 ELSE 0 END), 0) AS bigint) \
                FROM voucher_redemption WHERE account_id = $1";
    let values = [account.into(), campaign.into(), group.unwrap_or_default().into()];
    let row = connection
        .query_one_raw(sql(connection, text, values))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("a sum over redemptions".to_owned()))?;
    let of_campaign: i64 = row.try_get_by_index(0)?;
    let of_group: i64 = row.try_get_by_index(1)?;
    Ok((u32::try_from(of_campaign).map_err(CorruptRow::of("voucher_redemption"))?, of_group > 0))
}
