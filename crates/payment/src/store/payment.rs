//! Rows of payments, and of which one is on its way for what.
//!
//! | invariant | kept by |
//! |---|---|
//! | one payment at a time is on its way for a reference | `open_payment` has (account, reference) as its key |
//! | what was attempted never changes, a final outcome stays | the table's guard |

use std::collections::{BTreeSet, HashMap, HashSet};

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
    id::AccountId,
    set::{Kind, Set as Rows, insert_all},
};
use florin_settlement::Instant;
use sea_orm::{
    Condition, ConnectionTrait, DbErr, FromQueryResult, QueryOrder, QueryResult, QuerySelect, Set,
    entity::prelude::*,
};

use super::method::watch;
use crate::domain::{
    method::PaymentMethodId,
    payment::{Finality, Initiator, Means, Payment, PaymentId, PaymentState},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: PaymentId,
    amount: Minor,
    currency: Code,
    reference: String,
    method_id: Option<PaymentMethodId>,
    one_off_token: Option<String>,
    initiator: String,
    state: String,
    action_url: Option<String>,
    decline_code: Option<String>,
    decline_final: Option<bool>,
    settled_at: Option<At>,
    announced: bool,
    collect_at: Option<At>,
    provider_reference: Option<String>,
    refunded: Minor,
    disputed: Minor,
    looks: i64,
    look_at: Option<At>,
    created_at: At,
    updated_at: At,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "payment";

fn missing(what: &str) -> CorruptRow {
    CorruptRow::new(TABLE, format!("no {what}"))
}

fn state(row: &Model) -> Result<PaymentState, CorruptRow> {
    let watch = || watch(TABLE, row.looks, row.look_at);
    let settled = || row.settled_at.map(Into::into).ok_or_else(|| missing("settled_at"));
    Ok(match row.state.as_str() {
        "PROCESSING" => PaymentState::Processing(watch()?),
        "ACTION_REQUIRED" => PaymentState::ActionRequired {
            url: row.action_url.clone().ok_or_else(|| missing("action_url"))?,
            watch: watch()?,
        },
        "PENDING" if row.announced => PaymentState::Scheduled(watch()?),
        "PENDING" => PaymentState::Pending(watch()?),
        "SUCCEEDED" => PaymentState::Succeeded { settled: settled()? },
        "DECLINED" => PaymentState::Declined {
            settled: settled()?,
            code: row.decline_code.clone().ok_or_else(|| missing("decline_code"))?,
            finality: match row.decline_final.ok_or_else(|| missing("decline_final"))? {
                true => Finality::Final,
                false => Finality::Soft,
            },
        },
        "REFUNDED" => PaymentState::Refunded { settled: settled()? },
        unknown => return Err(CorruptRow::new(TABLE, format!("unknown state {unknown}"))),
    })
}

impl TryFrom<Model> for Payment {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        Ok(Self {
            account: row.account_id,
            id: row.id,
            amount: row.amount.money(row.currency.0),
            state: state(&row)?,
            means: match (row.method_id, row.one_off_token) {
                (Some(method), None) => Means::Method(method),
                (None, Some(provider_token)) => Means::OneOff { provider_token },
                (Some(_), Some(_)) | (None, None) => return Err(missing("single means")),
            },
            initiator: Initiator::parse(&row.initiator)
                .ok_or_else(|| CorruptRow::new(TABLE, "unknown initiator"))?,
            reference: row.reference,
            collect: row.collect_at.map(Into::into),
            provider_reference: row.provider_reference,
            refunded: row.refunded.money(row.currency.0),
            disputed: row.disputed.money(row.currency.0),
            created: row.created_at.into(),
            updated: row.updated_at.into(),
        })
    }
}

