//! Rows of payment methods, and of which one is an account's default.
//!
//! | invariant | kept by |
//! |---|---|
//! | at most one default (R3.4) | `default_payment_method` has the account alone as its primary key |
//! | the default is a method of the same account | its foreign key |

use std::collections::BTreeSet;

use florin_platform::{
    column::{At, CorruptRow},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set as Rows, among},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryOrder, QuerySelect, Set, entity::prelude::*};

use crate::domain::{
    method::{CardExpiry, MethodDetails, MethodKind, MethodState, PaymentMethod, PaymentMethodId, Warned},
    watch::Watch,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_method")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: PaymentMethodId,
    kind: String,
    state: String,
    label: String,
    provider_token: String,
    provider_reference: Option<String>,
    masked_details: String,
    expiry_year: Option<i64>,
    expiry_month: Option<i64>,
    expires_at: Option<At>,
    three_d_secure: bool,
    country: Option<String>,
    action_url: Option<String>,
    refusal_code: Option<String>,
    declined_code: Option<String>,
    fallback_order: Option<i64>,
    notice_days: i64,
    warned_days: i64,
    replaces: Option<PaymentMethodId>,
    looks: i64,
    look_at: Option<At>,
    version: i64,
    created_at: At,
    updated_at: At,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "payment_method";

fn missing(what: &str) -> CorruptRow {
    CorruptRow::new(TABLE, format!("no {what}"))
}

/// The watch of a row of `table`.
pub(super) fn watch(table: &'static str, looks: i64, look_at: Option<At>) -> Result<Watch, CorruptRow> {
    let next = look_at.ok_or_else(|| CorruptRow::new(table, "no look_at"))?;
    Ok(Watch { looks: u32::try_from(looks).map_err(CorruptRow::of(table))?, next: next.into() })
}

fn state(row: &Model) -> Result<MethodState, CorruptRow> {
    let watch = || watch(TABLE, row.looks, row.look_at);
    let code = || row.refusal_code.clone().ok_or_else(|| missing("refusal_code"));
    Ok(match row.state.as_str() {
        "CREATING" => MethodState::Creating(watch()?),
        "VALIDATING" => {
            let action_url = row.action_url.clone().ok_or_else(|| missing("action_url"))?;
            MethodState::Validating { action_url, watch: watch()? }
        }
        "VALID" => MethodState::Valid,
        "FAILED" => MethodState::Failed { code: code()? },
        "REJECTED" => MethodState::Rejected { code: code()? },
        "EXPIRED" => MethodState::Expired,
        "REPLACED" => MethodState::Replaced,
        "CANCELED" => MethodState::Canceled,
        unknown => return Err(CorruptRow::new(TABLE, format!("unknown state {unknown}"))),
    })
}

fn expiry(year: Option<i64>, month: Option<i64>) -> Result<Option<CardExpiry>, CorruptRow> {
    let Some((year, month)) = year.zip(month) else { return Ok(None) };
    let year = u16::try_from(year).map_err(CorruptRow::of(TABLE))?;
    let month = u8::try_from(month).map_err(CorruptRow::of(TABLE))?;
    Ok(Some(CardExpiry { year, month }))
}

impl TryFrom<Model> for PaymentMethod {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        Ok(Self {
            account: row.account_id,
            id: row.id,
            kind: MethodKind::parse(&row.kind).ok_or_else(|| CorruptRow::new(TABLE, "unknown kind"))?,
            state: state(&row)?,
            details: MethodDetails {
                expiry: expiry(row.expiry_year, row.expiry_month)?,
                masked: row.masked_details,
                three_d_secure: row.three_d_secure,
                country: row.country,
            },
            fallback_order: row
                .fallback_order
                .map(u32::try_from)
                .transpose()
                .map_err(CorruptRow::of(TABLE))?,
            notice_days: u32::try_from(row.notice_days).map_err(CorruptRow::of(TABLE))?,
            warned: Warned::of_days(row.warned_days)
                .ok_or_else(|| CorruptRow::new(TABLE, "unknown warning"))?,
            declined_for_good: row.declined_code,
            replaces: row.replaces,
            label: row.label,
            token: row.provider_token,
            provider_reference: row.provider_reference,
            version: row.version,
            created: row.created_at.into(),
            updated: row.updated_at.into(),
        })
    }
}

