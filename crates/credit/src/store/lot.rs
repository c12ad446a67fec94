//! Rows of credit lots. Inserted once; afterwards only `remaining` may fall, and the database sees to it.

use std::collections::HashMap;

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{BINDS_MAX, Tx},
    id::AccountId,
    set::{Kind, Set as Rows, is_among},
};
use florin_settlement::{Instant, LotKind, Money, Restriction};
use sea_orm::{
    ConnectionTrait, DbErr, ExprTrait, FromQueryResult, QueryOrder, QuerySelect, Set, entity::prelude::*,
};

use super::{
    loyalty,
    movement::{self, Filter},
};
use crate::domain::{
    grant::GrantId,
    lot::{CreditId, CreditLot, Origin, ReturnCause, Returned},
    order::OrderId,
    project_ref::ProjectId,
    redemption::RedemptionId,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_lot")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: CreditId,
    project_id: Option<ProjectId>,
    kind: String,
    currency: Code,
    initial: Minor,
    remaining: Minor,
    issued_at: At,
    expires_at: Option<At>,
    restriction: String,
    origin: String,
    origin_reference: String,
    masked_code: Option<String>,
    description: String,
    source_lot_id: Option<CreditId>,
    root_lot_id: Option<CreditId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "credit_lot";
const CREDIT_NOTE: &str = "CREDIT_NOTE";
const DISPUTE_WON: &str = "DISPUTE_WON";
const EARNING: &str = "EARNING";
/// Stands before what else makes an origin unique: a document gives back to several lots, an invoice that bounced
/// earns again.
const PART_MARK: char = '#';

impl TryFrom<Model> for CreditLot {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        let currency = row.currency.0;
        let reference = row.origin_reference;
        let origin = match (row.origin.as_str(), row.masked_code) {
            (origin @ (CREDIT_NOTE | DISPUTE_WON), None) => {
                let (source, root) = row
                    .source_lot_id
                    .zip(row.root_lot_id)
                    .ok_or_else(|| CorruptRow::new(TABLE, "comes back from nowhere"))?;
                let cause =
                    if origin == CREDIT_NOTE { ReturnCause::CreditNote } else { ReturnCause::DisputeWon };
                let document = reference.rsplit_once(PART_MARK).map_or("", |(document, _)| document);
                Origin::Returned(Returned { source, root, cause, document: document.to_owned() })
            }
            ("CREDIT_ORDER", None) => {
                Origin::CreditOrder(OrderId::parse(&reference).map_err(CorruptRow::of(TABLE))?)
            }
            ("VOUCHER_CODE", Some(masked)) => Origin::VoucherCode {
                redemption: RedemptionId::parse(&reference).map_err(CorruptRow::of(TABLE))?,
                masked,
            },
            ("GRANT", None) => Origin::Grant(GrantId::parse(&reference).map_err(CorruptRow::of(TABLE))?),
            (EARNING, None) => match reference.rsplit_once(PART_MARK) {
                Some((invoice, turn)) => Origin::Earning {
                    invoice: invoice.to_owned(),
                    turn: turn.parse().map_err(CorruptRow::of(TABLE))?,
                },
                None => Origin::Earning { invoice: reference, turn: 1 },
            },
            (_, _) => return Err(CorruptRow::new(TABLE, "unknown origin")),
        };
        Ok(Self {
            id: row.id,
            account: row.account_id,
            project: row.project_id,
            kind: LotKind::parse(&row.kind).map_err(CorruptRow::of(TABLE))?,
            initial: row.initial.money(currency),
            remaining: row.remaining.money(currency),
            issued: row.issued_at.into(),
            expires: row.expires_at.map(Into::into),
            restriction: Restriction::parse(&row.restriction).map_err(CorruptRow::of(TABLE))?,
            origin,
            description: row.description,
        })
    }
}

