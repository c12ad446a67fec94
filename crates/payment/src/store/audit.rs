//! What the rows of payments say about each other (R14.5).

use florin_platform::{
    column::Code,
    db::{BINDS_MAX, sql},
    finding::{AccountRange, Check},
    id::AccountId,
    wire::child_name,
};
use florin_settlement::Currency;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value, prelude::Uuid};

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

/// An amount per account, in minor units.
pub(crate) type Sum = (AccountId, Currency, i64);

/// What was captured, less what went back or was taken back.
pub(crate) async fn cash(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<Sum>, DbErr> {
    let text = "SELECT account_id, currency, CAST(SUM(amount - refunded - disputed) AS bigint) FROM payment \
                WHERE account_id BETWEEN $1 AND $2 AND state IN ('SUCCEEDED', 'REFUNDED') \
                GROUP BY account_id, currency";
    sums(connection, text, accounts).await
}

/// What is held for customers: what is here of money nothing wanted, and what of the rest is still to go back, also
/// where the provider refuses it. What a bank took back is missing from it, as far as nobody else accounts for it.
pub(crate) async fn held(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<Sum>, DbErr> {
    let text = "SELECT account_id, currency, CAST(SUM(amount) AS bigint) FROM ( \
                SELECT p.account_id AS account_id, p.currency AS currency, p.amount - p.refunded - p.disputed AS amount \
                FROM payment p JOIN payment_refund u ON u.account_id = p.account_id AND u.payment_id = p.id \
                AND u.purpose = 'UNWANTED' WHERE p.account_id BETWEEN $1 AND $2 UNION ALL \
                SELECT r.account_id, r.currency, r.amount FROM payment_refund r \
                LEFT JOIN payment_refund u ON u.account_id = r.account_id AND u.payment_id = r.payment_id \
                AND u.purpose = 'UNWANTED' \
                WHERE r.account_id BETWEEN $1 AND $2 AND r.state <> 'DONE' AND u.id IS NULL UNION ALL \
                SELECT d.account_id, d.currency, -d.amount FROM payment_dispute d \
                LEFT JOIN payment_refund u ON u.account_id = d.account_id AND u.payment_id = d.payment_id \
                AND u.purpose = 'UNWANTED' \
                WHERE d.account_id BETWEEN $1 AND $2 AND d.state <> 'WON' AND u.id IS NULL \
                ) held GROUP BY account_id, currency";
    sums(connection, text, accounts).await
}

async fn sums(
    connection: &impl ConnectionTrait,
    text: &str,
    accounts: AccountRange,
) -> Result<Vec<Sum>, DbErr> {
    let values = [accounts.first.into(), accounts.last.into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    let read = |row: &QueryResult| {
        let currency: Code = row.try_get_by_index(1)?;
        Ok((row.try_get_by_index(0)?, currency.0, row.try_get_by_index(2)?))
    };
    rows.iter().map(read).collect()
}

/// What goes back for a purpose, of which payment, in minor units.
pub(crate) type SentBack = (String, PaymentId, i64);

/// What goes back of payments of an account for `purposes`.
pub(crate) async fn sent_back(
    connection: &impl ConnectionTrait,
    account: AccountId,
    purposes: &[String],
) -> Result<Vec<SentBack>, DbErr> {
    let mut found = Vec::new();
    for chunk in purposes.chunks(BINDS_MAX - 1) {
        let places = (2..chunk.len() + 2).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT purpose, payment_id, amount FROM payment_refund WHERE account_id = $1 AND purpose IN ({places})"
        );
        let values = std::iter::once(Value::from(account))
            .chain(chunk.iter().map(|purpose| Value::from(purpose.as_str())));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            found.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?));
        }
    }
    Ok(found)
}
