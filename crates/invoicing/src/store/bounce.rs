//! Rows of disputed payments of invoices: what each took back of an invoice, and the debt it is part of (R3.7).

use florin_payment::{DisputeId, PaymentId};
use florin_platform::{
    column::{At, Code},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Money};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::{debt::DebtId, invoice::InvoiceId};

/// What a dispute took back of what had paid an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvoiceDispute {
    pub(crate) account: AccountId,
    pub(crate) invoice: InvoiceId,
    pub(crate) id: DisputeId,
    pub(crate) payment: PaymentId,
    /// How much of the invoice, with VAT.
    pub(crate) amount: Money,
    /// The debt it is part of.
    pub(crate) debt: DebtId,
    /// Whether it was won.
    pub(crate) won: bool,
}

pub(crate) async fn insert(tx: &Tx, at: Instant, dispute: &InvoiceDispute) -> Result<(), DbErr> {
    let text = "INSERT INTO invoice_dispute (account_id, invoice_id, dispute_id, payment_id, currency, amount, \
                debt_id, opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        dispute.account.into(),
        dispute.invoice.into(),
        dispute.id.into(),
        dispute.payment.into(),
        Code(dispute.amount.currency()).into(),
        dispute.amount.minor().into(),
        dispute.debt.into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// What a dispute took back, invoice by invoice.
pub(crate) async fn of_dispute(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: DisputeId,
) -> Result<Vec<InvoiceDispute>, DbErr> {
    let text = "SELECT invoice_id, payment_id, currency, amount, debt_id, won_at FROM invoice_dispute \
                WHERE account_id = $1 AND dispute_id = $2 ORDER BY invoice_id";
    let rows = connection.query_all_raw(sql(connection, text, [account.into(), id.into()])).await?;
    let read = |row: sea_orm::QueryResult| {
        let Code(currency) = row.try_get_by_index(2)?;
        let won: Option<At> = row.try_get_by_index(5)?;
        Ok(InvoiceDispute {
            account,
            invoice: row.try_get_by_index(0)?,
            id,
            payment: row.try_get_by_index(1)?,
            amount: Money::new(row.try_get_by_index(3)?, currency),
            debt: row.try_get_by_index(4)?,
            won: won.is_some(),
        })
    };
    rows.into_iter().map(read).collect()
}

/// What the bank holds back of what `payment` had paid of an invoice.
pub(crate) async fn held(
    connection: &impl ConnectionTrait,
    (account, invoice): (AccountId, InvoiceId),
    payment: PaymentId,
    currency: Currency,
) -> Result<Money, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(amount), 0) AS bigint) FROM invoice_dispute \
                WHERE account_id = $1 AND invoice_id = $2 AND payment_id = $3 AND won_at IS NULL";
    let values = [account.into(), invoice.into(), payment.into()];
    let row = connection.query_one_raw(sql(connection, text, values)).await?;
    let minor: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Money::new(minor, currency))
}

/// What disputes that were won brought of what had been given up of an invoice.
pub(crate) async fn recovered(
    connection: &impl ConnectionTrait,
    (account, invoice): (AccountId, InvoiceId),
    currency: Currency,
) -> Result<Money, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(recovered), 0) AS bigint) FROM invoice_dispute \
                WHERE account_id = $1 AND invoice_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), invoice.into()])).await?;
    let minor: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Money::new(minor, currency))
}

/// Writes down that a dispute was won, and what of a debt that was given up its money recovers.
pub(crate) async fn won(
    tx: &Tx,
    at: Instant,
    dispute: &InvoiceDispute,
    recovered: Money,
) -> Result<(), DbErr> {
    let text = "UPDATE invoice_dispute SET won_at = $4, recovered = $5 WHERE account_id = $1 AND invoice_id = $2 \
                AND dispute_id = $3 AND won_at IS NULL";
    let values = [
        dispute.account.into(),
        dispute.invoice.into(),
        dispute.id.into(),
        At::from(at).into(),
        recovered.minor().into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// What is disputed and was part of debt `from` is part of debt `to` from now on.
pub(crate) async fn move_debt(
    tx: &Tx,
    account: AccountId,
    invoice: InvoiceId,
    (from, to): (DebtId, DebtId),
) -> Result<(), DbErr> {
    let text = "UPDATE invoice_dispute SET debt_id = $4 WHERE account_id = $1 AND invoice_id = $2 \
                AND debt_id = $3 AND won_at IS NULL";
    let values = [account.into(), invoice.into(), from.into(), to.into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
