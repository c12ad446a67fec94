//! Rows of voucher codes: digests only.

use florin_platform::db::{Tx, sql};
use sea_orm::{ConnectionTrait, DbErr, Value};

use super::places;
use crate::domain::{
    campaign::CampaignId,
    code::{BatchId, StoredCode},
};

const COLUMN_COUNT: usize = 5;
/// What is held in memory of a batch, however large, is one statement of so many codes.
const ROWS_A_STATEMENT: usize = 1000;

/// Adds codes of one batch, many in one statement.
pub(crate) async fn insert(
    tx: &Tx,
    campaign: CampaignId,
    batch: BatchId,
    use_limit: Option<i64>,
    digests: impl Iterator<Item = Vec<u8>>,
) -> Result<(), DbErr> {
    let mut digests = digests.peekable();
    while digests.peek().is_some() {
        let chunk: Vec<_> = digests.by_ref().take(ROWS_A_STATEMENT).collect();
        let text = format!(
            "INSERT INTO voucher_code (digest, campaign_id, batch_id, uses, use_limit) VALUES {}",
            places(chunk.len(), COLUMN_COUNT)
        );
        let values = chunk.into_iter().flat_map(|digest| -> [Value; COLUMN_COUNT] {
            [digest.into(), campaign.into(), batch.into(), 0_i64.into(), use_limit.into()]
        });
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    digest: Vec<u8>,
) -> Result<Option<StoredCode>, DbErr> {
    let text = "SELECT campaign_id, uses, use_limit FROM voucher_code WHERE digest = $1";
    let Some(row) = connection.query_one_raw(sql(connection, text, [digest.clone().into()])).await? else {
        return Ok(None);
    };
    let (campaign, uses, use_limit) =
        (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
    Ok(Some(StoredCode { digest, campaign, uses, use_limit }))
}

/// Takes one use of a code; false if none is left. Of two at once, one waits for the other.
pub(crate) async fn use_once(tx: &Tx, digest: Vec<u8>) -> Result<bool, DbErr> {
    let text = "UPDATE voucher_code SET uses = uses + 1 \
                WHERE digest = $1 AND (use_limit IS NULL OR uses < use_limit)";
    Ok(tx.execute_raw(sql(tx, text, [digest.into()])).await?.rows_affected() == 1)
}
