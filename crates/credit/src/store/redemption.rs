//! Rows of redemptions: written once; what an account redeemed before is read from them.

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, Money};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::domain::{
    campaign::{CampaignId, Value},
    lot::CreditId,
    project_ref::ProjectId,
    redemption::{Redemption, RedemptionId},
};

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

#[derive(Debug, FromQueryResult)]
struct Row {
    account_id: AccountId,
    id: RedemptionId,
    project_id: ProjectId,
    campaign_id: CampaignId,
    code_digest: Vec<u8>,
    exclusion_group: Option<String>,
    currency: Code,
    amount: Minor,
    lot_id: CreditId,
    redeemed_at: At,
}

impl From<Row> for Redemption {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account: row.account_id,
            project: row.project_id,
            campaign: row.campaign_id,
            code_digest: row.code_digest,
            exclusion_group: row.exclusion_group,
            amount: row.amount.money(row.currency.0),
            lot: row.lot_id,
            redeemed: row.redeemed_at.into(),
        }
    }
}

/// The redemptions of a campaign's codes, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    campaign: CampaignId,
    after: Option<RedemptionId>,
    fetch: u64,
) -> Result<Vec<Redemption>, DbErr> {
    let after = after.unwrap_or(RedemptionId::from_u128(0));
    let text = format!(
        "SELECT account_id, id, project_id, campaign_id, code_digest, exclusion_group, currency, amount, lot_id, \
         redeemed_at FROM voucher_redemption WHERE campaign_id = $1 AND id > $2 ORDER BY id LIMIT {fetch}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [campaign.into(), after.into()])).await?;
    rows.iter().map(|row| Ok(Row::from_query_result(row, "")?.into())).collect()
}

/// What became of what a campaign's codes gave, per currency, as of `at`: of the lots themselves, and of the lots
/// in which something of theirs came back.
pub(crate) async fn values(
    connection: &impl ConnectionTrait,
    campaign: CampaignId,
    at: Instant,
) -> Result<Vec<Value>, DbErr> {
    let lots = "SELECT l.account_id, l.id, l.currency, l.initial, l.remaining, l.expires_at, l.source_lot_id \
                FROM voucher_redemption r JOIN credit_lot l ON l.account_id = r.account_id";
    let sum = |what: &str| format!("CAST(COALESCE(SUM({what}), 0) AS bigint)");
    let taken = |kinds: &str| {
        sum(&format!(
            "(SELECT COALESCE(SUM(m.amount), 0) FROM credit_movement m WHERE m.account_id = lot.account_id \
             AND m.lot_id = lot.id AND m.kind IN ({kinds}))"
        ))
    };
    let text = format!(
        "WITH lot AS ({lots} AND l.id = r.lot_id WHERE r.campaign_id = $1 \
         UNION ALL {lots} AND l.root_lot_id = r.lot_id WHERE r.campaign_id = $1) \
         SELECT currency, {redeemed} AS redeemed, {returned} AS returned, {debited} AS debited, \
         {ended} AS ended, {expired} AS expired, {revoked} AS revoked, {remaining} AS remaining \
         FROM lot GROUP BY currency ORDER BY currency",
        redeemed = sum("CASE WHEN source_lot_id IS NULL THEN initial ELSE 0 END"),
        returned = sum("CASE WHEN source_lot_id IS NULL THEN 0 ELSE initial END"),
        debited = taken("'DEBITED'"),
        ended = taken("'EXPIRED', 'FORFEITED'"),
        expired = sum("CASE WHEN expires_at <= $2 THEN remaining ELSE 0 END"),
        revoked = taken("'DISPUTED', 'CLAWBACK'"),
        remaining = sum("CASE WHEN expires_at <= $2 THEN 0 ELSE remaining END"),
    );
    let rows =
        connection.query_all_raw(sql(connection, &text, [campaign.into(), At::from(at).into()])).await?;
    rows.iter()
        .map(|row| {
            let currency: Code = row.try_get("", "currency")?;
            let amount = |name| row.try_get("", name).map(|minor: i64| Money::new(minor, currency.0));
            let less = |one: Money, other| one.checked_sub(other).map_err(CorruptRow::of("credit_movement"));
            let more = |one: Money, other| one.checked_add(other).map_err(CorruptRow::of("credit_movement"));
            Ok(Value {
                redeemed: amount("redeemed")?,
                burnt: less(amount("debited")?, amount("returned")?)?,
                lapsed: more(amount("ended")?, amount("expired")?)?,
                revoked: amount("revoked")?,
                remaining: amount("remaining")?,
            })
        })
        .collect()
}
