//! Rows of debts: opened, then closed, never changed.

use florin_platform::{
    column::{At, Code, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, Set, entity::prelude::*};

use super::insert_all;
use crate::domain::{
    invoice::InvoiceId,
    standing::{Debt, DebtId},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "debt")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: DebtId,
    invoice_id: InvoiceId,
    currency: Code,
    amount: Minor,
    opened_at: At,
    closed_at: Option<At>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

/// Opens debts; at most one is open per invoice, which the database also holds.
pub(crate) async fn open(tx: &Tx, debts: &[(AccountId, Debt)]) -> Result<(), DbErr> {
    let rows = debts.iter().map(|(account, debt)| ActiveModel {
        account_id: Set(*account),
        id: Set(debt.id),
        invoice_id: Set(debt.invoice),
        currency: Set(Code(debt.amount.currency())),
        amount: Set(debt.amount.into()),
        opened_at: Set(debt.opened.into()),
        closed_at: Set(None),
    });
    insert_all(tx, rows.collect()).await
}

/// Closes the open debt of an invoice; whether there was one.
pub(crate) async fn close(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    invoice: InvoiceId,
) -> Result<bool, DbErr> {
    let text = "UPDATE debt SET closed_at = $3 \
                WHERE account_id = $1 AND invoice_id = $2 AND closed_at IS NULL";
    let values = [account.into(), invoice.into(), At::from(at).into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() > 0)
}

/// Whether the account owes anything (R9.3).
pub(crate) async fn exists(connection: &impl ConnectionTrait, account: AccountId) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM debt WHERE account_id = $1 AND closed_at IS NULL LIMIT 1";
    Ok(connection.query_one_raw(sql(connection, text, [account.into()])).await?.is_some())
}
