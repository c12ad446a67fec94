//! Rows of credit orders, and the directory that finds one by its payment link.

use florin_payment::PaymentId;
use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, TaxCategory, TaxRate};
use sea_orm::{
    Condition, ConnectionTrait, DbErr, ExprTrait, QueryOrder, QuerySelect, Set, entity::prelude::*,
};

use super::charge;
use crate::domain::{
    lot::CreditId,
    order::{CreditOrder, OrderId, OrderState, Price},
    project_ref::ProjectId,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_order")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: OrderId,
    number: String,
    project_id: ProjectId,
    initial: bool,
    currency: Code,
    net: Minor,
    tax_category: String,
    tax_rate: String,
    tax_mention: Option<String>,
    tax: Minor,
    gross: Minor,
    state: String,
    payment_id: Option<PaymentId>,
    paid_at: Option<At>,
    supply_at: Option<At>,
    lot_id: Option<CreditId>,
    purchase_invoice: Option<String>,
    withdrawable: bool,
    supply_requested_at: Option<At>,
    created_at: At,
    expires_at: At,
    version: i64,
    updated_at: At,
    withdrawn_at: Option<At>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "credit_order";
const AWAITING: &str = "AWAITING_PAYMENT";
const EXPIRED: &str = "EXPIRED";
const PAID: &str = "PAID";
const WITHDRAWN: &str = "WITHDRAWN";

impl TryFrom<Model> for CreditOrder {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        let state = match (row.state.as_str(), row.paid_at, row.supply_at) {
            (AWAITING, None, None) => OrderState::AwaitingPayment,
            ("PROCESSING", None, None) => OrderState::Processing,
            (PAID, Some(paid), Some(supply)) if row.withdrawn_at.is_some() => OrderState::Withdrawn {
                paid: paid.into(),
                supply: supply.into(),
                withdrawn: row.withdrawn_at.unwrap_or(paid).into(),
            },
            (PAID, Some(paid), Some(supply)) => {
                OrderState::Paid { paid: paid.into(), supply: supply.into(), lot: row.lot_id }
            }
            ("CANCELED", None, None) => OrderState::Canceled,
            (EXPIRED, None, None) => OrderState::Expired,
            (_, _, _) => return Err(CorruptRow::new(TABLE, "a state that does not fit its instants")),
        };
        let currency = row.currency.0;
        Ok(Self {
            id: row.id,
            account: row.account_id,
            number: row.number,
            project: row.project_id,
            initial: row.initial,
            price: Price {
                net: row.net.money(currency),
                tax_category: TaxCategory::parse(&row.tax_category).map_err(CorruptRow::of(TABLE))?,
                tax_rate: TaxRate::parse(&row.tax_rate).map_err(CorruptRow::of(TABLE))?,
                tax_mention: row.tax_mention,
                tax: row.tax.money(currency),
                gross: row.gross.money(currency),
            },
            charged: None,
            state,
            payment: row.payment_id,
            purchase_invoice: row.purchase_invoice,
            withdrawable: row.withdrawable,
            supply_requested: row.supply_requested_at.map(Into::into),
            created: row.created_at.into(),
            expires: row.expires_at.into(),
            version: row.version,
            updated: row.updated_at.into(),
        })
    }
}

fn active(order: &CreditOrder) -> ActiveModel {
    let (paid, supply, lot, withdrawn) = match order.state {
        OrderState::Paid { paid, supply, lot } => (Some(paid), Some(supply), lot, None),
        OrderState::Withdrawn { paid, supply, withdrawn } => {
            (Some(paid), Some(supply), None, Some(withdrawn))
        }
        OrderState::AwaitingPayment | OrderState::Processing | OrderState::Canceled | OrderState::Expired => {
            (None, None, None, None)
        }
    };
    // Who withdrew had paid: that is another column.
    let state = if withdrawn.is_some() { PAID } else { order.state.as_str() };
    ActiveModel {
        account_id: Set(order.account),
        id: Set(order.id),
        number: Set(order.number.clone()),
        project_id: Set(order.project),
        initial: Set(order.initial),
        currency: Set(Code(order.price.net.currency())),
        net: Set(order.price.net.into()),
        tax_category: Set(order.price.tax_category.as_str().to_owned()),
        tax_rate: Set(order.price.tax_rate.to_string()),
        tax_mention: Set(order.price.tax_mention.clone()),
        tax: Set(order.price.tax.into()),
        gross: Set(order.price.gross.into()),
        state: Set(state.to_owned()),
        payment_id: Set(order.payment),
        paid_at: Set(paid.map(Into::into)),
        supply_at: Set(supply.map(Into::into)),
        lot_id: Set(lot),
        purchase_invoice: Set(order.purchase_invoice.clone()),
        withdrawable: Set(order.withdrawable),
        supply_requested_at: Set(order.supply_requested.map(Into::into)),
        created_at: Set(order.created.into()),
        expires_at: Set(order.expires.into()),
        version: Set(order.version),
        updated_at: Set(order.updated.into()),
        withdrawn_at: Set(withdrawn.map(Into::into)),
    }
}

pub(crate) async fn insert(tx: &Tx, order: &CreditOrder) -> Result<(), DbErr> {
    Entity::insert(active(order)).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn save(tx: &Tx, order: &CreditOrder) -> Result<(), DbErr> {
    Entity::update(active(order)).exec(tx).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: OrderId,
) -> Result<Option<CreditOrder>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    let found = row.map(CreditOrder::try_from).transpose()?.into_iter().collect();
    Ok(with_charges(connection, account, found).await?.pop())
}