fn active(payment: &Payment) -> ActiveModel {
    let (method_id, one_off_token) = match &payment.means {
        Means::Method(method) => (Some(*method), None),
        Means::OneOff { provider_token } => (None, Some(provider_token.clone())),
    };
    let action_url = match &payment.state {
        PaymentState::ActionRequired { url, .. } => Some(url.clone()),
        PaymentState::Scheduled(_)
        | PaymentState::Processing(_)
        | PaymentState::Pending(_)
        | PaymentState::Succeeded { .. }
        | PaymentState::Declined { .. }
        | PaymentState::Refunded { .. } => None,
    };
    let (decline_code, decline_final) = match &payment.state {
        PaymentState::Declined { code, finality, .. } => {
            (Some(code.clone()), Some(*finality == Finality::Final))
        }
        PaymentState::Scheduled(_)
        | PaymentState::Processing(_)
        | PaymentState::ActionRequired { .. }
        | PaymentState::Pending(_)
        | PaymentState::Succeeded { .. }
        | PaymentState::Refunded { .. } => (None, None),
    };
    let announced = matches!(payment.state, PaymentState::Scheduled(_));
    // What is SCHEDULED is stored as PENDING and announced: the column of states is older than it.
    let state = if announced { "PENDING" } else { payment.state.as_str() };
    let watch = payment.state.watch();
    ActiveModel {
        account_id: Set(payment.account),
        id: Set(payment.id),
        amount: Set(payment.amount.into()),
        currency: Set(Code(payment.amount.currency())),
        reference: Set(payment.reference.clone()),
        method_id: Set(method_id),
        one_off_token: Set(one_off_token),
        initiator: Set(payment.initiator.as_str().to_owned()),
        state: Set(state.to_owned()),
        action_url: Set(action_url),
        decline_code: Set(decline_code),
        decline_final: Set(decline_final),
        settled_at: Set(payment.state.settled().map(Into::into)),
        announced: Set(announced),
        collect_at: Set(payment.collect.map(Into::into)),
        provider_reference: Set(payment.provider_reference.clone()),
        refunded: Set(payment.refunded.into()),
        disputed: Set(payment.disputed.into()),
        looks: Set(watch.map_or(0, |watch| i64::from(watch.looks))),
        look_at: Set(watch.map(|watch| watch.next.into())),
        created_at: Set(payment.created.into()),
        updated_at: Set(payment.updated.into()),
    }
}

fn read(rows: Vec<Model>) -> Result<Vec<Payment>, DbErr> {
    Ok(rows.into_iter().map(Payment::try_from).collect::<Result<_, _>>()?)
}

/// Adds payments, in one statement.
pub(crate) async fn insert(tx: &Tx, payments: &[Payment]) -> Result<(), DbErr> {
    insert_all(tx, payments.iter().map(active).collect()).await
}

pub(crate) async fn save(tx: &Tx, payment: &Payment) -> Result<(), DbErr> {
    Entity::update(active(payment)).exec(tx).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: PaymentId,
) -> Result<Option<Payment>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    Ok(row.map(Payment::try_from).transpose()?)
}

/// What a list of payments is narrowed to; nothing narrows to everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrowed {
    /// Only for this.
    pub(crate) reference: Option<String>,
    /// Only in one of these states.
    pub(crate) states: Vec<&'static str>,
}

/// That a payment is shown in this state. What is SCHEDULED without a date is about to be asked, and shown so.
fn shows(state: &str) -> Condition {
    let stored = |state: &str| Condition::all().add(Column::State.eq(state)).add(Column::Announced.eq(false));
    let announced = Condition::all().add(Column::Announced.eq(true));
    match state {
        "SCHEDULED" => announced.add(Column::CollectAt.is_not_null()),
        "PROCESSING" => Condition::any().add(stored(state)).add(announced.add(Column::CollectAt.is_null())),
        state => stored(state),
    }
}

/// Payments of `account` after `after`, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    narrowed: &Narrowed,
    after: Option<PaymentId>,
    fetch: u64,
) -> Result<Vec<Payment>, DbErr> {
    let mut query =
        Entity::find().filter(Column::AccountId.eq(account)).order_by_asc(Column::Id).limit(fetch);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    if let Some(reference) = &narrowed.reference {
        query = query.filter(Column::Reference.eq(reference));
    }
    if !narrowed.states.is_empty() {
        query =
            query.filter(narrowed.states.iter().fold(Condition::any(), |any, state| any.add(shows(state))));
    }
    read(query.all(connection).await?)
}

/// Every payment of `account` for `reference`, oldest first.
pub(crate) async fn of_reference(
    connection: &impl ConnectionTrait,
    account: AccountId,
    reference: &str,
) -> Result<Vec<Payment>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Reference.eq(reference))
        .order_by_asc(Column::Id);
    read(query.all(connection).await?)
}