fn active(method: &PaymentMethod) -> ActiveModel {
    let (action_url, refusal_code) = match &method.state {
        MethodState::Validating { action_url, .. } => (Some(action_url.clone()), None),
        MethodState::Failed { code } | MethodState::Rejected { code } => (None, Some(code.clone())),
        MethodState::Creating(_)
        | MethodState::Valid
        | MethodState::Expired
        | MethodState::Replaced
        | MethodState::Canceled => (None, None),
    };
    let watch = method.state.watch();
    let expiry = method.details.expiry;
    ActiveModel {
        account_id: Set(method.account),
        id: Set(method.id),
        kind: Set(method.kind.as_str().to_owned()),
        state: Set(method.state.as_str().to_owned()),
        label: Set(method.label.clone()),
        provider_token: Set(method.token.clone()),
        provider_reference: Set(method.provider_reference.clone()),
        masked_details: Set(method.details.masked.clone()),
        expiry_year: Set(expiry.map(|expiry| i64::from(expiry.year))),
        expiry_month: Set(expiry.map(|expiry| i64::from(expiry.month))),
        expires_at: Set(expiry.map(|expiry| expiry.end().into())),
        three_d_secure: Set(method.details.three_d_secure),
        country: Set(method.details.country.clone()),
        action_url: Set(action_url),
        refusal_code: Set(refusal_code),
        declined_code: Set(method.declined_for_good.clone()),
        fallback_order: Set(method.fallback_order.map(i64::from)),
        notice_days: Set(i64::from(method.notice_days)),
        warned_days: Set(i64::from(method.warned.days())),
        replaces: Set(method.replaces),
        looks: Set(watch.map_or(0, |watch| i64::from(watch.looks))),
        look_at: Set(watch.map(|watch| watch.next.into())),
        version: Set(method.version),
        created_at: Set(method.created.into()),
        updated_at: Set(method.updated.into()),
    }
}

fn read(rows: Vec<Model>) -> Result<Vec<PaymentMethod>, DbErr> {
    Ok(rows.into_iter().map(PaymentMethod::try_from).collect::<Result<_, _>>()?)
}

pub(crate) async fn insert(tx: &Tx, method: &PaymentMethod) -> Result<(), DbErr> {
    Entity::insert(active(method)).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn save(tx: &Tx, method: &PaymentMethod) -> Result<(), DbErr> {
    Entity::update(active(method)).exec(tx).await.map(|_| ())
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: PaymentMethodId,
) -> Result<Option<PaymentMethod>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    Ok(row.map(PaymentMethod::try_from).transpose()?)
}

/// Methods of `account` after `after`, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    after: Option<PaymentMethodId>,
    fetch: u64,
) -> Result<Vec<PaymentMethod>, DbErr> {
    let mut query =
        Entity::find().filter(Column::AccountId.eq(account)).order_by_asc(Column::Id).limit(fetch);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    read(query.all(connection).await?)
}

/// The methods of `account` that can pay: VALID, and never declined for good; oldest first.
pub(crate) async fn able(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<PaymentMethod>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::State.eq(MethodState::Valid.as_str()))
        .filter(Column::DeclinedCode.is_null())
        .order_by_asc(Column::Id);
    read(query.all(connection).await?)
}

/// When the `nth` latest registration since `since` was, if there were so many; of those that failed or were
/// rejected only, if `refused`.
pub(crate) async fn nth_latest(
    connection: &impl ConnectionTrait,
    account: AccountId,
    since: Instant,
    nth: u64,
    refused: bool,
) -> Result<Option<Instant>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::CreatedAt.gt(At::from(since)))
        .order_by_desc(Column::CreatedAt)
        .offset(nth.saturating_sub(1))
        .limit(1);
    if refused {
        query = query.filter(Column::State.is_in(["FAILED", "REJECTED"]));
    }
    Ok(query.one(connection).await?.map(|row| row.created_at.into()))
}

/// Which method is the default of each of `accounts` that has one, by account.
pub(crate) async fn defaults(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, PaymentMethodId)>, DbErr> {
    let mut found = Vec::with_capacity(accounts.len());
    for chunk in accounts.chunks(BINDS_MAX) {
        let (condition, values) = among(connection.get_database_backend(), "account_id", 1, chunk);
        let text = format!(
            "SELECT account_id, method_id FROM default_payment_method WHERE {condition} ORDER BY account_id"
        );
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            found.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        }
    }
    Ok(found)
}

