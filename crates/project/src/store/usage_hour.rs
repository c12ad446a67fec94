//! Hourly sums of measured usage, and the months that are closed (R5.4, R5.5).
//!
//! | question | answer |
//! |---|---|
//! | what does the invoice of month M carry? | sums whose `billed_with` is M or an earlier month that was never closed |
//! | and usage that comes after M is closed? | has a later `billed_with`, decided with the account held |
//! | what was used in month M? | sums whose `usage_month` is M, whoever bills them |

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, Code, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::{Instant, Month};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult};

use super::{plan::code_of, resource::labels};
use crate::domain::{
    metered::{Metered, Sum},
    metering::{HourKey, Measured},
    resource::ResourceId,
};

const TABLE: &str = "usage_hour";

/// What events add to each hour, and how many they are; in the order of the table's key.
pub(crate) type Sums = BTreeMap<HourKey, (Measured, i64)>;

/// A month as it is stored: 202703.
pub(crate) fn number_of(month: Month) -> i64 {
    i64::from(month.year()) * 100 + i64::from(month.month())
}

/// A month read back.
pub(crate) fn month_of(number: i64) -> Result<Month, CorruptRow> {
    Month::parse(&format!("{:04}-{:02}", number / 100, number % 100)).map_err(CorruptRow::of(TABLE))
}

/// Adds to the sums. On PostgreSQL in one statement, and another for those taken to be `new`, which fails at the table's
/// key if one is not; on SQLite in two, whose guard refuses an INSERT of what is there even when it would become an
/// UPDATE.
pub(crate) async fn add(tx: &Tx, sums: &Sums, new: &HashSet<&HourKey>) -> Result<(), DbErr> {
    if let Some(hour) = sums.keys().map(|key| key.hour).min() {
        let accounts: BTreeSet<AccountId> = sums.keys().map(|key| key.account).collect();
        super::standing::hurry(tx, hour, &accounts.into_iter().collect::<Vec<_>>()).await?;
    }
    if tx.get_database_backend() == DbBackend::Postgres {
        let (new, other): (Vec<_>, Vec<_>) = sums.iter().partition(|(key, _)| new.contains(key));
        set(new.into_iter()).insert(tx, TABLE).await?;
        let text = |rows: &str| {
            format!(
                "INSERT INTO usage_hour ({COLUMNS}) SELECT {COLUMNS} FROM {rows} \
                 ON CONFLICT (account_id, project_id, billed_with, resource_id, plan, hour_at) DO UPDATE SET {}",
                added("excluded")
            )
        };
        return set(other.into_iter()).execute(tx, text).await.map(|_| ());
    }
    let text = |rows: &str| {
        format!(
            "UPDATE usage_hour SET {} FROM {rows} WHERE usage_hour.account_id = v.account_id \
             AND usage_hour.project_id = v.project_id AND usage_hour.billed_with = v.billed_with \
             AND usage_hour.resource_id = v.resource_id AND usage_hour.plan = v.plan \
             AND usage_hour.hour_at = v.hour_at \
             RETURNING account_id, project_id, billed_with, resource_id, plan, hour_at",
            added("v")
        )
    };
    let known = set(sums.iter()).query(tx, text).await?;
    let known = known.iter().map(key).collect::<Result<HashSet<_>, _>>()?;
    let new = set(sums.iter().filter(|(key, _)| !known.contains(*key)));
    new.insert(tx, TABLE).await
}

const COLUMNS: &str = "account_id, project_id, billed_with, resource_id, plan, hour_at, usage_month, units, \
                       fraction, event_count";

/// The assignments that add what `of` holds; parts that make a unit are carried over.
fn added(of: &str) -> String {
    format!(
        "units = usage_hour.units + {of}.units + (usage_hour.fraction + {of}.fraction) / 10000000000, \
         fraction = (usage_hour.fraction + {of}.fraction) % 10000000000, \
         event_count = usage_hour.event_count + {of}.event_count"
    )
}

