//! Rows of quotas, and how much of each family a project holds.

use std::collections::HashMap;

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Instant, PlanFamily};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::domain::quota::{Quota, fallback};

const TABLE: &str = "project_quota";

/// What the project may hold and holds of each family.
pub(crate) async fn of_project(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Vec<Quota>, DbErr> {
    let text = "SELECT p.family, CAST(COUNT(*) AS bigint) FROM resource r JOIN plan p ON p.code = r.plan \
                WHERE r.account_id = $1 AND r.project_id = $2 AND r.removed_at IS NULL GROUP BY p.family";
    let used = connection.query_all_raw(sql(connection, text, [account.into(), project.into()])).await?;
    let used = used.iter().map(counted).collect::<Result<HashMap<_, _>, DbErr>>()?;
    let text = "SELECT family, resources FROM quota_default";
    let defaults = connection.query_all_raw(sql(connection, text, [])).await?;
    let defaults = defaults.iter().map(counted).collect::<Result<HashMap<_, _>, DbErr>>()?;
    let text = "SELECT family, resources, updated_at FROM project_quota \
                WHERE account_id = $1 AND project_id = $2";
    let set = connection.query_all_raw(sql(connection, text, [account.into(), project.into()])).await?;
    let set = set
        .iter()
        .map(|row| {
            let (family, limit) = counted(row)?;
            Ok((family, (limit, row.try_get_by_index::<At>(2)?.into())))
        })
        .collect::<Result<HashMap<PlanFamily, (u32, Instant)>, DbErr>>()?;
    let quota = |family| {
        let default_limit = defaults.get(&family).copied().unwrap_or(fallback(family));
        let own = set.get(&family);
        Quota {
            family,
            limit: own.map_or(default_limit, |(limit, _)| *limit),
            in_use: used.get(&family).copied().unwrap_or_default(),
            default_limit,
            set: own.map(|(_, at)| *at),
        }
    };
    Ok(PlanFamily::ALL.into_iter().map(quota).collect())
}

fn counted(row: &QueryResult) -> Result<(PlanFamily, u32), DbErr> {
    let (family, number): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    let family = PlanFamily::parse(&family).map_err(CorruptRow::of(TABLE))?;
    Ok((family, u32::try_from(number).map_err(CorruptRow::of(TABLE))?))
}

/// Sets what a project may hold of a family.
pub(crate) async fn set(
    tx: &Tx,
    (account, project): (AccountId, ProjectId),
    family: PlanFamily,
    limit: u32,
    at: Instant,
) -> Result<(), DbErr> {
    tx.touch(account);
    let text = "INSERT INTO project_quota (account_id, project_id, family, resources, version, updated_at) \
                VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT (account_id, project_id, family) DO UPDATE \
                SET resources = excluded.resources, version = project_quota.version + 1, \
                updated_at = excluded.updated_at";
    let values: [Value; 5] = [
        account.into(),
        project.into(),
        family.as_str().into(),
        i64::from(limit).into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
