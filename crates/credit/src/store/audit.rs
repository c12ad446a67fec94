//! What the rows of credit say about each other (R14.5), and movements as they are stored, whatever that is.

use florin_account::ledger::{Canonical, Digest, MovementTable, Recorded, Unchained};
use florin_platform::{
    column::{At, Code},
    db::{BINDS_MAX, sql},
    finding::{AccountRange, Check},
    id::AccountId,
    wire::{account_name, child_name},
};
use florin_settlement::{Currency, Instant};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult, Value, prelude::Uuid};

use super::movement::TABLE;
use crate::domain::{
    campaign::CampaignId, lot::CreditId, movement::IssuedFor, order::OrderId, redemption::RedemptionId,
};

fn lot_place(account: AccountId, id: Uuid, _: i64) -> String {
    child_name(account, "credits", CreditId::from_uuid(id))
}

fn movement_place(account: AccountId, id: Uuid, sequence: i64) -> String {
    format!("{}/movements/{sequence}", lot_place(account, id, sequence))
}

fn redemption_place(account: AccountId, id: Uuid, _: i64) -> String {
    child_name(account, "redemptions", RedemptionId::from_uuid(id))
}

fn account_place(account: AccountId, _: Uuid, _: i64) -> String {
    account_name(account)
}

fn order_place(account: AccountId, id: Uuid, _: i64) -> String {
    child_name(account, "creditOrders", OrderId::from_uuid(id))
}

/// What movements add up to, by lot, of the accounts between `$1` and `$2`.
macro_rules! sums {
    () => {
        "(SELECT account_id, lot_id, \
         CAST(SUM(CASE WHEN kind = 'ISSUED' THEN amount ELSE 0 END) AS bigint) AS issued, \
         CAST(SUM(CASE WHEN kind = 'ISSUED' THEN 0 ELSE amount END) AS bigint) AS taken \
         FROM credit_movement WHERE account_id BETWEEN $1 AND $2 GROUP BY account_id, lot_id)"
    };
}