fn set<'a>(sums: impl Iterator<Item = (&'a HourKey, &'a (Measured, i64))>) -> Set<10> {
    let columns = [
        ("account_id", Kind::Often(&Kind::Uuid)),
        ("project_id", Kind::Often(&Kind::Uuid)),
        ("billed_with", Kind::Often(&Kind::Number)),
        ("resource_id", Kind::Uuid),
        ("plan", Kind::Often(&Kind::Text)),
        ("hour_at", Kind::Instant),
        ("usage_month", Kind::Often(&Kind::Number)),
        ("units", Kind::Number),
        ("fraction", Kind::Number),
        ("event_count", Kind::Number),
    ];
    let mut set = Set::new(columns, sums.size_hint().0);
    for (key, (quantity, events)) in sums {
        set.push([
            key.account.into(),
            key.project.into(),
            number_of(key.billed_with).into(),
            key.resource.into(),
            key.plan.as_str().into(),
            At::from(key.hour).into(),
            number_of(Month::of(key.hour)).into(),
            quantity.units().into(),
            quantity.fraction().into(),
            (*events).into(),
        ]);
    }
    set
}

fn key(row: &QueryResult) -> Result<HourKey, DbErr> {
    let (plan, hour): (String, At) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
    Ok(HourKey {
        account: row.try_get_by_index(0)?,
        project: row.try_get_by_index(1)?,
        billed_with: month_of(row.try_get_by_index(2)?)?,
        resource: row.try_get_by_index(3)?,
        plan: code_of(&plan)?,
        hour: hour.into(),
    })
}

/// Which sums are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those the invoice of the month `through` carries, or will carry: of no month that is closed, or is `after` or
    /// earlier.
    Due {
        /// A month that has an invoice of its own to come.
        after: Option<Month>,
        /// The month of the invoice.
        through: Month,
    },
    /// Those of what was used in the months, from the first to the last.
    Used(Month, Month),
}

/// The sums of `projects`, by resource, plan, month of use and stretch: a stretch ends at each of `cuts`, which are
/// full hours in rising order. In one query.
pub(crate) async fn sums(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    which: Which,
    cuts: &[Instant],
) -> Result<Vec<Metered>, DbErr> {
    let mut wanted = Set::new([("account_id", Kind::Uuid), ("project_id", Kind::Uuid)], projects.len());
    for (account, project) in projects {
        wanted.push([(*account).into(), (*project).into()]);
    }
    let condition = match which {
        Which::Due { after, through } => format!(
            "h.billed_with > {} AND h.billed_with <= {} AND h.billed_with > COALESCE((SELECT MAX(c.month) \
             FROM usage_closing c WHERE c.account_id = v.account_id AND c.project_id = v.project_id), 0)",
            after.map_or(0, number_of),
            number_of(through)
        ),
        Which::Used(first, last) => format!(
            "h.billed_with >= {0} AND h.usage_month BETWEEN {0} AND {1}",
            number_of(first),
            number_of(last)
        ),
    };
    let stretch = stretch_of(connection.get_database_backend(), cuts);
    let text = |rows: &str| {
        format!(
            "SELECT s.account_id, s.project_id, s.resource_id, s.plan, s.usage_month, s.billed_with, s.first_hour, \
             s.last_hour, s.units, s.fraction, r.display_name, r.region, r.labels, p.currency \
             FROM (SELECT h.account_id, h.project_id, h.resource_id, h.plan, h.usage_month, h.billed_with, \
                MIN(h.hour_at) AS first_hour, MAX(h.hour_at) AS last_hour, \
                CAST(SUM(h.units) AS bigint) AS units, CAST(SUM(h.fraction) AS bigint) AS fraction \
                FROM {rows} JOIN usage_hour h ON h.account_id = v.account_id AND h.project_id = v.project_id \
                WHERE {condition} GROUP BY h.account_id, h.project_id, h.resource_id, h.plan, h.usage_month, \
                h.billed_with{stretch}) s \
             JOIN resource r ON r.account_id = s.account_id AND r.id = s.resource_id \
             JOIN project p ON p.account_id = s.account_id AND p.id = s.project_id"
        )
    };
    let mut found: Vec<Metered> = Vec::new();
    let mut places: HashMap<(AccountId, ResourceId), usize> = HashMap::new();
    for row in wanted.read(connection, text).await? {
        let (metered, sum) = read(&row)?;
        let place = *places.entry((metered.account, metered.resource)).or_insert_with(|| {
            found.push(metered);
            found.len() - 1
        });
        found[place].sums.push(sum);
    }
    found.sort_by_key(|metered| (metered.account, metered.project, metered.resource));
    Ok(found)
}

