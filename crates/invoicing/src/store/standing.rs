//! Rows of how far the collection of invoices is.

use florin_payment::PaymentId;
use florin_platform::{
    column::{At, CorruptRow},
    db::Tx,
    id::AccountId,
    set::insert_all,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, Set, entity::prelude::*};

use crate::domain::{
    invoice::InvoiceId,
    standing::{InvoiceState, Standing},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_state")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) invoice_id: InvoiceId,
    state: String,
    payment_id: Option<PaymentId>,
    paid_at: Option<At>,
    updated_at: At,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "invoice_state";

impl TryFrom<&Model> for Standing {
    type Error = CorruptRow;

    fn try_from(row: &Model) -> Result<Self, CorruptRow> {
        let state = InvoiceState::parse(&row.state).ok_or_else(|| CorruptRow::new(TABLE, "unknown state"))?;
        match (state, row.payment_id, row.paid_at) {
            (InvoiceState::Issued, None, None) => Ok(Self::Issued),
            (InvoiceState::Collecting, Some(payment), None) => Ok(Self::Collecting { payment }),
            (InvoiceState::Paid, payment, Some(at)) => Ok(Self::Paid { payment, at: at.into() }),
            (InvoiceState::Overdue, payment, None) => Ok(Self::Overdue { payment }),
            (InvoiceState::WrittenOff, None, None) => Ok(Self::WrittenOff),
            (state, _, _) => Err(CorruptRow::new(TABLE, format!("{} does not fit its data", state.as_str()))),
        }
    }
}

fn active(account: AccountId, invoice: InvoiceId, standing: Standing, at: Instant) -> ActiveModel {
    ActiveModel {
        account_id: Set(account),
        invoice_id: Set(invoice),
        state: Set(standing.state().as_str().to_owned()),
        payment_id: Set(standing.payment()),
        paid_at: Set(standing.paid_at().map(Into::into)),
        updated_at: Set(at.into()),
    }
}

pub(crate) async fn insert(
    tx: &Tx,
    at: Instant,
    invoices: &[(AccountId, InvoiceId, Standing)],
) -> Result<(), DbErr> {
    let rows = invoices.iter().map(|(account, invoice, standing)| active(*account, *invoice, *standing, at));
    insert_all(tx, rows.collect()).await
}

pub(crate) async fn save(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    invoice: InvoiceId,
    standing: Standing,
) -> Result<(), DbErr> {
    Entity::update(active(account, invoice, standing, at)).exec(tx).await.map(|_| ())
}

/// The standings of `invoices`, in no particular order.
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