/// The rules, each as a query for what breaks it.
pub(crate) const CHECKS: [Check; 10] = [
    Check {
        what: "a lot begins with what its ISSUED movement says",
        place: lot_place,
        text: concat!(
            "SELECT l.account_id AS account_id, l.id AS id, CAST(0 AS bigint) AS part, \
             CAST(COALESCE(m.issued, 0) AS text) AS expected, CAST(l.initial AS text) AS found \
             FROM credit_lot l LEFT JOIN ",
            sums!(),
            " m ON m.account_id = l.account_id AND m.lot_id = l.id \
             WHERE l.account_id BETWEEN $1 AND $2 AND l.initial <> COALESCE(m.issued, 0)"
        ),
    },
    Check {
        what: "what remains of a lot is what its movements leave",
        place: lot_place,
        text: concat!(
            "SELECT l.account_id AS account_id, l.id AS id, CAST(0 AS bigint) AS part, \
             CAST(l.initial - COALESCE(m.taken, 0) AS text) AS expected, CAST(l.remaining AS text) AS found \
             FROM credit_lot l LEFT JOIN ",
            sums!(),
            " m ON m.account_id = l.account_id AND m.lot_id = l.id \
             WHERE l.account_id BETWEEN $1 AND $2 AND l.remaining <> l.initial - COALESCE(m.taken, 0)"
        ),
    },
    Check {
        what: "a movement says what remained after it",
        place: movement_place,
        text: "SELECT account_id, lot_id AS id, sequence AS part, CAST(running AS text) AS expected, \
               CAST(remaining_after AS text) AS found FROM \
               (SELECT account_id, lot_id, sequence, remaining_after, \
               CAST(SUM(CASE WHEN kind = 'ISSUED' THEN amount ELSE -amount END) \
               OVER (PARTITION BY account_id, lot_id ORDER BY sequence) AS bigint) AS running \
               FROM credit_movement WHERE account_id BETWEEN $1 AND $2) moved WHERE running <> remaining_after",
    },
    Check {
        what: "a movement is of a lot of its kind and currency",
        place: movement_place,
        text: "SELECT m.account_id AS account_id, m.lot_id AS id, m.sequence AS part, \
               COALESCE(l.kind || ' ' || l.currency, 'a lot') AS expected, \
               m.lot_kind || ' ' || m.currency AS found FROM credit_movement m \
               LEFT JOIN credit_lot l ON l.account_id = m.account_id AND l.id = m.lot_id \
               WHERE m.account_id BETWEEN $1 AND $2 \
               AND (l.id IS NULL OR l.kind <> m.lot_kind OR l.currency <> m.currency)",
    },
    Check {
        what: "no more comes back of a lot than was taken from it",
        place: lot_place,
        text: "SELECT b.account_id AS account_id, b.source_lot_id AS id, CAST(0 AS bigint) AS part, \
               'at most ' || CAST(b.taken AS text) AS expected, CAST(b.back AS text) AS found FROM \
               (SELECT l.account_id, l.source_lot_id, CAST(SUM(l.initial) AS bigint) AS back, \
               (SELECT CAST(COALESCE(SUM(m.amount), 0) AS bigint) FROM credit_movement m \
               WHERE m.account_id = l.account_id AND m.lot_id = l.source_lot_id \
               AND m.kind = CASE l.origin WHEN 'CREDIT_NOTE' THEN 'DEBITED' ELSE 'DISPUTED' END) AS taken \
               FROM credit_lot l WHERE l.account_id BETWEEN $1 AND $2 AND l.source_lot_id IS NOT NULL \
               GROUP BY l.account_id, l.source_lot_id, l.origin) b WHERE b.back > b.taken",
    },
    Check {
        what: "the lot of a credit order is what was bought",
        place: order_place,
        text: "SELECT o.account_id AS account_id, o.id AS id, CAST(0 AS bigint) AS part, \
               CAST(o.net AS text) || ' ' || o.currency AS expected, \
               COALESCE(CAST(l.initial AS text) || ' ' || l.currency, 'no lot') AS found FROM credit_order o \
               LEFT JOIN credit_lot l ON l.account_id = o.account_id AND l.id = o.lot_id \
               WHERE o.account_id BETWEEN $1 AND $2 AND o.lot_id IS NOT NULL \
               AND (l.id IS NULL OR l.initial <> o.net OR l.currency <> o.currency OR l.kind <> 'CLOUD_CREDIT')",
    },
    Check {
        what: "the lot of a redeemed code is what its campaign gives",
        place: redemption_place,
        text: "SELECT r.account_id AS account_id, r.id AS id, CAST(0 AS bigint) AS part, \
               COALESCE(CAST(o.amount AS text) || ' ' || o.currency, 'no offer') AS expected, \
               CAST(r.amount AS text) || ' ' || r.currency || ', a lot of ' \
               || COALESCE(CAST(l.initial AS text) || ' ' || l.currency, 'nothing') AS found \
               FROM voucher_redemption r \
               LEFT JOIN campaign_offer o ON o.campaign_id = r.campaign_id AND o.currency = r.currency \
               LEFT JOIN credit_lot l ON l.account_id = r.account_id AND l.id = r.lot_id AND l.kind = 'VOUCHER' \
               WHERE r.account_id BETWEEN $1 AND $2 AND (l.id IS NULL OR o.campaign_id IS NULL \
               OR r.amount <> o.amount OR l.initial <> r.amount OR l.currency <> r.currency)",
    },
    Check {
        what: "what comes back of a lot is a lot like it",
        place: lot_place,
        text: "SELECT l.account_id AS account_id, l.id AS id, CAST(0 AS bigint) AS part, \
               COALESCE(s.kind || ' ' || s.currency, 'a source') || ', its owner, restriction and expiry' AS expected, \
               l.kind || ' ' || l.currency || ', others' AS found FROM credit_lot l \
               LEFT JOIN credit_lot s ON s.account_id = l.account_id AND s.id = l.source_lot_id \
               WHERE l.account_id BETWEEN $1 AND $2 AND l.source_lot_id IS NOT NULL AND (s.id IS NULL \
               OR s.kind <> l.kind OR s.currency <> l.currency OR s.restriction <> l.restriction \
               OR s.project_id IS DISTINCT FROM l.project_id OR s.expires_at IS DISTINCT FROM l.expires_at)",
    },
    Check {
        what: "what is taken back of loyalty is what its claim says",
        place: account_place,
        text: "SELECT c.account_id AS account_id, c.account_id AS id, CAST(0 AS bigint) AS part, \
               c.source || ': ' || CAST(c.taken AS text) AS expected, CAST(COALESCE(m.taken, 0) AS text) AS found \
               FROM loyalty_claim c LEFT JOIN (SELECT account_id, reference, CAST(SUM(amount) AS bigint) AS taken \
               FROM credit_movement WHERE account_id BETWEEN $1 AND $2 AND kind = 'CLAWBACK' \
               GROUP BY account_id, reference) m ON m.account_id = c.account_id AND m.reference = c.source \
               WHERE c.account_id BETWEEN $1 AND $2 AND c.taken <> COALESCE(m.taken, 0)",
    },
    Check {
        what: "no more loyalty is netted than is owed",
        place: account_place,
        text: "SELECT n.account_id AS account_id, n.account_id AS id, CAST(0 AS bigint) AS part, \
               'at most ' || CAST(n.owed AS text) AS expected, CAST(n.netted AS text) AS found FROM \
               (SELECT netting.account_id, CAST(SUM(netting.amount) AS bigint) AS netted, \
               (SELECT CAST(COALESCE(SUM(claim.amount - claim.taken), 0) AS bigint) FROM loyalty_claim claim \
               WHERE claim.account_id = netting.account_id) AS owed FROM loyalty_netting netting \
               WHERE netting.account_id BETWEEN $1 AND $2 GROUP BY netting.account_id) n WHERE n.netted > n.owed",
    },
];

