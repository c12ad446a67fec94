//! Rows of what each funding kind covered of an invoice.

use florin_platform::{
    column::{CorruptRow, Minor},
    db::Tx,
    id::AccountId,
    set::insert_all,
};
use florin_settlement::{Currency, FundingKind};
use sea_orm::{ConnectionTrait, DbErr, Set, entity::prelude::*};

use crate::domain::invoice::{Content, Debit, InvoiceId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_debit")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) invoice_id: InvoiceId,
    #[sea_orm(primary_key, auto_increment = false)]
    funding_kind: String,
    amount: Minor,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn debit(&self, currency: Currency) -> Result<Debit, CorruptRow> {
        let kind = FundingKind::parse(&self.funding_kind).map_err(CorruptRow::of("invoice_debit"))?;
        Ok(Debit { kind, amount: self.amount.money(currency) })
    }
}

pub(crate) async fn insert(tx: &Tx, invoices: &[(InvoiceId, &Content)]) -> Result<(), DbErr> {
    let rows = invoices.iter().flat_map(|(id, content)| {
        content.debits.iter().map(|debit| ActiveModel {
            account_id: Set(content.account),
            invoice_id: Set(*id),
            funding_kind: Set(debit.kind.as_str().to_owned()),
            amount: Set(debit.amount.into()),
        })
    });
    insert_all(tx, rows.collect()).await
}

/// The debits of `invoices`, in no particular order.
pub(crate) async fn of(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoices: &[InvoiceId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.is_in(invoices.iter().copied()))
        .all(connection)
        .await
}
