//! Rows of what money of an invoice went back, from which payment and because of what: written once.

use florin_payment::PaymentId;
use florin_platform::{
    column::{At, Code},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Money};
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::domain::{credit_note::Refunded, invoice::InvoiceId};

/// Money of an invoice that went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvoiceRefund {
    /// The document or dispute because of which.
    pub(crate) source: String,
    /// What, of which payment.
    pub(crate) refunded: Refunded,
}

pub(crate) async fn insert(
    tx: &Tx,
    at: Instant,
    (account, invoice): (AccountId, InvoiceId),
    refund: &InvoiceRefund,
) -> Result<(), DbErr> {
    let InvoiceRefund { source, refunded } = refund;
    let text = "INSERT INTO invoice_refund (account_id, invoice_id, source, payment_id, currency, amount, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        account.into(),
        invoice.into(),
        source.as_str().into(),
        refunded.payment.into(),
        Code(refunded.amount.currency()).into(),
        refunded.amount.minor().into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// What went back of `invoices` of one account, the earliest payment first.
pub(crate) async fn of_invoices(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoices: &[InvoiceId],
) -> Result<Vec<InvoiceRefund>, DbErr> {
    let mut refunds = Vec::new();
    for chunk in invoices.chunks(BINDS_MAX - 1) {
        let wanted = (2..chunk.len() + 2).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT source, payment_id, currency, amount FROM invoice_refund \
             WHERE account_id = $1 AND invoice_id IN ({wanted}) ORDER BY payment_id, source"
        );
        let values = std::iter::once(Value::from(account)).chain(chunk.iter().map(|id| Value::from(*id)));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let Code(currency) = row.try_get_by_index(2)?;
            let amount = Money::new(row.try_get_by_index(3)?, currency);
            let refunded = Refunded { payment: row.try_get_by_index(1)?, amount };
            refunds.push(InvoiceRefund { source: row.try_get_by_index(0)?, refunded });
        }
    }
    Ok(refunds)
}

/// What of `payment` went back because of `invoice`.
pub(crate) async fn of_payment(
    connection: &impl ConnectionTrait,
    (account, invoice): (AccountId, InvoiceId),
    payment: PaymentId,
    currency: Currency,
) -> Result<Money, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(amount), 0) AS bigint) FROM invoice_refund \
                WHERE account_id = $1 AND invoice_id = $2 AND payment_id = $3";
    let values = [account.into(), invoice.into(), payment.into()];
    let row = connection.query_one_raw(sql(connection, text, values)).await?;
    let minor: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Money::new(minor, currency))
}
