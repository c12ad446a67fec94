//! What events of resources are judged by: their lives, in two queries for all of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, CorruptRow},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::Month;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::{plan::code_of, usage_month::month_of};
use crate::domain::{
    metering::{Life, Stretch},
    plan::ChargeModel,
    resource::ResourceId,
};

/// The lives of those of `resources` that exist.
pub(crate) async fn of(
    connection: &impl ConnectionTrait,
    resources: &[(AccountId, ResourceId)],
) -> Result<HashMap<(AccountId, ResourceId), Arc<Life>>, DbErr> {
    let mut set = Set::new([("account_id", Kind::Uuid), ("resource_id", Kind::Uuid)], resources.len());
    for (account, resource) in resources {
        set.push([(*account).into(), (*resource).into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT i.account_id, i.resource_id, i.project_id, i.plan, plan.charge_model, i.started_at, i.ended_at, \
             (SELECT MAX(c.month) FROM usage_closing c \
                WHERE c.account_id = i.account_id AND c.project_id = i.project_id) \
             FROM {rows} \
             JOIN resource_interval i ON i.account_id = v.account_id AND i.resource_id = v.resource_id \
             JOIN plan ON plan.code = i.plan \
             ORDER BY i.account_id, i.resource_id, i.ordinal"
        )
    };
    let rows = set.read(connection, text).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let keys: BTreeSet<_> = rows.iter().map(|row| (row.account, row.project)).collect();
    let projects = super::project::of_keys(connection, &keys.into_iter().collect::<Vec<_>>()).await?;
    let projects: HashMap<_, _> =
        projects.into_iter().map(|project| ((project.account, project.id), project)).collect();
    let mut lives: HashMap<(AccountId, ResourceId), Life> = HashMap::with_capacity(resources.len());
    for row in rows {
        let Some(project) = projects.get(&(row.account, row.project)) else { continue };
        let life = || Life { project: project.clone(), stretches: Vec::new(), closed: row.closed };
        lives.entry((row.account, row.resource)).or_insert_with(life).stretches.push(row.stretch);
    }
    Ok(lives.into_iter().map(|(key, life)| (key, Arc::new(life))).collect())
}

struct Row {
    account: AccountId,
    resource: ResourceId,
    project: ProjectId,
    closed: Option<Month>,
    stretch: Stretch,
}

fn read(row: &QueryResult) -> Result<Row, DbErr> {
    let (plan, model): (String, String) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
    let (from, to): (At, Option<At>) = (row.try_get_by_index(5)?, row.try_get_by_index(6)?);
    let closed: Option<i64> = row.try_get_by_index(7)?;
    let model = ChargeModel::parse(&model).ok_or_else(|| CorruptRow::new("plan", "unknown charge model"))?;
    let stretch = Stretch {
        plan: code_of(&plan)?,
        metered: model == ChargeModel::Metered,
        from: from.into(),
        to: to.map(Into::into),
    };
    Ok(Row {
        account: row.try_get_by_index(0)?,
        resource: row.try_get_by_index(1)?,
        project: row.try_get_by_index(2)?,
        closed: closed.map(month_of).transpose()?,
        stretch,
    })
}
