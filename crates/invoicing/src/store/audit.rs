//! What the rows of documents and debts say about each other (R14.5), and movements of money as they are stored.

use std::collections::BTreeMap;

use florin_account::ledger::{Canonical, Digest, MovementTable, Recorded, Unchained};
use florin_platform::{
    column::{At, Code},
    db::{BINDS_MAX, sql},
    finding::{AccountRange, Check},
    id::AccountId,
};
use florin_settlement::{Currency, Instant};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult, Value};
use uuid::Uuid;

use super::money::TABLE;
use crate::domain::{
    credit_note::CreditNoteId,
    invoice::{InvoiceId, invoice_name},
};

fn invoice_place(account: AccountId, id: Uuid, _: i64) -> String {
    invoice_name(account, InvoiceId::from_uuid(id))
}

/// The rules, each as a query for what breaks it. What documents say is recomputed whole, and not here.
pub(crate) const CHECKS: [Check; 2] = [
    Check {
        what: "an invoice has a state",
        place: invoice_place,
        text: "SELECT i.account_id AS account_id, i.id AS id, CAST(0 AS bigint) AS part, 'a state' AS expected, \
               'none' AS found FROM invoice i \
               LEFT JOIN invoice_state s ON s.account_id = i.account_id AND s.invoice_id = i.id \
               WHERE i.account_id BETWEEN $1 AND $2 AND s.invoice_id IS NULL",
    },
    Check {
        what: "an invoice is OVERDUE as long as a debt of it is open",
        place: invoice_place,
        text: "SELECT s.account_id AS account_id, s.invoice_id AS id, CAST(0 AS bigint) AS part, \
               CASE WHEN d.open IS NULL THEN 'another state' ELSE 'OVERDUE' END AS expected, s.state AS found \
               FROM invoice_state s LEFT JOIN (SELECT account_id, invoice_id, COUNT(*) AS open FROM debt \
               WHERE account_id BETWEEN $1 AND $2 AND closed_at IS NULL GROUP BY account_id, invoice_id) d \
               ON d.account_id = s.account_id AND d.invoice_id = s.invoice_id \
               WHERE s.account_id BETWEEN $1 AND $2 AND (s.state = 'OVERDUE') <> (d.open IS NOT NULL)",
    },
];

/// An amount per account, in minor units.
pub(crate) type Sum = (AccountId, Currency, i64);

/// What is unpaid: invoices whose collection goes on, and open debts.
pub(crate) const UNPAID: &str = "SELECT account_id, currency, CAST(SUM(amount) AS bigint) FROM ( \
     SELECT i.account_id AS account_id, i.currency AS currency, i.amount_incl_tax AS amount FROM invoice i \
     JOIN invoice_state s ON s.account_id = i.account_id AND s.invoice_id = i.id \
     WHERE i.account_id BETWEEN $1 AND $2 AND s.state IN ('ISSUED', 'COLLECTING') UNION ALL \
     SELECT account_id, currency, amount - credited FROM debt \
     WHERE account_id BETWEEN $1 AND $2 AND closed_at IS NULL) owed GROUP BY account_id, currency";

/// VAT that was invoiced, less what was credited; of disputed orders also what no document says: what was credited
/// without a note, and what is due again since the dispute was won.
pub(crate) const VAT: &str = "SELECT account_id, currency, CAST(SUM(tax) AS bigint) FROM ( \
     SELECT account_id, currency, tax_total AS tax FROM invoice WHERE account_id BETWEEN $1 AND $2 UNION ALL \
     SELECT account_id, currency, -tax_total FROM credit_note WHERE account_id BETWEEN $1 AND $2 UNION ALL \
     SELECT account_id, currency, CASE WHEN won_at IS NULL THEN 0 ELSE tax END - tax_unnoted FROM order_dispute \
     WHERE account_id BETWEEN $1 AND $2) taxed GROUP BY account_id, currency";

/// What was given up, less what credit notes took back of the sale since, and what disputes that were won brought.
pub(crate) const LOST: &str = "SELECT account_id, currency, CAST(SUM(lost) AS bigint) FROM ( \
     SELECT account_id, currency, amount - credited AS lost FROM debt \
     WHERE account_id BETWEEN $1 AND $2 AND ending = 'WRITTEN_OFF' UNION ALL \
     SELECT account_id, currency, lowered_debt + refunded - amount_incl_tax FROM credit_note \
     WHERE account_id BETWEEN $1 AND $2 AND reason = 'CORRECTION' UNION ALL \
     SELECT account_id, currency, -recovered FROM order_dispute WHERE account_id BETWEEN $1 AND $2 UNION ALL \
     SELECT account_id, currency, -recovered FROM invoice_dispute WHERE account_id BETWEEN $1 AND $2) given_up \
     GROUP BY account_id, currency";