fn active(lot: &CreditLot) -> ActiveModel {
    let (origin, reference, masked) = match &lot.origin {
        Origin::CreditOrder(order) => ("CREDIT_ORDER", order.to_string(), None),
        Origin::VoucherCode { redemption, masked } => {
            ("VOUCHER_CODE", redemption.to_string(), Some(masked.clone()))
        }
        Origin::Grant(grant) => ("GRANT", grant.to_string(), None),
        Origin::Earning { invoice, turn: 1 } => (EARNING, invoice.clone(), None),
        Origin::Earning { invoice, turn } => (EARNING, format!("{invoice}{PART_MARK}{turn}"), None),
        Origin::Returned(Returned { source, cause, document, .. }) => {
            let origin = match cause {
                ReturnCause::CreditNote => CREDIT_NOTE,
                ReturnCause::DisputeWon => DISPUTE_WON,
            };
            (origin, format!("{document}{PART_MARK}{source}"), None)
        }
    };
    let (source, root) = match &lot.origin {
        Origin::Returned(returned) => (Some(returned.source), Some(returned.root)),
        Origin::CreditOrder(_) | Origin::VoucherCode { .. } | Origin::Grant(_) | Origin::Earning { .. } => {
            (None, None)
        }
    };
    ActiveModel {
        account_id: Set(lot.account),
        id: Set(lot.id),
        project_id: Set(lot.project),
        kind: Set(lot.kind.as_str().to_owned()),
        currency: Set(Code(lot.initial.currency())),
        initial: Set(lot.initial.into()),
        remaining: Set(lot.remaining.into()),
        issued_at: Set(lot.issued.into()),
        expires_at: Set(lot.expires.map(Into::into)),
        restriction: Set(lot.restriction.as_text()),
        origin: Set(origin.to_owned()),
        origin_reference: Set(reference),
        masked_code: Set(masked),
        description: Set(lot.description.clone()),
        source_lot_id: Set(source),
        root_lot_id: Set(root),
    }
}

pub(crate) async fn insert(tx: &Tx, lot: &CreditLot) -> Result<(), DbErr> {
    tx.touch_balance(lot.account);
    Entity::insert(active(lot)).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: CreditId,
) -> Result<Option<CreditLot>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    Ok(row.map(CreditLot::try_from).transpose()?)
}

/// A lot, and those in which something of it came back, oldest first.
pub(crate) async fn family(
    connection: &impl ConnectionTrait,
    account: AccountId,
    root: CreditId,
) -> Result<Vec<CreditLot>, DbErr> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Id.eq(root).or(Column::RootLotId.eq(root)))
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(CreditLot::try_from).collect::<Result<_, _>>()?)
}

/// The lots an invoice has earned, oldest first.
pub(crate) async fn of_earning(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: &str,
) -> Result<Vec<CreditLot>, DbErr> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Origin.eq(EARNING))
        .filter(Column::OriginReference.eq(invoice).or(Column::OriginReference.like(loyalty::later(invoice))))
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(CreditLot::try_from).collect::<Result<_, _>>()?)
}

/// The lots with these keys, in one query.
pub(crate) async fn find_many(
    connection: &impl ConnectionTrait,
    keys: &[(AccountId, CreditId)],
) -> Result<HashMap<CreditId, CreditLot>, DbErr> {
    let mut wanted = Rows::new([("account_id", Kind::Uuid), ("lot_id", Kind::Uuid)], keys.len());
    for (account, lot) in keys {
        wanted.push([(*account).into(), (*lot).into()]);
    }
    let text = |rows: &str| {
        format!("SELECT l.* FROM {rows} JOIN credit_lot l ON l.account_id = v.account_id AND l.id = v.lot_id")
    };
    let mut found = HashMap::with_capacity(keys.len());
    for row in wanted.read(connection, text).await? {
        let lot = CreditLot::try_from(Model::from_query_result(&row, "")?)?;
        found.insert(lot.id, lot);
    }
    Ok(found)
}

/// Whose lots are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of the whole account.
    AccountWide,
    /// Those of the whole account, and those of one project.
    AccountWideAnd(ProjectId),
    /// Those of one project.
    Project(ProjectId),
    /// All of the account, its projects' included.
    Everything,
}

/// An account's lots of which something is left, in the order they were issued.
pub(crate) async fn with_value(
    connection: &impl ConnectionTrait,
    account: AccountId,
    scope: Scope,
) -> Result<Vec<CreditLot>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Remaining.gt(Minor(0)))
        .order_by_asc(Column::Id);
    let rows = scoped(query, scope).all(connection).await?;
    Ok(rows.into_iter().map(CreditLot::try_from).collect::<Result<_, _>>()?)
}

