//! Rows of what an issuer allows its customers' projects: reference data.

use std::{collections::BTreeMap, time::Duration};

use florin_platform::{column::CorruptRow, db::sql};
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