/// What disputes took back and is accounted for: owed again, or credited. Of an order that is disputed in parts the two
/// can come to a cent more or less, by rounding.
pub(crate) const DISPUTED: &str = "SELECT account_id, currency, CAST(SUM(amount) AS bigint) FROM ( \
     SELECT account_id, currency, amount FROM invoice_dispute \
     WHERE account_id BETWEEN $1 AND $2 AND won_at IS NULL UNION ALL \
     SELECT account_id, currency, revoked + tax + owed FROM order_dispute \
     WHERE account_id BETWEEN $1 AND $2 AND won_at IS NULL) disputed GROUP BY account_id, currency";

/// Net in money that was invoiced of usage, less what was credited.
pub(crate) const INCOME: &str = "SELECT account_id, currency, CAST(SUM(net) AS bigint) FROM ( \
     SELECT account_id, currency, net_after_credit AS net FROM invoice \
     WHERE account_id BETWEEN $1 AND $2 AND kind <> 'PURCHASE' UNION ALL \
     SELECT n.account_id, n.currency, -n.net_money FROM credit_note n \
     JOIN invoice i ON i.account_id = n.account_id AND i.id = n.invoice_id \
     WHERE n.account_id BETWEEN $1 AND $2 AND i.kind <> 'PURCHASE') sold GROUP BY account_id, currency";

/// What one of the queries above adds up for `accounts`.
pub(crate) async fn sums(
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

/// What lots covered of invoices, by funding kind.
pub(crate) async fn covered(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<(AccountId, String, Currency, i64)>, DbErr> {
    let text = "SELECT d.account_id, d.funding_kind, i.currency, CAST(SUM(d.amount) AS bigint) \
                FROM invoice_debit d JOIN invoice i ON i.account_id = d.account_id AND i.id = d.invoice_id \
                WHERE d.account_id BETWEEN $1 AND $2 AND d.funding_kind <> 'PAYMENT_METHOD' \
                GROUP BY d.account_id, d.funding_kind, i.currency";
    let values = [accounts.first.into(), accounts.last.into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    let read = |row: &QueryResult| {
        let currency: Code = row.try_get_by_index(2)?;
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, currency.0, row.try_get_by_index(3)?))
    };
    rows.iter().map(read).collect()
}

/// A document of an account, and the number it bears.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Bearer {
    pub(crate) account_id: AccountId,
    pub(crate) id: Uuid,
    pub(crate) number: String,
}

/// Invoices of `accounts` after one of them, by account and id.
pub(crate) async fn invoices(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    after: (AccountId, Uuid),
    fetch: u64,
) -> Result<Vec<Bearer>, DbErr> {
    bearers(connection, "invoice", accounts, after, fetch).await
}

/// As [`invoices`], for credit notes.
pub(crate) async fn credit_notes(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    after: (AccountId, Uuid),
    fetch: u64,
) -> Result<Vec<Bearer>, DbErr> {
    bearers(connection, "credit_note", accounts, after, fetch).await
}

async fn bearers(
    connection: &impl ConnectionTrait,
    table: &str,
    accounts: AccountRange,
    after: (AccountId, Uuid),
    fetch: u64,
) -> Result<Vec<Bearer>, DbErr> {
    let text = format!(
        "SELECT account_id, id, number FROM {table} WHERE account_id BETWEEN $1 AND $2 \
         AND (account_id, id) > ($3, $4) ORDER BY account_id, id LIMIT {fetch}"
    );
    let values: [Value; 4] = [accounts.first.into(), accounts.last.into(), after.0.into(), after.1.into()];
    let rows = connection.query_all_raw(sql(connection, &text, values)).await?;
    rows.iter().map(|row| Bearer::from_query_result(row, "")).collect()
}

/// What credit notes say goes back, in minor units.
pub(crate) async fn refunded(
    connection: &impl ConnectionTrait,
    account: AccountId,
    notes: &[CreditNoteId],
) -> Result<BTreeMap<CreditNoteId, i64>, DbErr> {
    let mut found = BTreeMap::new();
    for chunk in notes.chunks(BINDS_MAX - 1) {
        let places = (2..chunk.len() + 2).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!("SELECT id, refunded FROM credit_note WHERE account_id = $1 AND id IN ({places})");
        let values = std::iter::once(Value::from(account)).chain(chunk.iter().map(|id| Value::from(*id)));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            found.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
    }
    Ok(found)
}