/// Whether an hour comes after each cut, as further columns to group by.
fn stretch_of(backend: DbBackend, cuts: &[Instant]) -> String {
    let kind = if backend == DbBackend::Postgres { "TIMESTAMPTZ " } else { "" };
    cuts.iter().map(|cut| format!(", h.hour_at >= {kind}'{}'", cut.as_datetime().to_rfc3339())).collect()
}

fn read(row: &QueryResult) -> Result<(Metered, Sum), DbErr> {
    let (plan, labels_text): (String, String) = (row.try_get_by_index(3)?, row.try_get_by_index(12)?);
    let (first, last): (At, At) = (row.try_get_by_index(6)?, row.try_get_by_index(7)?);
    let currency: Code = row.try_get_by_index(13)?;
    let (units, fraction) = (row.try_get_by_index(8)?, row.try_get_by_index(9)?);
    let quantity = Measured::stored(units, fraction);
    let sum = Sum {
        plan: code_of(&plan)?,
        month: month_of(row.try_get_by_index(4)?)?,
        billed_with: month_of(row.try_get_by_index(5)?)?,
        first: first.into(),
        last: last.into(),
        quantity: quantity.ok_or_else(|| CorruptRow::new(TABLE, "a quantity out of range"))?,
    };
    let metered = Metered {
        account: row.try_get_by_index(0)?,
        project: row.try_get_by_index(1)?,
        resource: row.try_get_by_index(2)?,
        currency: currency.0,
        name: row.try_get_by_index(10)?,
        region: row.try_get_by_index(11)?,
        labels: labels(&labels_text)?,
        sums: Vec::new(),
    };
    Ok((metered, sum))
}

/// Closes `month` of each of `projects` at `at`; what was closed up to there stays as it is. The accounts are
/// locked.
pub(crate) async fn close(
    tx: &Tx,
    at: Instant,
    month: Month,
    projects: &[(AccountId, ProjectId)],
) -> Result<(), DbErr> {
    projects.iter().for_each(|(account, _)| tx.touch(*account));
    let columns = [
        ("account_id", Kind::Uuid),
        ("project_id", Kind::Uuid),
        ("month", Kind::Number),
        ("closed_at", Kind::Instant),
    ];
    let mut set = Set::new(columns, projects.len());
    for (account, project) in projects {
        set.push([(*account).into(), (*project).into(), number_of(month).into(), At::from(at).into()]);
    }
    let text = |rows: &str| {
        format!(
            "INSERT INTO usage_closing (account_id, project_id, month, closed_at) \
             SELECT v.account_id, v.project_id, v.month, v.closed_at FROM {rows} \
             WHERE NOT EXISTS (SELECT 1 FROM usage_closing c WHERE c.account_id = v.account_id \
             AND c.project_id = v.project_id AND c.month >= v.month)"
        )
    };
    set.execute(tx, text).await.map(|_| ())
}

/// When each month of the project from `first` on was closed.
pub(crate) async fn closings(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    first: Month,
) -> Result<BTreeMap<Month, Instant>, DbErr> {
    let text = "SELECT month, closed_at FROM usage_closing WHERE account_id = $1 AND project_id = $2 AND month >= $3";
    let values = [account.into(), project.into(), number_of(first).into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter()
        .map(|row| {
            let at: At = row.try_get_by_index(1)?;
            Ok((month_of(row.try_get_by_index(0)?)?, at.into()))
        })
        .collect()
}
