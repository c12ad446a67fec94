//! Rows of disputes: one per payment and name the provider gave it, by a unique key.

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::Tx,
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, Set, entity::prelude::*};

use crate::domain::{
    dispute::{Dispute, DisputeId, DisputeStanding},
    payment::PaymentId,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_dispute")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: DisputeId,
    payment_id: PaymentId,
    reference: String,
    amount: Minor,
    currency: Code,
    code: String,
    state: String,
    opened_at: At,
    updated_at: At,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "payment_dispute";

impl TryFrom<Model> for Dispute {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        let standing = DisputeStanding::parse(&row.state);
        Ok(Self {
            account: row.account_id,
            id: row.id,
            payment: row.payment_id,
            reference: row.reference,
            amount: row.amount.money(row.currency.0),
            code: row.code,
            standing: standing.ok_or_else(|| CorruptRow::new(TABLE, "unknown state"))?,
            opened: row.opened_at.into(),
            updated: row.updated_at.into(),
        })
    }
}

fn active(dispute: &Dispute) -> ActiveModel {
    ActiveModel {
        account_id: Set(dispute.account),
        id: Set(dispute.id),
        payment_id: Set(dispute.payment),
        reference: Set(dispute.reference.clone()),
        amount: Set(dispute.amount.into()),
        currency: Set(Code(dispute.amount.currency())),
        code: Set(dispute.code.clone()),
        state: Set(dispute.standing.as_str().to_owned()),
        opened_at: Set(dispute.opened.into()),
        updated_at: Set(dispute.updated.into()),
    }
}

pub(crate) async fn insert(tx: &Tx, dispute: &Dispute) -> Result<(), DbErr> {
    Entity::insert(active(dispute)).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn save(tx: &Tx, dispute: &Dispute) -> Result<(), DbErr> {
    Entity::update(active(dispute)).exec(tx).await.map(|_| ())
}

/// Every dispute of `payment`, oldest first.
pub(crate) async fn of_payment(
    connection: &impl ConnectionTrait,
    account: AccountId,
    payment: PaymentId,
) -> Result<Vec<Dispute>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::PaymentId.eq(payment))
        .order_by_asc(Column::Id);
    let rows = query.all(connection).await?;
    Ok(rows.into_iter().map(Dispute::try_from).collect::<Result<_, _>>()?)
}