/// Those of `accounts` of whom money was ever captured that is not disputed, and not all of it on its way back
/// (R3.3). Amounts are above zero by a CHECK.
pub(crate) async fn captured(
    connection: &impl ConnectionTrait,
    accounts: &BTreeSet<AccountId>,
) -> Result<HashSet<AccountId>, DbErr> {
    let mut wanted = Rows::new([("account_id", Kind::Uuid)], accounts.len());
    accounts.iter().for_each(|account| wanted.push([(*account).into()]));
    let text = |rows: &str| {
        format!(
            "SELECT v.account_id FROM {rows} WHERE EXISTS (SELECT 1 FROM payment \
             WHERE payment.account_id = v.account_id AND state = 'SUCCEEDED' AND disputed = 0 \
             AND amount > (SELECT COALESCE(SUM(payment_refund.amount), 0) FROM payment_refund \
             WHERE payment_refund.account_id = payment.account_id \
             AND payment_refund.payment_id = payment.id AND payment_refund.state <> 'REFUSED'))"
        )
    };
    wanted.read(connection, text).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// When the `nth` latest attempt on something given for once was since `since`, if there were so many.
pub(crate) async fn nth_latest_one_off(
    connection: &impl ConnectionTrait,
    account: AccountId,
    since: Instant,
    nth: u64,
) -> Result<Option<Instant>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::MethodId.is_null())
        .filter(Column::CreatedAt.gt(At::from(since)))
        .order_by_desc(Column::CreatedAt)
        .offset(nth.saturating_sub(1))
        .limit(1);
    Ok(query.one(connection).await?.map(|row| row.created_at.into()))
}

/// What Florin initiated on a method since some instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Automatic {
    /// How many attempts.
    pub(crate) attempts: u64,
    /// How many of them the provider declined.
    pub(crate) declined: u64,
}

/// What Florin initiated on `method` since `since`. What was stopped before the provider heard of it was not
/// declined by it: such payments have no reference of the provider's, and `stopped` for a code.
pub(crate) async fn automatic(
    connection: &impl ConnectionTrait,
    (account, method): (AccountId, PaymentMethodId),
    since: Instant,
    stopped: &str,
) -> Result<Automatic, DbErr> {
    let text = "SELECT CAST(COUNT(*) AS bigint), \
                CAST(COALESCE(SUM(CASE WHEN state = 'DECLINED' AND decline_code <> $4 THEN 1 ELSE 0 END), 0) AS bigint) \
                FROM payment WHERE account_id = $1 AND method_id = $2 AND initiator = 'MERCHANT' \
                AND created_at > $3";
    let values = [account.into(), method.into(), At::from(since).into(), stopped.into()];
    let row = connection.query_one_raw(sql(connection, text, values)).await?;
    let Some(row) = row else { return Ok(Automatic::default()) };
    let count = |index| row.try_get_by_index::<i64>(index).map(i64::unsigned_abs);
    Ok(Automatic { attempts: count(0)?, declined: count(1)? })
}

/// The latest payment on `method` that Florin initiated and that has an outcome, if there is one.
pub(crate) async fn latest_automatic(
    connection: &impl ConnectionTrait,
    account: AccountId,
    method: PaymentMethodId,
) -> Result<Option<Payment>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::MethodId.eq(method))
        .filter(Column::Initiator.eq(Initiator::Merchant.as_str()))
        .filter(Column::SettledAt.is_not_null())
        .order_by_desc(Column::SettledAt)
        .order_by_desc(Column::Id);
    Ok(query.one(connection).await?.map(Payment::try_from).transpose()?)
}

/// A payment on `method` that is still open, if there is one.
pub(crate) async fn open_on(
    connection: &impl ConnectionTrait,
    account: AccountId,
    method: PaymentMethodId,
) -> Result<Option<Payment>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::MethodId.eq(method))
        .filter(Column::LookAt.is_not_null())
        .order_by_asc(Column::Id);
    Ok(query.one(connection).await?.map(Payment::try_from).transpose()?)
}

/// What is SCHEDULED on `method` is looked at now: it can no longer pay (R3.6).
pub(crate) async fn hasten(
    tx: &Tx,
    account: AccountId,
    method: PaymentMethodId,
    at: Instant,
) -> Result<(), DbErr> {
    let text = "UPDATE payment SET look_at = $3 WHERE account_id = $1 AND method_id = $2 \
                AND state = 'PENDING' AND announced AND look_at > $3";
    tx.execute_raw(sql(tx, text, [account.into(), method.into(), At::from(at).into()])).await.map(|_| ())
}

