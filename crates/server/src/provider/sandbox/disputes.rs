//! What the sandbox's provider remembers of disputes: numbered per charge, one open at a time.

use florin_payment::{
    DisputeStanding,
    provider::{ChargeKey, DisputeReport},
};
use florin_platform::{
    column::{CorruptRow, Minor},
    db::{Tx, sql},
};
use florin_settlement::{Currency, Money};
use sea_orm::{ConnectionTrait, DbErr};

const TABLE: &str = "sandbox_provider_dispute";

/// Every dispute of a charge in `currency`, oldest first.
pub(super) async fn of_charge(
    connection: &impl ConnectionTrait,
    key: ChargeKey,
    currency: Currency,
) -> Result<Vec<DisputeReport>, DbErr> {
    let text = "SELECT number, amount, code, state FROM sandbox_provider_dispute \
                WHERE account_id = $1 AND payment_id = $2 ORDER BY number";
    let values = [key.account.into(), key.payment.into()];
    let mut disputes = Vec::new();
    for row in connection.query_all_raw(sql(connection, text, values)).await? {
        let (number, state): (i64, String) = (row.try_get_by_index(0)?, row.try_get_by_index(3)?);
        disputes.push(DisputeReport {
            reference: format!("sandbox/disputes/{}/{number}", key.payment),
            amount: row.try_get_by_index::<Minor>(1)?.money(currency),
            code: row.try_get_by_index(2)?,
            standing: DisputeStanding::parse(&state)
                .ok_or_else(|| CorruptRow::new(TABLE, "unknown state"))?,
        });
    }
    Ok(disputes)
}

/// Books the next dispute of a charge.
pub(super) async fn open(
    tx: &Tx,
    key: ChargeKey,
    amount: Money,
    code: &str,
    standing: DisputeStanding,
) -> Result<(), DbErr> {
    let text = "INSERT INTO sandbox_provider_dispute (account_id, payment_id, number, amount, code, state) \
                SELECT $1, $2, CAST(COALESCE(MAX(number), 0) + 1 AS bigint), $3, $4, $5 \
                FROM sandbox_provider_dispute WHERE account_id = $1 AND payment_id = $2";
    let values = [
        key.account.into(),
        key.payment.into(),
        amount.minor().into(),
        code.into(),
        standing.as_str().into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Decides the latest dispute of a charge, if it is not won; whether it was decided now.
pub(super) async fn decide(tx: &Tx, key: ChargeKey, standing: DisputeStanding) -> Result<bool, DbErr> {
    let text = "UPDATE sandbox_provider_dispute SET state = $3 \
                WHERE account_id = $1 AND payment_id = $2 AND state <> 'WON' AND state <> $3 \
                AND number = (SELECT MAX(number) FROM sandbox_provider_dispute \
                WHERE account_id = $1 AND payment_id = $2)";
    let values = [key.account.into(), key.payment.into(), standing.as_str().into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}