/// What of a campaign was counted, in one currency: expected, by its codes and redemptions, and found.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Counted {
    pub(crate) campaign: CampaignId,
    pub(crate) currency: String,
    pub(crate) codes: i64,
    pub(crate) code_count: i64,
    pub(crate) redemptions: i64,
    pub(crate) use_count: i64,
    pub(crate) uses: i64,
    pub(crate) redeemed: i64,
    pub(crate) granted: i64,
    pub(crate) grantable: i64,
    pub(crate) reserved: i64,
}

/// Offers of campaigns after a place among them, in order. One statement, so that all of it is as of one moment.
pub(crate) async fn campaigns(
    connection: &impl ConnectionTrait,
    (campaign, currency): (CampaignId, &str),
    fetch: u64,
) -> Result<Vec<Counted>, DbErr> {
    let text = format!(
        "SELECT c.id AS campaign, o.currency AS currency, CAST(COALESCE(k.codes, 0) AS bigint) AS codes, \
         c.code_count AS code_count, (SELECT COUNT(*) FROM voucher_redemption r WHERE r.campaign_id = c.id) \
         AS redemptions, c.use_count AS use_count, CAST(COALESCE(k.uses, 0) AS bigint) AS uses, \
         (SELECT CAST(COALESCE(SUM(r.amount), 0) AS bigint) FROM voucher_redemption r \
         WHERE r.campaign_id = c.id AND r.currency = o.currency) AS redeemed, o.granted AS granted, \
         CASE WHEN c.code_style = 'SINGLE_USE' AND c.disabled_at IS NULL \
         THEN o.amount * (c.code_count - c.use_count) ELSE 0 END AS grantable, o.reserved AS reserved \
         FROM campaign_offer o JOIN campaign c ON c.id = o.campaign_id \
         LEFT JOIN (SELECT campaign_id, COUNT(*) AS codes, SUM(uses) AS uses FROM voucher_code \
         GROUP BY campaign_id) k ON k.campaign_id = c.id \
         WHERE (o.campaign_id, o.currency) > ($1, $2) ORDER BY o.campaign_id, o.currency LIMIT {fetch}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [campaign.into(), currency.into()])).await?;
    rows.iter().map(|row| Counted::from_query_result(row, "")).collect()
}

/// A lot in which something came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenBack {
    /// The lot it came back as.
    pub lot: CreditId,
    /// The one it had been taken from; none if it is not there, or is no such lot.
    pub source: Option<CreditId>,
    /// How much it began with, in minor units.
    pub minor: i64,
}

/// What stands of `lots` of an account, which credit notes gave back.
pub(crate) async fn given_back(
    connection: &impl ConnectionTrait,
    account: AccountId,
    lots: &[CreditId],
) -> Result<Vec<GivenBack>, DbErr> {
    let mut found = Vec::with_capacity(lots.len());
    for chunk in lots.chunks(BINDS_MAX - 1) {
        let wanted = (2..chunk.len() + 2).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT id, source_lot_id, initial FROM credit_lot \
             WHERE account_id = $1 AND origin = 'CREDIT_NOTE' AND id IN ({wanted})"
        );
        let values = std::iter::once(Value::from(account)).chain(chunk.iter().map(|id| Value::from(*id)));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let (lot, source, minor) =
                (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            found.push(GivenBack { lot, source, minor });
        }
    }
    Ok(found)
}

/// How movements of a kind stand in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) kind: String,
    pub(crate) lot_kind: String,
    pub(crate) issued: IssuedFor,
    pub(crate) debit: String,
    pub(crate) credit: String,
    pub(crate) account: AccountId,
}

