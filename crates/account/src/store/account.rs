//! Rows of accounts, and the directory that finds them by e-mail or handle.

use std::collections::HashMap;

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::is_among,
};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, QuerySelect, Set, entity::prelude::*};

use crate::domain::{
    account::{Account, AccountState, Profile},
    confirmation::Confirmation,
    legal_form::LegalForm,
    secret::Secret,
};

/// The column of the password's hash; like [`Secret`], it does not show itself.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub(crate) struct HashText(String);

impl std::fmt::Debug for HashText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashText(…)")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    handle: String,
    state: String,
    email: String,
    rescue_email: Option<String>,
    password_hash: HashText,
    country: String,
    legal_form: String,
    given_name: String,
    family_name: String,
    organisation: String,
    street: String,
    postal_code: String,
    city: String,
    region: String,
    language: String,
    vat_number: Option<String>,
    issuer: String,
    currency: Code,
    series: i64,
    project_limit: i64,
    initial_credit_minimum: Option<Minor>,
    confirmation_digest: Option<Vec<u8>>,
    confirmation_generation: i64,
    confirmation_wrong: i64,
    confirmation_sent_at: Option<At>,
    confirmed_at: Option<At>,
    version: i64,
    created_at: At,
    updated_at: At,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "account";

impl TryFrom<Model> for Account {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        let number = |value: i64| u32::try_from(value).map_err(CorruptRow::of(TABLE));
        let currency = row.currency.0;
        Ok(Self {
            id: row.account_id,
            handle: row.handle,
            state: AccountState::parse(&row.state).ok_or_else(|| CorruptRow::new(TABLE, "unknown state"))?,
            profile: Profile {
                email: row.email,
                rescue_email: row.rescue_email,
                country: row.country,
                legal_form: LegalForm::parse(&row.legal_form)
                    .ok_or_else(|| CorruptRow::new(TABLE, "unknown legal form"))?,
                given_name: row.given_name,
                family_name: row.family_name,
                organisation: row.organisation,
                street: row.street,
                postal_code: row.postal_code,
                city: row.city,
                region: row.region,
                language: row.language,
                vat_number: row.vat_number,
            },
            password_hash: Secret::new(row.password_hash.0),
            issuer: row.issuer,
            currency,
            series: number(row.series)?,
            project_limit: number(row.project_limit)?,
            initial_credit_minimum: row.initial_credit_minimum.map(|minor| minor.money(currency)),
            confirmation: Confirmation {
                generation: number(row.confirmation_generation)?,
                digest: row.confirmation_digest,
                sent: row.confirmation_sent_at.map(Into::into),
                wrong: number(row.confirmation_wrong)?,
            },
            confirmed: row.confirmed_at.map(Into::into),
            version: row.version,
            created: row.created_at.into(),
            updated: row.updated_at.into(),
        })
    }
}

fn active(account: &Account) -> ActiveModel {
    let Account { profile, confirmation, .. } = account;
    ActiveModel {
        account_id: Set(account.id),
        handle: Set(account.handle.clone()),
        state: Set(account.state.as_str().to_owned()),
        email: Set(profile.email.clone()),
        rescue_email: Set(profile.rescue_email.clone()),
        password_hash: Set(HashText(account.password_hash.expose().to_owned())),
        country: Set(profile.country.clone()),
        legal_form: Set(profile.legal_form.as_str().to_owned()),
        given_name: Set(profile.given_name.clone()),
        family_name: Set(profile.family_name.clone()),
        organisation: Set(profile.organisation.clone()),
        street: Set(profile.street.clone()),
        postal_code: Set(profile.postal_code.clone()),
        city: Set(profile.city.clone()),
        region: Set(profile.region.clone()),
        language: Set(profile.language.clone()),
        vat_number: Set(profile.vat_number.clone()),
        issuer: Set(account.issuer.clone()),
        currency: Set(Code(account.currency)),
        series: Set(i64::from(account.series)),
        project_limit: Set(i64::from(account.project_limit)),
        initial_credit_minimum: Set(account.initial_credit_minimum.map(Minor::from)),
        confirmation_digest: Set(confirmation.digest.clone()),
        confirmation_generation: Set(i64::from(confirmation.generation)),
        confirmation_wrong: Set(i64::from(confirmation.wrong)),
        confirmation_sent_at: Set(confirmation.sent.map(Into::into)),
        confirmed_at: Set(account.confirmed.map(Into::into)),
        version: Set(account.version),
        created_at: Set(account.created.into()),
        updated_at: Set(account.updated.into()),
    }
}

/// How an account is looked up without knowing its id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup {
    Email,
    Handle,
}

