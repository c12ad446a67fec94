//! Rows of invoice lines.

use std::num::NonZeroU32;

use florin_platform::{
    column::{At, CorruptRow, Minor, Rate},
    db::Tx,
    id::AccountId,
    set::insert_all,
};
use florin_project::ResourceId;
use florin_settlement::{Currency, Period, PlanFamily, Quantity, TaxCategory, TaxRate, UnitPrice};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, Set, entity::prelude::*};

use crate::domain::{
    charge::{Charge, LineTax, Subject, Usage},
    invoice::{Content, InvoiceId},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_line")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) invoice_id: InvoiceId,
    #[sea_orm(primary_key, auto_increment = false)]
    line_number: i64,
    resource_id: Option<ResourceId>,
    resource_name: String,
    plan: String,
    family: Option<String>,
    description: String,
    period_from: At,
    period_to: At,
    quantity: Rate,
    divisor: i64,
    unit: String,
    unit_price: Rate,
    net: Minor,
    tax_category: String,
    tax_rate: Rate,
    late: bool,
    region: String,
    labels: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "invoice_line";

impl Model {
    /// The line, without the legal mention, which stands with the tax.
    pub(crate) fn charge(self, currency: Currency) -> Result<Charge, CorruptRow> {
        let corrupt = CorruptRow::of(TABLE);
        let subject = match (self.resource_id, &self.family) {
            (Some(resource), Some(family)) => Subject::Usage(Usage {
                resource,
                resource_name: self.resource_name,
                plan: self.plan,
                family: PlanFamily::parse(family).map_err(CorruptRow::of(TABLE))?,
                region: self.region,
                labels: serde_json::from_str(&self.labels).map_err(CorruptRow::of(TABLE))?,
            }),
            (None, None) => Subject::Credit,
            (Some(_), None) | (None, Some(_)) => return Err(corrupt("a resource without a family")),
        };
        Ok(Charge {
            subject,
            description: self.description,
            period: Period::try_new(self.period_from.into(), self.period_to.into())
                .map_err(CorruptRow::of(TABLE))?,
            quantity: Quantity::try_new(self.quantity.0).map_err(CorruptRow::of(TABLE))?,
            divisor: divisor(self.divisor)?,
            unit: self.unit,
            unit_price: UnitPrice::try_new(self.unit_price.0, currency).map_err(CorruptRow::of(TABLE))?,
            net: self.net.money(currency),
            tax: LineTax {
                category: TaxCategory::parse(&self.tax_category).map_err(CorruptRow::of(TABLE))?,
                rate: TaxRate::try_new(self.tax_rate.0).map_err(CorruptRow::of(TABLE))?,
                mention: String::new(),
            },
            late: self.late,
        })
    }
}

fn divisor(stored: i64) -> Result<NonZeroU32, CorruptRow> {
    let divisor = u32::try_from(stored).ok().and_then(NonZeroU32::new);
    divisor.ok_or_else(|| CorruptRow::new(TABLE, "a divisor below 1"))
}

fn active(id: InvoiceId, content: &Content, number: i64, charge: &Charge) -> Result<ActiveModel, DbErr> {
    let usage = match &charge.subject {
        Subject::Usage(usage) => Some(usage),
        Subject::Credit => None,
    };
    let labels = match usage {
        Some(usage) => {
            serde_json::to_string(&usage.labels).map_err(|error| DbErr::Type(error.to_string()))?
        }
        None => "{}".to_owned(),
    };
    let text = |of: fn(&Usage) -> &String| usage.map(of).cloned().unwrap_or_default();
    Ok(ActiveModel {
        account_id: Set(content.account),
        invoice_id: Set(id),
        line_number: Set(number),
        resource_id: Set(usage.map(|usage| usage.resource)),
        resource_name: Set(text(|usage| &usage.resource_name)),
        plan: Set(text(|usage| &usage.plan)),
        family: Set(usage.map(|usage| usage.family.as_str().to_owned())),
        description: Set(charge.description.clone()),
        period_from: Set(charge.period.from().into()),
        period_to: Set(charge.period.to().into()),
        quantity: Set(Rate(charge.quantity.value())),
        divisor: Set(i64::from(charge.divisor.get())),
        unit: Set(charge.unit.clone()),
        unit_price: Set(Rate(charge.unit_price.amount())),
        net: Set(charge.net.into()),
        tax_category: Set(charge.tax.category.as_str().to_owned()),
        tax_rate: Set(Rate(charge.tax.rate.percent())),
        late: Set(charge.late),
        region: Set(text(|usage| &usage.region)),
        labels: Set(labels),
    })
}

pub(crate) async fn insert(tx: &Tx, invoices: &[(InvoiceId, &Content)]) -> Result<(), DbErr> {
    let mut rows = Vec::new();
    for (id, content) in invoices {
        for (number, charge) in (1_i64..).zip(&content.lines) {
            rows.push(active(*id, content, number, charge)?);
        }
    }
    insert_all(tx, rows).await
}

/// The lines of `invoices`, in each invoice's order.
pub(crate) async fn of(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoices: &[InvoiceId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.is_in(invoices.iter().copied()))
        .order_by_asc(Column::InvoiceId)
        .order_by_asc(Column::LineNumber)
        .all(connection)
        .await
}