/// Every way in which movements of `accounts` stand in the ledger, once per account.
pub(crate) async fn booked(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<Booked>, DbErr> {
    let text = "SELECT DISTINCT m.kind, m.lot_kind, l.origin = 'CREDIT_NOTE', m.debit_ledger, m.credit_ledger, \
                m.account_id FROM credit_movement m \
                JOIN credit_lot l ON l.account_id = m.account_id AND l.id = m.lot_id \
                WHERE m.account_id BETWEEN $1 AND $2";
    let values = [accounts.first.into(), accounts.last.into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    let read = |row: &QueryResult| {
        let undoes_use: bool = row.try_get_by_index(2)?;
        Ok(Booked {
            kind: row.try_get_by_index(0)?,
            lot_kind: row.try_get_by_index(1)?,
            issued: if undoes_use { IssuedFor::CreditedUse } else { IssuedFor::Sale },
            debit: row.try_get_by_index(3)?,
            credit: row.try_get_by_index(4)?,
            account: row.try_get_by_index(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// An amount per account: a kind of lots or movements, and what they add up to in minor units.
pub(crate) type Sum = (AccountId, String, Currency, i64);

/// What remains of lots, by kind.
pub(crate) async fn remaining(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<Sum>, DbErr> {
    let text = "SELECT account_id, kind, currency, CAST(SUM(remaining) AS bigint) FROM credit_lot \
                WHERE account_id BETWEEN $1 AND $2 GROUP BY account_id, kind, currency";
    sums(connection, text, accounts).await
}

/// What was taken to pay invoices, by kind of lot.
pub(crate) async fn debited(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<Sum>, DbErr> {
    let text = "SELECT account_id, lot_kind, currency, CAST(SUM(amount) AS bigint) FROM credit_movement \
                WHERE account_id BETWEEN $1 AND $2 AND kind = 'DEBITED' GROUP BY account_id, lot_kind, currency";
    sums(connection, text, accounts).await
}

/// What was bought and paid, and is not supplied yet (R6.4).
pub(crate) async fn unsupplied(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<Sum>, DbErr> {
    let text = "SELECT account_id, state, currency, CAST(SUM(net) AS bigint) FROM credit_order \
                WHERE account_id BETWEEN $1 AND $2 AND state = 'PAID' AND lot_id IS NULL \
                AND withdrawn_at IS NULL GROUP BY account_id, state, currency";
    sums(connection, text, accounts).await
}

/// What bought credit paid of invoices, less what credit notes gave back of it.
pub(crate) async fn used(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<Sum>, DbErr> {
    let text = "SELECT account_id, kind, currency, CAST(SUM(amount) AS bigint) FROM ( \
                SELECT account_id, lot_kind AS kind, currency, amount FROM credit_movement \
                WHERE account_id BETWEEN $1 AND $2 AND kind = 'DEBITED' AND lot_kind = 'CLOUD_CREDIT' UNION ALL \
                SELECT account_id, kind, currency, -initial FROM credit_lot \
                WHERE account_id BETWEEN $1 AND $2 AND kind = 'CLOUD_CREDIT' AND origin = 'CREDIT_NOTE' \
                ) used GROUP BY account_id, kind, currency";
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
        let currency: Code = row.try_get_by_index(2)?;
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, currency.0, row.try_get_by_index(3)?))
    };
    rows.iter().map(read).collect()
}

/// Movements of lots, as the ledger reads them.
pub const MOVEMENTS: MovementTable = MovementTable {
    name: TABLE,
    columns: "account_id, sequence, lot_id, lot_kind, kind, currency, amount, remaining_after, debit_ledger, \
              credit_ledger, effective_at, recorded_at, reference, digest",
    read: recorded,
};

fn recorded(row: &QueryResult) -> Result<Recorded, DbErr> {
    let text = |column| row.try_get::<String>("", column);
    let number = |column| row.try_get::<i64>("", column);
    let (lot_kind, kind, currency) = (text("lot_kind")?, text("kind")?, text("currency")?);
    let (debit, credit, document) = (text("debit_ledger")?, text("credit_ledger")?, text("reference")?);
    let minor = number("amount")?;
    let effective = At::as_written(row, "effective_at")?.unwrap_or(Instant::MIN);
    let recorded = At::as_written(row, "recorded_at")?.unwrap_or(Instant::MIN);
    let columns = Canonical::new()
        .id(row.try_get::<CreditId>("", "lot_id")?)
        .text(&lot_kind)
        .text(&kind)
        .text(&currency)
        .integer(minor)
        .integer(number("remaining_after")?)
        .text(&debit)
        .text(&credit)
        .instant(effective)
        .instant(recorded)
        .text(&document);
    Ok(Recorded {
        sequence: number("sequence")?,
        digest: Digest::from_bytes(&row.try_get::<Vec<u8>>("", "digest")?),
        unchained: Unchained { account: row.try_get("", "account_id")?, table: TABLE, columns },
        kind,
        lot_kind: Some(lot_kind),
        debit,
        credit,
        currency,
        minor,
        tax: None,
        effective,
        recorded,
        document,
    })
}