/// Those of `methods` that exist.
pub(crate) async fn find_many(
    connection: &impl ConnectionTrait,
    methods: &BTreeSet<(AccountId, PaymentMethodId)>,
) -> Result<Vec<PaymentMethod>, DbErr> {
    let mut wanted = Rows::new([("account_id", Kind::Uuid), ("method_id", Kind::Uuid)], methods.len());
    for (account, method) in methods {
        wanted.push([(*account).into(), (*method).into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT m.* FROM {rows} JOIN payment_method m ON m.account_id = v.account_id AND m.id = v.method_id"
        )
    };
    let rows = wanted.read(connection, text).await?;
    read(rows.iter().map(|row| Model::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

/// The default methods of `accounts`, by account.
pub(crate) async fn default_methods(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<PaymentMethod>, DbErr> {
    let defaults = defaults(connection, accounts).await?;
    let mut methods = find_many(connection, &defaults.into_iter().collect()).await?;
    methods.sort_by_key(|method| method.account);
    Ok(methods)
}

/// Makes `method` the default in place of any other.
pub(crate) async fn set_default(tx: &Tx, account: AccountId, method: PaymentMethodId) -> Result<(), DbErr> {
    let text = "INSERT INTO default_payment_method (account_id, method_id) VALUES ($1, $2) \
                ON CONFLICT (account_id) DO UPDATE SET method_id = excluded.method_id";
    tx.execute_raw(sql(tx, text, [account.into(), method.into()])).await.map(|_| ())
}

/// Leaves `account` without a default.
pub(crate) async fn clear_default(tx: &Tx, account: AccountId) -> Result<(), DbErr> {
    let text = "DELETE FROM default_payment_method WHERE account_id = $1";
    tx.execute_raw(sql(tx, text, [account.into()])).await.map(|_| ())
}

/// The earliest instant at which an unfinished method is to be looked at, a card's date is over, or its holder
/// is to be warned (R3.5).
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT MIN(look_at) FROM payment_method WHERE look_at IS NOT NULL";
    let look = earliest(connection, text, 0).await?;
    let text = "SELECT MIN(expires_at) FROM payment_method WHERE state = 'VALID' AND expires_at IS NOT NULL";
    let mut dues = vec![look, earliest(connection, text, 0).await?];
    for warning in Warned::WARNINGS {
        let text = format!("{text} AND warned_days {}", not_yet(warning));
        dues.push(earliest(connection, &text, warning.days()).await?);
    }
    Ok(dues.into_iter().flatten().min())
}

/// That `warning` was not given yet, as a condition on the number of days.
fn not_yet(warning: Warned) -> &'static str {
    match warning {
        Warned::Never => "< 0",
        Warned::Month => "= 0",
        Warned::Week => "<> 7",
    }
}

async fn earliest(
    connection: &impl ConnectionTrait,
    text: &str,
    days_before: u32,
) -> Result<Option<Instant>, DbErr> {
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    let due: Option<At> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    Ok(due.map(|due| Instant::from(due).minus_days(days_before)))
}

/// VALID cards whose holders are to be warned at `at`, the nearest end first.
pub(crate) async fn to_warn(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, PaymentMethodId)>, DbErr> {
    let mut found = Vec::new();
    for warning in Warned::WARNINGS {
        let text = format!(
            "SELECT account_id, id FROM payment_method WHERE state = 'VALID' AND expires_at IS NOT NULL \
             AND expires_at <= $1 AND expires_at > $2 AND warned_days {} ORDER BY expires_at LIMIT $3",
            not_yet(warning)
        );
        let values =
            [At::from(at.plus_days(warning.days())).into(), At::from(at).into(), limit.cast_signed().into()];
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let key = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            if !found.contains(&key) {
                found.push(key);
            }
        }
    }
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Unfinished methods to look at by `at`, the longest due first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, PaymentMethodId)>, DbErr> {
    let query =
        Entity::find().filter(Column::LookAt.lte(At::from(at))).order_by_asc(Column::LookAt).limit(limit);
    Ok(query.all(connection).await?.into_iter().map(|row| (row.account_id, row.id)).collect())
}

/// VALID cards whose date is over at `at`.
pub(crate) async fn over(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, PaymentMethodId)>, DbErr> {
    let query = Entity::find()
        .filter(Column::State.eq(MethodState::Valid.as_str()))
        .filter(Column::ExpiresAt.lte(At::from(at)))
        .order_by_asc(Column::ExpiresAt)
        .limit(limit);
    Ok(query.all(connection).await?.into_iter().map(|row| (row.account_id, row.id)).collect())
}
