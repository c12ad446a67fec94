//! The reference data a sandbox starts with: issuers, offered payment methods, what
//! projects may be and hold, catalogue.
//!
//! Loading is idempotent: what is there already is left as it is.

use florin_platform::{Platform, job::alone};

use crate::cli::CliError;

const ISSUERS: &str = include_str!("../seed/issuers.yaml");
const PAYMENTS: &str = include_str!("../seed/payments.yaml");
const PROJECTS: &str = include_str!("../seed/projects.yaml");
const CATALOGUE: &str = include_str!("../seed/catalogue.yaml");

/// Loads whatever is not there yet. Servers that start at the same time take turns.
pub async fn load(platform: &Platform, replica: &str) -> Result<(), CliError> {
    match alone(platform, "server.seed", replica, || load_alone(platform)).await? {
        Some(loaded) => loaded,
        None => Err("another server has been loading reference data for a minute".into()),
    }
}

/// In one transaction.
async fn load_alone(platform: &Platform) -> Result<(), CliError> {
    let issuers = &florin_account::seed::Seed::parse(ISSUERS)?;
    let offers = &florin_payment::seed::Seed::parse(PAYMENTS)?;
    platform
        .db
        .write(|tx| async move {
            let now = platform.clock.now(&tx).await?;
            issuers.load(&tx).await?;
            offers.load(&tx).await?;
            florin_project::policy::import(&tx, PROJECTS).await?;
            florin_project::catalogue::import(&tx, now, CATALOGUE).await?;
            Ok::<_, florin_project::Error>(())
        })
        .await?;
    Ok(())
}
