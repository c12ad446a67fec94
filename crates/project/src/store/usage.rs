//! What a set of projects held in a period, in one query for all of them.

use std::collections::BTreeMap;

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, Code, Rate},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::{Currency, Period};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::{
    plan::code_of,
    resource::{labels, size},
};
use crate::domain::{
    rating::Held,
    resource::{Labels, ResourceId},
};

/// One resource and everything it held in the period.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) resource: ResourceId,
    pub(crate) currency: Currency,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) labels: Labels,
    pub(crate) held: Vec<Held>,
}

/// What each resource of `projects` held in `period`, in the order (account, project, resource).
pub(crate) async fn held(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    period: Period,
) -> Result<Vec<Usage>, DbErr> {
    let columns = [
        ("account_id", Kind::Uuid),
        ("project_id", Kind::Uuid),
        ("until", Kind::Instant),
        ("since", Kind::Instant),
    ];
    let mut wanted = Set::new(columns, projects.len());
    for (account, project) in projects {
        let (until, since) = (At::from(period.to()), At::from(period.from()));
        wanted.push([(*account).into(), (*project).into(), until.into(), since.into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT i.account_id, i.project_id, i.resource_id, i.plan, i.size, i.started_at, i.ended_at, \
                    r.display_name, r.region, r.labels, p.currency \
             FROM {rows} \
             JOIN resource_interval i ON i.account_id = v.account_id AND i.project_id = v.project_id \
             JOIN resource r ON r.account_id = i.account_id AND r.id = i.resource_id \
             JOIN project p ON p.account_id = i.account_id AND p.id = i.project_id \
             WHERE i.started_at < v.until AND (i.ended_at IS NULL OR i.ended_at >= v.since) \
             ORDER BY i.account_id, i.project_id, i.resource_id, i.ordinal"
        )
    };
    let mut found: BTreeMap<(AccountId, ProjectId, ResourceId), Usage> = BTreeMap::new();
    for row in wanted.read(connection, text).await? {
        let (usage, held) = read(&row)?;
        let key = (usage.account, usage.project, usage.resource);
        found.entry(key).or_insert(usage).held.push(held);
    }
    Ok(found.into_values().collect())
}

fn read(row: &QueryResult) -> Result<(Usage, Held), DbErr> {
    let (plan, labels_text): (String, String) = (row.try_get("", "plan")?, row.try_get("", "labels")?);
    let (from, to): (At, Option<At>) = (row.try_get("", "started_at")?, row.try_get("", "ended_at")?);
    let rate: Rate = row.try_get("", "size")?;
    let currency: Code = row.try_get("", "currency")?;
    let held = Held { plan: code_of(&plan)?, size: size(rate)?, from: from.into(), to: to.map(Into::into) };
    let usage = Usage {
        account: row.try_get("", "account_id")?,
        project: row.try_get("", "project_id")?,
        resource: row.try_get("", "resource_id")?,
        currency: currency.0,
        name: row.try_get("", "display_name")?,
        region: row.try_get("", "region")?,
        labels: labels(&labels_text)?,
        held: Vec::new(),
    };
    Ok((usage, held))
}
