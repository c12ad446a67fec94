//! Hourly sums of measured usage: what a price change within a month is rated from (R5.4).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use florin_credit::ProjectId;
use florin_platform::{
    column::At,
    db::Tx,
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::{Instant, Month};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::{
    rollup::Rollup,
    usage_month::{Which, number_of, sum},
};
use crate::domain::{
    metered::Sum,
    metering::{HourKey, Total},
    plan::PlanCode,
    resource::ResourceId,
};

const TABLE: &str = "usage_hour";
const COLUMNS: &str = "account_id, project_id, billed_with, resource_id, plan, hour_at, usage_month, units, \
                       fraction, event_count";
const HOURS: Rollup = Rollup {
    table: TABLE,
    key: &["account_id", "project_id", "billed_with", "hour_at", "resource_id", "plan"],
    also: &[],
};

/// Adds to the sums of hours. On PostgreSQL those taken to be `new` are inserted plainly, which fails at the table's key
/// if one is not.
pub(crate) async fn add(
    tx: &Tx,
    sums: &BTreeMap<HourKey, Total>,
    new: &HashSet<&HourKey>,
) -> Result<(), DbErr> {
    if let Some(hour) = sums.keys().map(|key| key.hour).min() {
        let accounts: BTreeSet<AccountId> = sums.keys().map(|key| key.account).collect();
        super::standing::hurry(tx, hour, &accounts.into_iter().collect::<Vec<_>>()).await?;
    }
    if tx.get_database_backend() != DbBackend::Postgres {
        return HOURS.add(tx, COLUMNS, set(sums.iter())).await;
    }
    let (new, other): (Vec<_>, Vec<_>) = sums.iter().partition(|(key, _)| new.contains(key));
    set(new.into_iter()).insert(tx, TABLE).await?;
    HOURS.add(tx, COLUMNS, set(other.into_iter())).await
}

fn set<'a>(sums: impl Iterator<Item = (&'a HourKey, &'a Total)>) -> Set<10> {
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
    for (key, total) in sums {
        set.push([
            key.account.into(),
            key.project.into(),
            number_of(key.billed_with).into(),
            key.resource.into(),
            key.plan.as_str().into(),
            At::from(key.hour).into(),
            number_of(Month::of(key.hour)).into(),
            total.quantity.units().into(),
            total.quantity.fraction().into(),
            total.events.into(),
        ]);
    }
    set
}

/// Of the sums that `which` wants of `wanted`, those of the plans given, by resource, month of use and stretch: a stretch
/// ends at each of `cuts`, which are full hours in rising order. In one query.
pub(crate) async fn cut(
    connection: &impl ConnectionTrait,
    wanted: &BTreeSet<(AccountId, ProjectId, PlanCode)>,
    which: Which,
    cuts: &[Instant],
) -> Result<HashMap<(AccountId, ResourceId), Vec<Sum>>, DbErr> {
    let columns = [("account_id", Kind::Uuid), ("project_id", Kind::Uuid), ("plan", Kind::Text)];
    let mut set = Set::new(columns, wanted.len());
    for (account, project, plan) in wanted {
        set.push([(*account).into(), (*project).into(), plan.as_str().into()]);
    }
    let stretch = stretch_of(connection.get_database_backend(), cuts);
    let condition = which.condition();
    let text = |rows: &str| {
        format!(
            "SELECT h.account_id, h.project_id, h.resource_id, h.plan, h.usage_month, h.billed_with, \
                MIN(h.hour_at) AS first_hour, MAX(h.hour_at) AS last_hour, \
                CAST(SUM(h.units) AS bigint) AS units, CAST(SUM(h.fraction) AS bigint) AS fraction \
             FROM {rows} JOIN usage_hour h ON h.account_id = v.account_id AND h.project_id = v.project_id \
                AND h.plan = v.plan \
             WHERE {condition} GROUP BY h.account_id, h.project_id, h.resource_id, h.plan, h.usage_month, \
                h.billed_with{stretch}"
        )
    };
    let mut parts: HashMap<_, Vec<Sum>> = HashMap::new();
    for row in set.read(connection, text).await? {
        let resource = (row.try_get_by_index(0)?, row.try_get_by_index(2)?);
        parts.entry(resource).or_default().push(sum(&row)?);
    }
    Ok(parts)
}

/// Whether an hour comes after each cut, as further columns to group by.
fn stretch_of(backend: DbBackend, cuts: &[Instant]) -> String {
    let kind = if backend == DbBackend::Postgres { "TIMESTAMPTZ " } else { "" };
    cuts.iter().map(|cut| format!(", h.hour_at >= {kind}'{}'", cut.as_datetime().to_rfc3339())).collect()
}
