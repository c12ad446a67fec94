//! Monthly sums of measured usage, and the months that are closed (R5.4, R5.5).
//!
//! | question | answer |
//! |---|---|
//! | what does the invoice of month M carry? | sums whose `billed_with` is M or an earlier month that was never closed |
//! | and usage that comes after M is closed? | has a later `billed_with`, decided with the account held |
//! | what was used in month M? | sums whose `usage_month` is M, whoever bills them |
//! | what if a price changes in M? | the sums of its plan are read hour by hour: [`super::usage_hour::cut`] |

use std::collections::{BTreeMap, HashMap};

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, Code, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::{Instant, Month};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::{plan::code_of, resource::labels, rollup::Rollup};
use crate::domain::{
    metered::{Metered, Sum},
    metering::{Measured, MonthKey, MonthTotal},
    resource::ResourceId,
};

const TABLE: &str = "usage_month";
const COLUMNS: &str = "account_id, project_id, billed_with, resource_id, plan, usage_month, first_hour, last_hour, \
                       units, fraction, event_count";
const MONTHS: Rollup = Rollup {
    table: TABLE,
    key: &["account_id", "project_id", "billed_with", "resource_id", "plan", "usage_month"],
    also: &[
        "first_hour = CASE WHEN {of}.first_hour < usage_month.first_hour THEN {of}.first_hour \
         ELSE usage_month.first_hour END",
        "last_hour = CASE WHEN {of}.last_hour > usage_month.last_hour THEN {of}.last_hour \
         ELSE usage_month.last_hour END",
    ],
};

/// A month as it is stored: 202703.
pub(crate) fn number_of(month: Month) -> i64 {
    i64::from(month.year()) * 100 + i64::from(month.month())
}

/// A month read back.
pub(crate) fn month_of(number: i64) -> Result<Month, CorruptRow> {
    Month::parse(&format!("{:04}-{:02}", number / 100, number % 100)).map_err(CorruptRow::of(TABLE))
}

/// Adds to the sums of months.
pub(crate) async fn add(tx: &Tx, sums: &BTreeMap<MonthKey, MonthTotal>) -> Result<(), DbErr> {
    let columns = [
        ("account_id", Kind::Often(&Kind::Uuid)),
        ("project_id", Kind::Often(&Kind::Uuid)),
        ("billed_with", Kind::Often(&Kind::Number)),
        ("resource_id", Kind::Uuid),
        ("plan", Kind::Often(&Kind::Text)),
        ("usage_month", Kind::Often(&Kind::Number)),
        ("first_hour", Kind::Instant),
        ("last_hour", Kind::Instant),
        ("units", Kind::Number),
        ("fraction", Kind::Number),
        ("event_count", Kind::Number),
    ];
    let mut set = Set::new(columns, sums.len());
    for (key, MonthTotal { first, last, total }) in sums {
        set.push([
            key.account.into(),
            key.project.into(),
            number_of(key.billed_with).into(),
            key.resource.into(),
            key.plan.as_str().into(),
            number_of(key.month).into(),
            At::from(*first).into(),
            At::from(*last).into(),
            total.quantity.units().into(),
            total.quantity.fraction().into(),
            total.events.into(),
        ]);
    }
    MONTHS.add(tx, COLUMNS, set).await
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

impl Which {
    /// The same of a row `h` of sums whose project is that of `v`.
    pub(super) fn condition(self) -> String {
        match self {
            Self::Due { after, through } => format!(
                "h.billed_with > {} AND h.billed_with <= {} AND h.billed_with > COALESCE((SELECT MAX(c.month) \
                 FROM usage_closing c WHERE c.account_id = v.account_id AND c.project_id = v.project_id), 0)",
                after.map_or(0, number_of),
                number_of(through)
            ),
            Self::Used(first, last) => format!(
                "h.billed_with >= {0} AND h.usage_month BETWEEN {0} AND {1}",
                number_of(first),
                number_of(last)
            ),
        }
    }
}

/// The sums of `projects`, by resource, plan and month of use. In one query.
pub(crate) async fn sums(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    which: Which,
) -> Result<Vec<Metered>, DbErr> {
    let mut wanted = Set::new([("account_id", Kind::Uuid), ("project_id", Kind::Uuid)], projects.len());
    for (account, project) in projects {
        wanted.push([(*account).into(), (*project).into()]);
    }
    let condition = which.condition();
    let text = |rows: &str| {
        format!(
            "SELECT h.account_id, h.project_id, h.resource_id, h.plan, h.usage_month, h.billed_with, h.first_hour, \
             h.last_hour, h.units, h.fraction, r.display_name, r.region, r.labels, p.currency \
             FROM {rows} JOIN usage_month h ON h.account_id = v.account_id AND h.project_id = v.project_id \
             JOIN resource r ON r.account_id = h.account_id AND r.id = h.resource_id \
             JOIN project p ON p.account_id = h.account_id AND p.id = h.project_id \
             WHERE {condition}"
        )
    };
    let mut found: Vec<Metered> = Vec::new();
    let mut places: HashMap<(AccountId, ResourceId), usize> = HashMap::new();
    for row in wanted.read(connection, text).await? {
        let key = (row.try_get_by_index(0)?, row.try_get_by_index(2)?);
        let place = match places.get(&key) {
            Some(place) => *place,
            None => {
                found.push(metered(&row)?);
                places.insert(key, found.len() - 1);
                found.len() - 1
            }
        };
        found[place].sums.push(sum(&row)?);
    }
    found.sort_by_key(|metered| (metered.account, metered.project, metered.resource));
    Ok(found)
}

fn metered(row: &QueryResult) -> Result<Metered, DbErr> {
    let (labels_text, currency): (String, Code) = (row.try_get_by_index(12)?, row.try_get_by_index(13)?);
    Ok(Metered {
        account: row.try_get_by_index(0)?,
        project: row.try_get_by_index(1)?,
        resource: row.try_get_by_index(2)?,
        currency: currency.0,
        name: row.try_get_by_index(10)?,
        region: row.try_get_by_index(11)?,
        labels: labels(&labels_text)?,
        sums: Vec::new(),
    })
}

/// The sum in a row: plan, month of use, month it is billed with, first and last hour, whole units and parts, from the
/// fourth column on.
pub(super) fn sum(row: &QueryResult) -> Result<Sum, DbErr> {
    let plan: String = row.try_get_by_index(3)?;
    let (first, last): (At, At) = (row.try_get_by_index(6)?, row.try_get_by_index(7)?);
    let quantity = Measured::stored(row.try_get_by_index(8)?, row.try_get_by_index(9)?);
    Ok(Sum {
        plan: code_of(&plan)?,
        month: month_of(row.try_get_by_index(4)?)?,
        billed_with: month_of(row.try_get_by_index(5)?)?,
        first: first.into(),
        last: last.into(),
        quantity: quantity.ok_or_else(|| CorruptRow::new(TABLE, "a quantity out of range"))?,
    })
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
