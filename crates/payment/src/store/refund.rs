//! Rows of refunds: one per payment and purpose, by a unique key.

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, QuerySelect, Set, entity::prelude::*};

use super::method::watch;
use crate::domain::{
    payment::PaymentId,
    refund::{Purpose, Refund, RefundId, RefundState},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_refund")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: RefundId,
    payment_id: PaymentId,
    purpose: String,
    amount: Minor,
    currency: Code,
    state: String,
    provider_reference: Option<String>,
    refusal_code: Option<String>,
    looks: i64,
    look_at: Option<At>,
    created_at: At,
    updated_at: At,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "payment_refund";

impl TryFrom<Model> for Refund {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        let state = match row.state.as_str() {
            "REQUESTED" => RefundState::Requested(watch(TABLE, row.looks, row.look_at)?),
            "DONE" => RefundState::Done,
            "REFUSED" => RefundState::Refused {
                code: row.refusal_code.ok_or_else(|| CorruptRow::new(TABLE, "no refusal_code"))?,
            },
            unknown => return Err(CorruptRow::new(TABLE, format!("unknown state {unknown}"))),
        };
        Ok(Self {
            account: row.account_id,
            id: row.id,
            payment: row.payment_id,
            purpose: Purpose::stored(row.purpose),
            provider_reference: row.provider_reference,
            amount: row.amount.money(row.currency.0),
            state,
            created: row.created_at.into(),
            updated: row.updated_at.into(),
        })
    }
}

fn active(refund: &Refund) -> ActiveModel {
    let (watch, refusal_code) = match &refund.state {
        RefundState::Requested(watch) => (Some(*watch), None),
        RefundState::Done => (None, None),
        RefundState::Refused { code } => (None, Some(code.clone())),
    };
    ActiveModel {
        account_id: Set(refund.account),
        id: Set(refund.id),
        payment_id: Set(refund.payment),
        purpose: Set(refund.purpose.as_str().to_owned()),
        amount: Set(refund.amount.into()),
        currency: Set(Code(refund.amount.currency())),
        state: Set(refund.state.as_str().to_owned()),
        provider_reference: Set(refund.provider_reference.clone()),
        refusal_code: Set(refusal_code),
        looks: Set(watch.map_or(0, |watch| i64::from(watch.looks))),
        look_at: Set(watch.map(|watch| watch.next.into())),
        created_at: Set(refund.created.into()),
        updated_at: Set(refund.updated.into()),
    }
}

pub(crate) async fn insert(tx: &Tx, refund: &Refund) -> Result<(), DbErr> {
    Entity::insert(active(refund)).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn save(tx: &Tx, refund: &Refund) -> Result<(), DbErr> {
    Entity::update(active(refund)).exec(tx).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: RefundId,
) -> Result<Option<Refund>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    Ok(row.map(Refund::try_from).transpose()?)
}

/// The refund of `payment` for `purpose`, if there ever was one.
pub(crate) async fn for_purpose(
    connection: &impl ConnectionTrait,
    account: AccountId,
    payment: PaymentId,
    purpose: &Purpose,
) -> Result<Option<Refund>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::PaymentId.eq(payment))
        .filter(Column::Purpose.eq(purpose.as_str()));
    Ok(query.one(connection).await?.map(Refund::try_from).transpose()?)
}

/// What has gone back of `payment`, or is going to, in minor units.
pub(crate) async fn promised(
    connection: &impl ConnectionTrait,
    account: AccountId,
    payment: PaymentId,
) -> Result<i64, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(amount), 0) AS bigint) FROM payment_refund \
                WHERE account_id = $1 AND payment_id = $2 AND state <> 'REFUSED'";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), payment.into()])).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// What is still to go back of `payment`.
pub(crate) async fn requested(
    connection: &impl ConnectionTrait,
    account: AccountId,
    payment: PaymentId,
) -> Result<Vec<RefundId>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::PaymentId.eq(payment))
        .filter(Column::State.eq("REQUESTED"))
        .order_by_asc(Column::Id);
    Ok(query.all(connection).await?.into_iter().map(|row| row.id).collect())
}

/// The earliest instant at which money is to go back.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(look_at) FROM payment_refund WHERE look_at IS NOT NULL";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let due: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(due.map(Into::into))
}

/// Refunds to make by `at`, the longest due first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, RefundId)>, DbErr> {
    let query =
        Entity::find().filter(Column::LookAt.lte(At::from(at))).order_by_asc(Column::LookAt).limit(limit);
    Ok(query.all(connection).await?.into_iter().map(|row| (row.account_id, row.id)).collect())
}
