//! Rows of disputed orders: what each dispute revoked, credited and left owed (R6.11).

use florin_credit::OrderId;
use florin_payment::{DisputeId, PaymentId};
use florin_platform::{
    column::{At, Code},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Money};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::{debt::DebtId, invoice::InvoiceId};

/// What a dispute of an order's payment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderDispute {
    pub(crate) account: AccountId,
    pub(crate) id: DisputeId,
    pub(crate) payment: PaymentId,
    pub(crate) order: OrderId,
    /// What is disputed, with VAT.
    pub(crate) amount: Money,
    /// What of the lot was revoked, net.
    pub(crate) revoked: Money,
    /// Its VAT, which is credited.
    pub(crate) tax: Money,
    /// What of this VAT no credit note says, because nothing was left of the invoice to credit.
    pub(crate) tax_unnoted: Money,
    /// What the used part is owed for, with VAT.
    pub(crate) owed: Money,
    /// The debt it is part of, if anything is owed.
    pub(crate) debt: Option<DebtId>,
    /// When it was won.
    pub(crate) won: Option<Instant>,
}

pub(crate) async fn insert(tx: &Tx, at: Instant, dispute: &OrderDispute) -> Result<(), DbErr> {
    let text = "INSERT INTO order_dispute (account_id, id, payment_id, order_id, currency, amount, revoked, tax, \
                tax_unnoted, owed, debt_id, opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = [
        dispute.account.into(),
        dispute.id.into(),
        dispute.payment.into(),
        dispute.order.into(),
        Code(dispute.amount.currency()).into(),
        dispute.amount.minor().into(),
        dispute.revoked.minor().into(),
        dispute.tax.minor().into(),
        dispute.tax_unnoted.minor().into(),
        dispute.owed.minor().into(),
        dispute.debt.into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: DisputeId,
) -> Result<Option<OrderDispute>, DbErr> {
    let text = "SELECT payment_id, order_id, currency, amount, revoked, owed, debt_id, won_at, tax, tax_unnoted \
                FROM order_dispute WHERE account_id = $1 AND id = $2";
    let Some(row) = connection.query_one_raw(sql(connection, text, [account.into(), id.into()])).await?
    else {
        return Ok(None);
    };
    let currency: Code = row.try_get_by_index(2)?;
    let amount = |index| row.try_get_by_index(index).map(|minor: i64| Money::new(minor, currency.0));
    let won: Option<At> = row.try_get_by_index(7)?;
    Ok(Some(OrderDispute {
        account,
        id,
        payment: row.try_get_by_index(0)?,
        order: row.try_get_by_index(1)?,
        amount: amount(3)?,
        revoked: amount(4)?,
        tax: amount(8)?,
        tax_unnoted: amount(9)?,
        owed: amount(5)?,
        debt: row.try_get_by_index(6)?,
        won: won.map(Into::into),
    }))
}

/// How much of a payment is disputed and was not won.
pub(crate) async fn disputed(
    connection: &impl ConnectionTrait,
    account: AccountId,
    payment: PaymentId,
    currency: Currency,
) -> Result<Money, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(amount), 0) AS bigint) FROM order_dispute \
                WHERE account_id = $1 AND payment_id = $2 AND won_at IS NULL";
    sum(connection, text, [account.into(), payment.into()], currency).await
}

/// How much of the one line of a purchase invoice was credited.
pub(crate) async fn credited(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
    currency: Currency,
) -> Result<Money, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(net), 0) AS bigint) FROM credit_note_line \
                WHERE account_id = $1 AND invoice_id = $2";
    sum(connection, text, [account.into(), invoice.into()], currency).await
}

async fn sum(
    connection: &impl ConnectionTrait,
    text: &str,
    values: [sea_orm::Value; 2],
    currency: Currency,
) -> Result<Money, DbErr> {
    let row = connection.query_one_raw(sql(connection, text, values)).await?;
    let minor: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Money::new(minor, currency))
}

/// What was part of one debt is part of another from now on.
pub(crate) async fn move_debt(tx: &Tx, account: AccountId, from: DebtId, to: DebtId) -> Result<(), DbErr> {
    let text =
        "UPDATE order_dispute SET debt_id = $3 WHERE account_id = $1 AND debt_id = $2 AND won_at IS NULL";
    tx.execute_raw(sql(tx, text, [account.into(), from.into(), to.into()])).await.map(|_| ())
}

/// Writes down that a dispute was won, and what of a debt that was given up its money recovers.
pub(crate) async fn won(
    tx: &Tx,
    at: Instant,
    (account, id): (AccountId, DisputeId),
    recovered: Money,
) -> Result<(), DbErr> {
    let text = "UPDATE order_dispute SET won_at = $3, recovered = $4 \
                WHERE account_id = $1 AND id = $2 AND won_at IS NULL";
    let values = [account.into(), id.into(), At::from(at).into(), recovered.minor().into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