/// Adds to paid orders what was charged, where it is not what was ordered (R8.4).
async fn with_charges(
    connection: &impl ConnectionTrait,
    account: AccountId,
    mut orders: Vec<CreditOrder>,
) -> Result<Vec<CreditOrder>, DbErr> {
    let paid = |order: &CreditOrder| match order.state {
        OrderState::Paid { .. } | OrderState::Withdrawn { .. } => {
            order.payment.map(|payment| (order.id, payment, order.price.net))
        }
        OrderState::AwaitingPayment | OrderState::Processing | OrderState::Canceled | OrderState::Expired => {
            None
        }
    };
    let payments: Vec<_> = orders.iter().filter_map(paid).collect();
    let mut charges = charge::of_payments(connection, account, &payments).await?;
    for order in &mut orders {
        order.charged = charges.remove(&order.id);
    }
    Ok(orders)
}

/// Which orders of an account are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only for this project.
    pub(crate) project: Option<ProjectId>,
    /// Only in one of these states, by their stored names; all when empty.
    pub(crate) states: Vec<&'static str>,
}

/// Orders in the order they were placed. States are those of `at`: what was not paid in time is
/// EXPIRED, whether or not a job has said so.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    filter: &Filter,
    at: Instant,
    after: Option<OrderId>,
    fetch: u64,
) -> Result<Vec<CreditOrder>, DbErr> {
    let mut query =
        Entity::find().filter(Column::AccountId.eq(account)).order_by_asc(Column::Id).limit(fetch);
    if let Some(project) = filter.project {
        query = query.filter(Column::ProjectId.eq(project));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    if !filter.states.is_empty() {
        let at = At::from(at);
        let any = filter.states.iter().fold(Condition::any(), |any, state| match *state {
            AWAITING => any.add(Column::State.eq(AWAITING).and(Column::ExpiresAt.gt(at))),
            EXPIRED => any
                .add(Column::State.eq(EXPIRED))
                .add(Column::State.eq(AWAITING).and(Column::ExpiresAt.lte(at))),
            PAID => any.add(Column::State.eq(PAID).and(Column::WithdrawnAt.is_null())),
            WITHDRAWN => any.add(Column::WithdrawnAt.is_not_null()),
            other => any.add(Column::State.eq(other)),
        });
        query = query.filter(any);
    }
    let rows = query.all(connection).await?;
    let found = rows.into_iter().map(CreditOrder::try_from).collect::<Result<_, _>>()?;
    with_charges(connection, account, found).await
}

/// Orders that were not paid in time at `at`, the longest overdue first.
pub(crate) async fn overdue(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, OrderId)>, DbErr> {
    keys(
        Entity::find()
            .filter(Column::State.eq(AWAITING).and(Column::ExpiresAt.lte(At::from(at))))
            .order_by_asc(Column::ExpiresAt)
            .limit(limit),
        connection,
    )
    .await
}

/// Paid orders whose lot was to be issued by `at` and was not, the longest overdue first.
pub(crate) async fn unsupplied(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, OrderId)>, DbErr> {
    keys(
        Entity::find()
            .filter(
                Column::State
                    .eq(PAID)
                    .and(Column::LotId.is_null())
                    .and(Column::WithdrawnAt.is_null())
                    .and(Column::SupplyAt.lte(At::from(at))),
            )
            .order_by_asc(Column::SupplyAt)
            .limit(limit),
        connection,
    )
    .await
}

async fn keys(
    query: Select<Entity>,
    connection: &impl ConnectionTrait,
) -> Result<Vec<(AccountId, OrderId)>, DbErr> {
    query.select_only().columns([Column::AccountId, Column::Id]).into_tuple().all(connection).await
}

/// When the next open order expires.
pub(crate) async fn next_expiry(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(expires_at) FROM credit_order WHERE state = 'AWAITING_PAYMENT'";
    earliest(connection, text).await
}

/// When the next paid order is to be supplied.
pub(crate) async fn next_supply(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(supply_at) FROM credit_order WHERE state = 'PAID' AND lot_id IS NULL \
                AND withdrawn_at IS NULL";
    earliest(connection, text).await
}

async fn earliest(connection: &impl ConnectionTrait, text: &str) -> Result<Option<Instant>, DbErr> {
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let at: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(at.map(Into::into))
}

/// Notes that the holder of a link may pay `order`.
pub(crate) async fn insert_link(
    tx: &Tx,
    token_digest: Vec<u8>,
    account: AccountId,
    order: OrderId,
) -> Result<(), DbErr> {
    let text = "INSERT INTO payment_link (token_digest, account_id, order_id) VALUES ($1, $2, $3)";
    tx.execute_raw(sql(tx, text, [token_digest.into(), account.into(), order.into()])).await.map(|_| ())
}

/// The order a link is of.
pub(crate) async fn by_link(
    connection: &impl ConnectionTrait,
    token_digest: Vec<u8>,
) -> Result<Option<(AccountId, OrderId)>, DbErr> {
    let text = "SELECT account_id, order_id FROM payment_link WHERE token_digest = $1";
    let row = connection.query_one_raw(sql(connection, text, [token_digest.into()])).await?;
    row.map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).transpose()
}
