//! What the rows of payments say about each other (R14.5).

use florin_platform::{
    column::Code,
    db::sql,
    finding::{AccountRange, Check},
    id::AccountId,
    wire::child_name,
};
use florin_settlement::Currency;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, prelude::Uuid};

use crate::domain::payment::PaymentId;

fn place(account: AccountId, id: Uuid, _: i64) -> String {
    child_name(account, "payments", PaymentId::from_uuid(id))
}

/// The rules, each as a query for what breaks it.
pub(crate) const CHECKS: [Check; 2] = [
    Check {
        what: "what went back of a payment is what its refunds say",
        place,
        text: "SELECT p.account_id AS account_id, p.id AS id, CAST(0 AS bigint) AS part, \
               CAST(COALESCE(r.done, 0) AS text) AS expected, CAST(p.refunded AS text) AS found FROM payment p \
               LEFT JOIN (SELECT account_id, payment_id, CAST(SUM(amount) AS bigint) AS done FROM payment_refund \
               WHERE account_id BETWEEN $1 AND $2 AND state = 'DONE' GROUP BY account_id, payment_id) r \
               ON r.account_id = p.account_id AND r.payment_id = p.id \
               WHERE p.account_id BETWEEN $1 AND $2 AND p.refunded <> COALESCE(r.done, 0)",
    },
    Check {
        what: "what was taken back of a payment is what its disputes say",
        place,
        text: "SELECT p.account_id AS account_id, p.id AS id, CAST(0 AS bigint) AS part, \
               CAST(COALESCE(d.away, 0) AS text) AS expected, CAST(p.disputed AS text) AS found FROM payment p \
               LEFT JOIN (SELECT account_id, payment_id, CAST(SUM(amount) AS bigint) AS away FROM payment_dispute \
               WHERE account_id BETWEEN $1 AND $2 AND state <> 'WON' GROUP BY account_id, payment_id) d \
               ON d.account_id = p.account_id AND d.payment_id = p.id \
               WHERE p.account_id BETWEEN $1 AND $2 AND p.disputed <> COALESCE(d.away, 0)",
    },
];

/// What was captured, less what went back or was taken back, in minor units.
pub(crate) async fn cash(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<(AccountId, Currency, i64)>, DbErr> {
    let text = "SELECT account_id, currency, CAST(SUM(amount - refunded - disputed) AS bigint) FROM payment \
                WHERE account_id BETWEEN $1 AND $2 AND state IN ('SUCCEEDED', 'REFUNDED') \
                GROUP BY account_id, currency";
    let values = [accounts.first.into(), accounts.last.into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    let read = |row: &QueryResult| {
        let currency: Code = row.try_get_by_index(1)?;
        Ok((row.try_get_by_index(0)?, currency.0, row.try_get_by_index(2)?))
    };
    rows.iter().map(read).collect()
}