/// All lots of many accounts of which something is left, by account and id.
pub(crate) async fn with_value_of(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<CreditLot>, DbErr> {
    let mut lots = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let rows = Entity::find()
            .filter(is_among(connection.get_database_backend(), Column::AccountId, chunk))
            .filter(Column::Remaining.gt(Minor(0)))
            .order_by_asc(Column::AccountId)
            .order_by_asc(Column::Id)
            .all(connection)
            .await?;
        for row in rows {
            lots.push(CreditLot::try_from(row)?);
        }
    }
    Ok(lots)
}

/// The lots of many accounts that expired after `since` and not after `at` and whose lapse is recorded, each with what
/// it held when it expired; by account and id.
pub(crate) async fn lapsed_of(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
    since: Instant,
    at: Instant,
) -> Result<Vec<CreditLot>, DbErr> {
    let mut lots = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX - 3) {
        let rows = Entity::find()
            .filter(is_among(connection.get_database_backend(), Column::AccountId, chunk))
            .filter(Column::Remaining.eq(Minor(0)))
            .filter(Column::ExpiresAt.gt(At::from(since)).and(Column::ExpiresAt.lte(At::from(at))))
            .order_by_asc(Column::AccountId)
            .order_by_asc(Column::Id)
            .all(connection)
            .await?;
        for row in rows {
            lots.push(CreditLot::try_from(row)?);
        }
    }
    let keys: Vec<_> = lots.iter().map(|lot| (lot.account, lot.id)).collect();
    let lapses = movement::lapses(connection, &keys).await?;
    // Of a lot that was used up nothing was left to lapse.
    lots.retain_mut(|lot| match lapses.get(&lot.id) {
        Some(minor) => {
            lot.remaining = Money::new(*minor, lot.initial.currency());
            true
        }
        None => false,
    });
    Ok(lots)
}

/// Takes each amount from its lot, in few statements. Says whether every lot had as much.
pub(crate) async fn take(tx: &Tx, amounts: &[(AccountId, CreditId, Money)]) -> Result<bool, DbErr> {
    for (account, _, _) in amounts {
        tx.touch_balance(*account);
    }
    let columns = [("account_id", Kind::Uuid), ("lot_id", Kind::Uuid), ("amount", Kind::Number)];
    let mut set = Rows::new(columns, amounts.len());
    for (account, lot, amount) in amounts {
        set.push([(*account).into(), (*lot).into(), amount.minor().into()]);
    }
    let text = |rows: &str| {
        format!(
            "UPDATE credit_lot SET remaining = remaining - v.amount FROM {rows} \
             WHERE credit_lot.account_id = v.account_id AND credit_lot.id = v.lot_id \
             AND credit_lot.remaining >= v.amount"
        )
    };
    let taken = set.execute(tx, text).await?;
    Ok(usize::try_from(taken) == Ok(amounts.len()))
}

/// One page of lots, spent ones included, in the order they were issued.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    account: AccountId,
    filter: &Filter,
    after: Option<CreditId>,
    fetch: u64,
) -> Result<Vec<CreditLot>, DbErr> {
    let query = Entity::find().filter(Column::AccountId.eq(account)).order_by_asc(Column::Id).limit(fetch);
    let mut query = scoped(query, filter.scope);
    if !filter.kinds.is_empty() {
        query = query.filter(Column::Kind.is_in(filter.kinds.iter().map(|kind| kind.as_str())));
    }
    if let Some(as_of) = filter.as_of {
        query = query.filter(Column::IssuedAt.lte(At::from(as_of)));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let rows = query.all(connection).await?;
    Ok(rows.into_iter().map(CreditLot::try_from).collect::<Result<_, _>>()?)
}

fn scoped(query: Select<Entity>, scope: Scope) -> Select<Entity> {
    match scope {
        Scope::AccountWide => query.filter(Column::ProjectId.is_null()),
        Scope::AccountWideAnd(project) => {
            query.filter(Column::ProjectId.is_null().or(Column::ProjectId.eq(project)))
        }
        Scope::Project(project) => query.filter(Column::ProjectId.eq(project)),
        Scope::Everything => query,
    }
}
