//! What an issuer allows its customers' projects, loaded from a file: the grace of a deletion, the quotas.
//!
//! Loading again sets what the file says; what it does not name stays.

use std::collections::BTreeMap;

use florin_platform::{db::Tx, violation::Violations};
use florin_settlement::PlanFamily;
use serde::Deserialize;

use crate::{domain::quota::QUOTA_MAX, error::Error, store};

/// A month is as long as late usage can sensibly be waited for.
const GRACE_SECONDS_MAX: i64 = 31 * 24 * 60 * 60;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    deletion_grace_seconds: BTreeMap<String, i64>,
    #[serde(default)]
    quotas: BTreeMap<String, u32>,
}

/// Loads the policy in `yaml`; everything that is wrong in it at once.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Database`], also for an issuer that does not exist.
pub async fn import(tx: &Tx, yaml: &str) -> Result<(), Error> {
    let file: File = serde_norway::from_str(yaml).map_err(|error| Violations::one("file", error))?;
    let mut violations = Violations::new();
    for (issuer, seconds) in &file.deletion_grace_seconds {
        violations.check(
            &format!("deletion_grace_seconds.{issuer}"),
            (0..=GRACE_SECONDS_MAX).contains(seconds),
            format!("must be 0 to {GRACE_SECONDS_MAX}"),
        );
    }
    let mut quotas = Vec::new();
    for (family, limit) in &file.quotas {
        let field = format!("quotas.{family}");
        violations.check(&field, *limit <= QUOTA_MAX, format!("must be at most {QUOTA_MAX}"));
        quotas.extend(violations.take(&field, PlanFamily::parse(family)).map(|family| (family, *limit)));
    }
    violations.finish()?;
    for (issuer, seconds) in &file.deletion_grace_seconds {
        store::policy::set_deletion_grace(tx, issuer, *seconds).await?;
    }
    for (family, limit) in quotas {
        store::policy::set_default_quota(tx, family, limit).await?;
    }
    Ok(())
}
