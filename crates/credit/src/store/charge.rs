//! What payments of an order were charged with, where it differs from the order (R8.4), and an order's parties as
//! they were when it was placed: rows written once.

use std::collections::HashMap;

use florin_account::Parties;
use florin_payment::PaymentId;
use florin_platform::{
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, Money, TaxCategory, TaxRate};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

use crate::domain::order::{OrderId, Price};

const TABLE: &str = "credit_order_charge";

#[derive(Debug, FromQueryResult)]
struct Row {
    order_id: OrderId,
    tax_category: String,
    tax_rate: String,
    tax_mention: Option<String>,
    tax: i64,
    gross: i64,
}

impl Row {
    fn price(self, net: Money) -> Result<Price, CorruptRow> {
        Ok(Price {
            net,
            tax_category: TaxCategory::parse(&self.tax_category).map_err(CorruptRow::of(TABLE))?,
            tax_rate: TaxRate::parse(&self.tax_rate).map_err(CorruptRow::of(TABLE))?,
            tax_mention: self.tax_mention,
            tax: Money::new(self.tax, net.currency()),
            gross: Money::new(self.gross, net.currency()),
        })
    }
}

/// Notes what `payment` of `order` is charged with.
pub(crate) async fn insert(
    tx: &Tx,
    at: Instant,
    (account, order): (AccountId, OrderId),
    payment: PaymentId,
    price: &Price,
) -> Result<(), DbErr> {
    let text = "INSERT INTO credit_order_charge (account_id, order_id, payment_id, tax_category, tax_rate, \
                tax_mention, tax, gross, quoted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = [
        account.into(),
        order.into(),
        payment.into(),
        price.tax_category.as_str().into(),
        price.tax_rate.to_string().into(),
        price.tax_mention.clone().into(),
        price.tax.minor().into(),
        price.gross.minor().into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// What these payments, each of the order and for the net beside it, were charged with; nothing is said of those
/// charged as ordered.
pub(crate) async fn of_payments(
    connection: &impl ConnectionTrait,
    account: AccountId,
    payments: &[(OrderId, PaymentId, Money)],
) -> Result<HashMap<OrderId, Price>, DbErr> {
    if payments.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted = (2..payments.len() + 2).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "SELECT order_id, tax_category, tax_rate, tax_mention, tax, gross FROM {TABLE} \
         WHERE account_id = $1 AND payment_id IN ({wanted})"
    );
    let ids = payments.iter().map(|(_, payment, _)| Value::from(*payment));
    let values = std::iter::once(Value::from(account)).chain(ids);
    let mut charges = HashMap::new();
    for row in connection.query_all_raw(sql(connection, &text, values)).await? {
        let row = Row::from_query_result(&row, "")?;
        let id = row.order_id;
        if let Some((_, _, net)) = payments.iter().find(|(order, _, _)| *order == id) {
            charges.insert(id, row.price(*net)?);
        }
    }
    Ok(charges)
}

/// Keeps the parties of an order.
pub(crate) async fn insert_parties(
    tx: &Tx,
    account: AccountId,
    order: OrderId,
    parties: &Parties,
) -> Result<(), DbErr> {
    let text = "INSERT INTO credit_order_document (account_id, order_id, language, seller, buyer, mentions) \
                VALUES ($1, $2, $3, $4, $5, $6)";
    let values = [
        account.into(),
        order.into(),
        parties.language.as_str().into(),
        parties.seller.as_str().into(),
        parties.buyer.as_str().into(),
        parties.mentions.as_str().into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// The parties of an order as they were when it was placed.
pub(crate) async fn parties(
    connection: &impl ConnectionTrait,
    account: AccountId,
    order: OrderId,
) -> Result<Option<Parties>, DbErr> {
    let text = "SELECT language, seller, buyer, mentions FROM credit_order_document \
                WHERE account_id = $1 AND order_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), order.into()])).await?;
    row.map(|row| {
        Ok(Parties {
            language: row.try_get_by_index(0)?,
            seller: row.try_get_by_index(1)?,
            buyer: row.try_get_by_index(2)?,
            mentions: row.try_get_by_index(3)?,
        })
    })
    .transpose()
}