impl Lookup {
    fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Handle => "HANDLE",
        }
    }
}

pub(crate) async fn insert(tx: &Tx, account: &Account) -> Result<(), DbErr> {
    Entity::insert(active(account)).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn save(tx: &Tx, account: &Account) -> Result<(), DbErr> {
    Entity::update(active(account)).exec(tx).await.map(|_| ())
}

/// Takes a directory entry; false if somebody has it.
pub(crate) async fn claim(tx: &Tx, lookup: Lookup, value: &str, account: AccountId) -> Result<bool, DbErr> {
    let text =
        "INSERT INTO account_directory (kind, value, account_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let values = [lookup.as_str().into(), value.into(), account.into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

pub(crate) async fn look_up(
    connection: &impl ConnectionTrait,
    lookup: Lookup,
    value: &str,
) -> Result<Option<AccountId>, DbErr> {
    let text = "SELECT account_id FROM account_directory WHERE kind = $1 AND value = $2";
    let row = connection.query_one_raw(sql(connection, text, [lookup.as_str().into(), value.into()])).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

pub(crate) async fn find(connection: &impl ConnectionTrait, id: AccountId) -> Result<Option<Account>, DbErr> {
    let row = Entity::find_by_id(id).one(connection).await?;
    Ok(row.map(Account::try_from).transpose()?)
}

/// The accounts of `issuer` that belong to its series `series`, behind `after` and up to and with `to`, in order; the
/// first `limit` of them.
pub(crate) async fn of_series(
    connection: &impl ConnectionTrait,
    (issuer, series): (&str, u32),
    after: Option<AccountId>,
    to: Option<AccountId>,
    limit: u32,
) -> Result<Vec<AccountId>, DbErr> {
    let text = "SELECT account_id FROM account WHERE issuer = $1 AND series = $2 \
                AND account_id > $3 AND account_id <= $4 ORDER BY account_id LIMIT $5";
    let values = [
        issuer.into(),
        i64::from(series).into(),
        after.unwrap_or(AccountId::from_uuid(Uuid::nil())).into(),
        to.unwrap_or(AccountId::from_uuid(Uuid::max())).into(),
        i64::from(limit).into(),
    ];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// How many series the accounts of `issuer` belong to, the highest and every one below it; at least 1.
pub(crate) async fn series_in_use(connection: &impl ConnectionTrait, issuer: &str) -> Result<u32, DbErr> {
    let text = "SELECT CAST(COALESCE(MAX(series), 0) AS bigint) FROM account WHERE issuer = $1";
    let row = connection.query_one_raw(sql(connection, text, [issuer.into()])).await?;
    let highest: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(u32::try_from(highest).map_err(CorruptRow::of(TABLE))?.saturating_add(1))
}

pub(crate) async fn find_many(
    connection: &impl ConnectionTrait,
    ids: &[AccountId],
) -> Result<Vec<Account>, DbErr> {
    let mut accounts = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(florin_platform::db::BINDS_MAX) {
        let rows = Entity::find()
            .filter(is_among(connection.get_database_backend(), Column::AccountId, chunk))
            .order_by_asc(Column::AccountId)
            .all(connection)
            .await?;
        for row in rows {
            accounts.push(Account::try_from(row)?);
        }
    }
    Ok(accounts)
}

pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    states: &[AccountState],
    after: Option<AccountId>,
    fetch: u64,
) -> Result<Vec<Account>, DbErr> {
    let mut query = Entity::find().order_by_asc(Column::AccountId).limit(fetch);
    if !states.is_empty() {
        query = query.filter(Column::State.is_in(states.iter().map(|state| state.as_str())));
    }
    if let Some(after) = after {
        query = query.filter(Column::AccountId.gt(after));
    }
    let rows = query.all(connection).await?;
    Ok(rows.into_iter().map(Account::try_from).collect::<Result<_, _>>()?)
}

/// The billing delay of each account's issuer, in seconds.
pub(crate) async fn billing_delays(
    connection: &impl ConnectionTrait,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, u64>, DbErr> {
    let mut delays = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(BINDS_MAX) {
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT a.account_id, i.billing_delay_seconds FROM account a JOIN issuer i ON i.id = a.issuer \
             WHERE a.account_id IN ({places})"
        );
        let values = chunk.iter().map(|id| sea_orm::Value::from(*id));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let seconds: i64 = row.try_get_by_index(1)?;
            delays
                .insert(row.try_get_by_index(0)?, u64::try_from(seconds).map_err(CorruptRow::of("issuer"))?);
        }
    }
    Ok(delays)
}