/// Which of `numbers` (series, year, number) are given to which document.
pub(crate) async fn assigned(
    connection: &impl ConnectionTrait,
    numbers: &[(String, i64, i64)],
) -> Result<Vec<((String, i64, i64), (AccountId, Uuid))>, DbErr> {
    let mut found = Vec::with_capacity(numbers.len());
    for chunk in numbers.chunks(BINDS_MAX / 3) {
        let places = (0..chunk.len()).map(|n| format!("(${}, ${}, ${})", 3 * n + 1, 3 * n + 2, 3 * n + 3));
        let text = format!(
            "SELECT series, year, number, account_id, invoice_id FROM invoice_number \
             WHERE (series, year, number) IN (VALUES {})",
            places.collect::<Vec<_>>().join(", ")
        );
        let values = chunk.iter().flat_map(|(series, year, number)| {
            [Value::from(series.as_str()), (*year).into(), (*number).into()]
        });
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let number = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            found.push((number, (row.try_get_by_index(3)?, row.try_get_by_index(4)?)));
        }
    }
    Ok(found)
}

/// How far a series of a year has come.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Counter {
    pub(crate) series: String,
    pub(crate) year: i64,
    pub(crate) last_number: i64,
    pub(crate) last_issued_at: At,
}

/// Every series; there are few.
pub(crate) async fn series(connection: &impl ConnectionTrait) -> Result<Vec<Counter>, DbErr> {
    let text = "SELECT series, year, last_number, last_issued_at FROM invoice_series ORDER BY series, year";
    let rows = connection.query_all_raw(sql(connection, text, [])).await?;
    rows.iter().map(|row| Counter::from_query_result(row, "")).collect()
}

/// A number that was given, and what the document it was given to says.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Given {
    pub(crate) number: i64,
    pub(crate) borne: Option<String>,
    pub(crate) issued_at: Option<At>,
}

/// Numbers of a series and year after one of them, in order, with their documents.
pub(crate) async fn numbers(
    connection: &impl ConnectionTrait,
    counter: &Counter,
    after: i64,
    fetch: u64,
) -> Result<Vec<Given>, DbErr> {
    let text = format!(
        "SELECT n.number AS number, COALESCE(i.number, c.number) AS borne, \
         COALESCE(i.issued_at, c.issued_at) AS issued_at FROM invoice_number n \
         LEFT JOIN invoice i ON i.account_id = n.account_id AND i.id = n.invoice_id \
         LEFT JOIN credit_note c ON c.account_id = n.account_id AND c.id = n.invoice_id \
         WHERE n.series = $1 AND n.year = $2 AND n.number > $3 ORDER BY n.number LIMIT {fetch}"
    );
    let values = [counter.series.as_str().into(), counter.year.into(), after.into()];
    let rows = connection.query_all_raw(sql(connection, &text, values)).await?;
    rows.iter().map(|row| Given::from_query_result(row, "")).collect()
}

/// Movements of money, as the ledger reads them.
pub(crate) const MOVEMENTS: MovementTable = MovementTable {
    name: TABLE,
    columns: "account_id, sequence, kind, debit_ledger, credit_ledger, currency, amount, tax_category, tax_rate, \
              effective_at, recorded_at, document, digest",
    read: recorded,
};

fn recorded(row: &QueryResult) -> Result<Recorded, DbErr> {
    let text = |column| row.try_get::<String>("", column);
    let optional = |column| row.try_get::<Option<String>>("", column);
    let (kind, currency, document) = (text("kind")?, text("currency")?, text("document")?);
    let (debit, credit) = (text("debit_ledger")?, text("credit_ledger")?);
    let (category, rate) = (optional("tax_category")?, optional("tax_rate")?);
    let minor = row.try_get::<i64>("", "amount")?;
    let effective = At::as_written(row, "effective_at")?.unwrap_or(Instant::MIN);
    let recorded = At::as_written(row, "recorded_at")?.unwrap_or(Instant::MIN);
    let columns = Canonical::new()
        .text(&kind)
        .text(&debit)
        .text(&credit)
        .text(&currency)
        .integer(minor)
        .optional(category.as_deref())
        .optional(rate.as_deref())
        .instant(effective)
        .instant(recorded)
        .text(&document);
    Ok(Recorded {
        sequence: row.try_get("", "sequence")?,
        digest: Digest::from_bytes(&row.try_get::<Vec<u8>>("", "digest")?),
        unchained: Unchained { account: row.try_get("", "account_id")?, table: TABLE, columns },
        kind,
        lot_kind: None,
        debit,
        credit,
        currency,
        minor,
        tax: category.zip(rate),
        effective,
        recorded,
        document,
    })
}