/// How many of the attempts Florin initiated on each of `methods` since `since` the provider declined; those of
/// which it declined none are left out. As [`automatic`].
pub(crate) async fn declined(
    connection: &impl ConnectionTrait,
    methods: &BTreeSet<(AccountId, PaymentMethodId)>,
    since: Instant,
    stopped: &str,
) -> Result<HashMap<(AccountId, PaymentMethodId), u64>, DbErr> {
    let columns = [
        ("account_id", Kind::Uuid),
        ("method_id", Kind::Uuid),
        ("since", Kind::Instant),
        ("stopped", Kind::Text),
    ];
    let mut wanted = Rows::new(columns, methods.len());
    for (account, method) in methods {
        wanted.push([(*account).into(), (*method).into(), At::from(since).into(), stopped.into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT p.account_id, p.method_id, CAST(COUNT(*) AS bigint) FROM {rows} \
             JOIN payment p ON p.account_id = v.account_id AND p.method_id = v.method_id \
             WHERE p.initiator = 'MERCHANT' AND p.created_at > v.since AND p.state = 'DECLINED' \
             AND p.decline_code <> v.stopped GROUP BY p.account_id, p.method_id"
        )
    };
    let rows = wanted.read(connection, text).await?;
    let count = |row: &QueryResult| {
        let count: i64 = row.try_get_by_index(2)?;
        Ok(((row.try_get_by_index(0)?, row.try_get_by_index(1)?), count.unsigned_abs()))
    };
    rows.iter().map(count).collect()
}

/// The payment that is on its way for each of `references`, of those for which one is.
pub(crate) async fn all_on_their_way(
    connection: &impl ConnectionTrait,
    references: &BTreeSet<(AccountId, &str)>,
) -> Result<Vec<Payment>, DbErr> {
    let mut wanted = Rows::new([("account_id", Kind::Uuid), ("reference", Kind::Text)], references.len());
    for (account, reference) in references {
        wanted.push([(*account).into(), (*reference).into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT payment.* FROM {rows} \
             JOIN open_payment o ON o.account_id = v.account_id AND o.reference = v.reference \
             JOIN payment ON payment.account_id = o.account_id AND payment.id = o.payment_id"
        )
    };
    let rows = wanted.read(connection, text).await?;
    read(rows.iter().map(|row| Model::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

/// Makes each of `payments` the one that is on its way for its reference.
pub(crate) async fn set_on_their_way(tx: &Tx, payments: &[Payment]) -> Result<(), DbErr> {
    let columns = [("account_id", Kind::Uuid), ("reference", Kind::Text), ("payment_id", Kind::Uuid)];
    let mut set = Rows::new(columns, payments.len());
    for payment in payments {
        set.push([payment.account.into(), payment.reference.as_str().into(), payment.id.into()]);
    }
    let text = |rows: &str| {
        format!(
            "INSERT INTO open_payment (account_id, reference, payment_id) \
             SELECT account_id, reference, payment_id FROM {rows} WHERE TRUE \
             ON CONFLICT (account_id, reference) DO UPDATE SET payment_id = excluded.payment_id"
        )
    };
    set.execute(tx, text).await.map(|_| ())
}

/// Nothing is on its way for the reference of `payment` any more, if it was this one; whether it was.
pub(crate) async fn arrived(tx: &Tx, payment: &Payment) -> Result<bool, DbErr> {
    let text = "DELETE FROM open_payment WHERE account_id = $1 AND reference = $2 AND payment_id = $3";
    let values = [payment.account.into(), payment.reference.as_str().into(), payment.id.into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Nothing is awaited for the reference of `payment` any more, whichever payment was on its way.
pub(crate) async fn accepted(tx: &Tx, payment: &Payment) -> Result<(), DbErr> {
    let text = "DELETE FROM open_payment WHERE account_id = $1 AND reference = $2";
    tx.execute_raw(sql(tx, text, [payment.account.into(), payment.reference.as_str().into()]))
        .await
        .map(|_| ())
}

/// The earliest instant at which an open payment is to be looked at.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(look_at) FROM payment WHERE look_at IS NOT NULL";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let due: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(due.map(Into::into))
}

/// Open payments to look at by `at`, the longest due first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, PaymentId)>, DbErr> {
    let query =
        Entity::find().filter(Column::LookAt.lte(At::from(at))).order_by_asc(Column::LookAt).limit(limit);
    Ok(query.all(connection).await?.into_iter().map(|row| (row.account_id, row.id)).collect())
}
