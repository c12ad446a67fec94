//! Rows of the VAT of an invoice, per category and rate.

use florin_platform::{
    column::{CorruptRow, Minor, Rate},
    db::Tx,
    id::AccountId,
    set::insert_all,
};
use florin_settlement::{Currency, TaxCategory, TaxRate};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, Set, entity::prelude::*};

use crate::domain::invoice::{Content, InvoiceId, TaxLine};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_tax")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) invoice_id: InvoiceId,
    #[sea_orm(primary_key, auto_increment = false)]
    position: i64,
    category: String,
    rate: Rate,
    base: Minor,
    tax: Minor,
    mention: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "invoice_tax";

impl Model {
    pub(crate) fn tax_line(self, currency: Currency) -> Result<TaxLine, CorruptRow> {
        Ok(TaxLine {
            category: TaxCategory::parse(&self.category).map_err(CorruptRow::of(TABLE))?,
            rate: TaxRate::try_new(self.rate.0).map_err(CorruptRow::of(TABLE))?,
            base: self.base.money(currency),
            tax: self.tax.money(currency),
            mention: self.mention,
        })
    }
}

pub(crate) async fn insert(tx: &Tx, invoices: &[(InvoiceId, &Content)]) -> Result<(), DbErr> {
    let mut rows = Vec::new();
    for (id, content) in invoices {
        for (position, line) in (1_i64..).zip(&content.tax_lines) {
            rows.push(ActiveModel {
                account_id: Set(content.account),
                invoice_id: Set(*id),
                position: Set(position),
                category: Set(line.category.as_str().to_owned()),
                rate: Set(Rate(line.rate.percent())),
                base: Set(line.base.into()),
                tax: Set(line.tax.into()),
                mention: Set(line.mention.clone()),
            });
        }
    }
    insert_all(tx, rows).await
}

/// The tax of `invoices`, in each invoice's order.
pub(crate) async fn of(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoices: &[InvoiceId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.is_in(invoices.iter().copied()))
        .order_by_asc(Column::InvoiceId)
        .order_by_asc(Column::Position)
        .all(connection)
        .await
}
