//! Rows of what an issuer allows its customers' projects: reference data.

use std::{collections::BTreeMap, time::Duration};

use florin_platform::{
    column::CorruptRow,
    db::{Tx, sql},
};
use florin_settlement::PlanFamily;
use sea_orm::{ConnectionTrait, DbErr};

/// How long late usage is taken once a project is being deleted, by issuer (R4.6).
pub(crate) async fn deletion_graces(
    connection: &impl ConnectionTrait,
) -> Result<BTreeMap<String, Duration>, DbErr> {
    let text = "SELECT issuer, deletion_grace_seconds FROM project_policy";
    let rows = connection.query_all_raw(sql(connection, text, [])).await?;
    rows.iter()
        .map(|row| {
            let seconds: i64 = row.try_get_by_index(1)?;
            let seconds = u64::try_from(seconds).map_err(CorruptRow::of("project_policy"))?;
            Ok((row.try_get_by_index(0)?, Duration::from_secs(seconds)))
        })
        .collect()
}

/// Sets how long late usage is taken from the customers of `issuer`.
pub(crate) async fn set_deletion_grace(tx: &Tx, issuer: &str, seconds: i64) -> Result<(), DbErr> {
    let text = "INSERT INTO project_policy (issuer, deletion_grace_seconds) VALUES ($1, $2) \
                ON CONFLICT (issuer) DO UPDATE SET deletion_grace_seconds = excluded.deletion_grace_seconds";
    tx.execute_raw(sql(tx, text, [issuer.into(), seconds.into()])).await.map(|_| ())
}

/// Sets what every project may hold of `family`.
pub(crate) async fn set_default_quota(tx: &Tx, family: PlanFamily, limit: u32) -> Result<(), DbErr> {
    let text = "INSERT INTO quota_default (family, resources) VALUES ($1, $2) \
                ON CONFLICT (family) DO UPDATE SET resources = excluded.resources";
    tx.execute_raw(sql(tx, text, [family.as_str().into(), i64::from(limit).into()])).await.map(|_| ())
}
