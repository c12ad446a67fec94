//! A funding standing as a row of its table, read and written.

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, CorruptRow, Rate},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, PlanFamily};
use sea_orm::{
    DbErr, QueryResult, RuntimeErr, Value,
    prelude::{DateTimeUtc, Uuid},
    sqlx::{self, Row},
};
use serde_json::Value as Json;

use crate::domain::{
    funding::{HourlyRate, Restricted, SETS, Standing},
    project::ProjectState,
};

/// The table.
pub(super) const TABLE: &str = "funding_standing";
/// The columns of the key, of a row `s`.
pub(super) const IDS: &str = "s.account_id, s.project_id";
/// The columns that follow it, of a row `s`.
pub(super) const FIGURES: &str = "s.state, s.currency, s.in_debt, s.prepaid_only, s.spend_cap, \
    s.own_credit, s.shared_credit, s.others_need, s.others_rate, s.unbilled, s.spent, s.reserved, s.accrual, \
    s.conversion, s.burn, s.instances, s.storages, s.options, s.restricted, s.cap_reached, s.exhausted, s.unrated, \
    s.through_at, s.valid_until, s.instance_quota, s.storage_quota, s.option_quota";

/// What is in a row, by its place.
pub(super) trait Columns {
    /// A number, if there is one.
    fn number(&self, place: usize) -> Result<Option<i64>, DbErr>;
    /// True or false.
    fn flag(&self, place: usize) -> Result<bool, DbErr>;
    /// A text.
    fn text(&self, place: usize) -> Result<&str, DbErr>;
    /// An id.
    fn id(&self, place: usize) -> Result<Uuid, DbErr>;
    /// An instant.
    fn at(&self, place: usize) -> Result<Instant, DbErr>;
}

/// A row of a database.
struct Answer<'r, R>(&'r R);

impl<R: Row> Columns for Answer<'_, R>
where
    usize: sqlx::ColumnIndex<R>,
    for<'r> Uuid: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> &'r str: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> bool: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> DateTimeUtc: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn number(&self, place: usize) -> Result<Option<i64>, DbErr> {
        self.0.try_get(place).map_err(failed)
    }

    fn flag(&self, place: usize) -> Result<bool, DbErr> {
        self.0.try_get(place).map_err(failed)
    }

    fn text(&self, place: usize) -> Result<&str, DbErr> {
        self.0.try_get(place).map_err(failed)
    }

    fn id(&self, place: usize) -> Result<Uuid, DbErr> {
        self.0.try_get(place).map_err(failed)
    }

    fn at(&self, place: usize) -> Result<Instant, DbErr> {
        self.0.try_get::<DateTimeUtc, _>(place).map(Instant::new).map_err(failed)
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// A row as SQLite lists it.
impl Columns for Vec<Json> {
    fn number(&self, place: usize) -> Result<Option<i64>, DbErr> {
        match self.get(place) {
            Some(Json::Null) => Ok(None),
            Some(Json::Number(number)) if number.is_i64() => Ok(number.as_i64()),
            _ => Err(corrupt("not a number")),
        }
    }

    fn flag(&self, place: usize) -> Result<bool, DbErr> {
        match self.number(place)? {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(corrupt("neither true nor false")),
        }
    }

    fn text(&self, place: usize) -> Result<&str, DbErr> {
        self.get(place).and_then(Json::as_str).ok_or_else(|| corrupt("not a text"))
    }

    fn id(&self, place: usize) -> Result<Uuid, DbErr> {
        Uuid::try_parse(self.text(place)?).map_err(|_| corrupt("not an id"))
    }

    fn at(&self, place: usize) -> Result<Instant, DbErr> {
        Instant::parse(self.text(place)?).map_err(|_| corrupt("not an instant"))
    }
}

pub(super) fn corrupt(reason: &str) -> DbErr {
    CorruptRow::new(TABLE, reason).into()
}

/// What `made` makes of a row of either database.
pub(super) fn read<T>(
    row: &QueryResult,
    made: impl Fn(&dyn Columns) -> Result<T, DbErr>,
) -> Result<T, DbErr> {
    match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
        (Some(row), _) => made(&Answer(row)),
        (None, Some(row)) => made(&Answer(row)),
        (None, None) => Err(corrupt("of no backend that is known")),
    }
}

