//! Rows of payments for several debts at once: one at a time is open per account (R9.3).

use florin_payment::PaymentId;
use florin_platform::{
    column::{At, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Money};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use crate::domain::debt::{DebtId, DebtSettlement, DebtSettlementId};

/// How a settlement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettlementEnd {
    Paid,
    Failed,
    Lapsed,
}

impl SettlementEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Lapsed => "LAPSED",
        }
    }
}

pub(crate) async fn insert(
    tx: &Tx,
    settlement: &DebtSettlement,
    items: &[(DebtId, Money)],
) -> Result<(), DbErr> {
    let text = "INSERT INTO debt_settlement (account_id, id, payment_id, state, created_at, lapses_at) \
                VALUES ($1, $2, $3, 'OPEN', $4, $5)";
    let values = [
        settlement.account.into(),
        settlement.id.into(),
        settlement.payment.into(),
        At::from(settlement.created).into(),
        At::from(settlement.lapses).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    for (debt, amount) in items {
        let text = "INSERT INTO debt_settlement_item (account_id, settlement_id, debt_id, amount) \
                    VALUES ($1, $2, $3, $4)";
        let values = [settlement.account.into(), settlement.id.into(), (*debt).into(), amount.minor().into()];
        tx.execute_raw(sql(tx, text, values)).await?;
    }
    Ok(())
}

const COLUMNS: &str = "account_id, id, payment_id, created_at, lapses_at";

fn read(row: &QueryResult) -> Result<DebtSettlement, DbErr> {
    let (created, lapses): (At, At) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
    Ok(DebtSettlement {
        account: row.try_get_by_index(0)?,
        id: row.try_get_by_index(1)?,
        payment: row.try_get_by_index::<PaymentId>(2)?,
        created: created.into(),
        lapses: lapses.into(),
    })
}

/// The settlement of the account that is open, if one is.
pub(crate) async fn open_of(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<DebtSettlement>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM debt_settlement WHERE account_id = $1 AND state = 'OPEN'");
    let row = connection.query_one_raw(sql(connection, &text, [account.into()])).await?;
    row.as_ref().map(read).transpose()
}

/// What a settlement pays.
pub(crate) async fn items(
    connection: &impl ConnectionTrait,
    account: AccountId,
    settlement: DebtSettlementId,
    currency: Currency,
) -> Result<Vec<(DebtId, Money)>, DbErr> {
    let text = "SELECT debt_id, amount FROM debt_settlement_item \
                WHERE account_id = $1 AND settlement_id = $2 ORDER BY debt_id";
    let rows = connection.query_all_raw(sql(connection, text, [account.into(), settlement.into()])).await?;
    rows.iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index::<Minor>(1)?.money(currency))))
        .collect()
}

/// Ends a settlement; one that has lapsed may still be paid.
pub(crate) async fn end(
    tx: &Tx,
    account: AccountId,
    settlement: DebtSettlementId,
    end: SettlementEnd,
) -> Result<(), DbErr> {
    let text = "UPDATE debt_settlement SET state = $3 \
                WHERE account_id = $1 AND id = $2 AND state IN ('OPEN', 'LAPSED')";
    let values = [account.into(), settlement.into(), end.as_str().into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Open settlements whose hour is over at `at`, the longest over first.
pub(crate) async fn over(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<DebtSettlement>, DbErr> {
    let text = format!(
        "SELECT {COLUMNS} FROM debt_settlement WHERE state = 'OPEN' AND lapses_at <= $1 \
         ORDER BY lapses_at, account_id LIMIT $2"
    );
    let values = [At::from(at).into(), i64::from(limit).into()];
    let rows = connection.query_all_raw(sql(connection, &text, values)).await?;
    rows.iter().map(read).collect()
}

/// A settlement that has begun is looked at again later.
pub(crate) async fn put_off(
    tx: &Tx,
    account: AccountId,
    settlement: DebtSettlementId,
    until: Instant,
) -> Result<(), DbErr> {
    let text = "UPDATE debt_settlement SET lapses_at = $3 WHERE account_id = $1 AND id = $2";
    let values = [account.into(), settlement.into(), At::from(until).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// When the next hour is over.
pub(crate) async fn next_over(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(lapses_at) FROM debt_settlement WHERE state = 'OPEN'";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let due: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(due.map(Into::into))
}