/// The first columns of a row are [`IDS`] and [`FIGURES`].
pub(super) fn standing(row: &dyn Columns) -> Result<Standing, DbErr> {
    let number = |place| row.number(place)?.ok_or_else(|| corrupt("an amount is missing"));
    let rate = |place| Ok::<_, DbErr>(read_rate(row.text(place)?)?);
    Ok(Standing {
        account: AccountId::from_uuid(row.id(0)?),
        project: ProjectId::from_uuid(row.id(1)?),
        state: ProjectState::parse(row.text(2)?).ok_or_else(|| corrupt("unknown state"))?,
        currency: Currency::parse(row.text(3)?).map_err(|_| corrupt("unknown currency"))?,
        in_debt: row.flag(4)?,
        prepaid_only: row.flag(5)?,
        spend_cap: row.number(6)?,
        own: number(7)?,
        shared: number(8)?,
        others: number(9)?,
        others_rate: rate(10)?,
        unbilled: number(11)?,
        spent: number(12)?,
        reserved: number(13)?,
        accrual: rate(14)?,
        conversion: rate(15)?,
        burn: rate(16)?,
        in_use: [number(17)?, number(18)?, number(19)?],
        restricted: read_restricted(row.text(20)?)?,
        cap_reached: row.flag(21)?,
        exhausted: row.flag(22)?,
        unrated: row.flag(23)?,
        through: row.at(24)?,
        valid_until: row.at(25)?,
        quotas: [row.number(26)?, row.number(27)?, row.number(28)?],
    })
}

fn read_rate(text: &str) -> Result<HourlyRate, CorruptRow> {
    if text == "0" {
        return Ok(HourlyRate::ZERO);
    }
    let value: Rate = text.parse().map_err(CorruptRow::of(TABLE))?;
    HourlyRate::read(value.0).ok_or_else(|| CorruptRow::new(TABLE, "a rate out of range"))
}

fn rate_text(rate: HourlyRate) -> Result<String, CorruptRow> {
    let value = rate.value().ok_or_else(|| CorruptRow::new(TABLE, "a rate with too many digits"))?;
    Ok(Rate(value).to_string())
}

/// Own and shared credit by set, then for each family: unbilled, reserved, accrual, conversion; by spaces.
fn restricted_text(restricted: Option<&Restricted>) -> Result<String, CorruptRow> {
    let Some(restricted) = restricted else { return Ok(String::new()) };
    let amounts = restricted.own.iter().chain(&restricted.shared);
    let mut words: Vec<String> = amounts.map(i64::to_string).collect();
    for place in 0..PlanFamily::COUNT {
        words.push(restricted.unbilled[place].to_string());
        words.push(restricted.reserved[place].to_string());
        words.push(rate_text(restricted.accrual[place])?);
        words.push(rate_text(restricted.conversion[place])?);
    }
    Ok(words.join(" "))
}

fn read_restricted(text: &str) -> Result<Option<Box<Restricted>>, CorruptRow> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut words = text.split(' ');
    let mut next = || words.next().ok_or_else(|| CorruptRow::new(TABLE, "too few figures by family"));
    let mut restricted = Restricted::default();
    for set in 0..SETS {
        restricted.own[set] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
    }
    for set in 0..SETS {
        restricted.shared[set] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
    }
    for place in 0..PlanFamily::COUNT {
        restricted.unbilled[place] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
        restricted.reserved[place] = next()?.parse().map_err(CorruptRow::of(TABLE))?;
        restricted.accrual[place] = read_rate(next()?)?;
        restricted.conversion[place] = read_rate(next()?)?;
    }
    Ok(Some(Box::new(restricted)))
}
/// What [`super::standing::save`] binds: every column, and when the standing is due.
pub(super) fn binds(standing: &Standing, due: Instant) -> Result<[Value; 30], DbErr> {
    let [instances, storages, options] = standing.in_use;
    let [instance_quota, storage_quota, option_quota] = standing.quotas;
    Ok([
        standing.account.into(),
        standing.project.into(),
        standing.state.as_str().into(),
        standing.currency.code().into(),
        standing.in_debt.into(),
        standing.prepaid_only.into(),
        standing.spend_cap.into(),
        standing.own.into(),
        standing.shared.into(),
        standing.others.into(),
        rate_text(standing.others_rate)?.into(),
        standing.unbilled.into(),
        standing.spent.into(),
        standing.reserved.into(),
        rate_text(standing.accrual)?.into(),
        rate_text(standing.conversion)?.into(),
        rate_text(standing.burn)?.into(),
        instances.into(),
        storages.into(),
        options.into(),
        restricted_text(standing.restricted.as_deref())?.into(),
        standing.cap_reached.into(),
        standing.exhausted.into(),
        standing.unrated.into(),
        At::from(standing.through).into(),
        At::from(standing.valid_until).into(),
        At::from(due).into(),
        instance_quota.into(),
        storage_quota.into(),
        option_quota.into(),
    ])
}
