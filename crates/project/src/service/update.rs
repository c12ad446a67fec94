//! Changing a project's name; nothing else is changed by an update (R4.4).

use florin_credit::ProjectId;
use florin_platform::{audit, call::Call, db::Tx, etag, id::AccountId, outbox};
use florin_settlement::Instant;

use super::query;
use crate::{
    domain::project::{Project, ProjectName},
    error::Error,
    events::ProjectUpdated,
    store,
};

/// The fields an Update may name.
pub(crate) const UPDATABLE: &[&str] = &["display_name"];

/// What to change, and against which version.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) etag: String,
    pub(crate) name: ProjectName,
}

/// Applies the change.
pub(crate) async fn update_project(
    tx: &Tx,
    at: Instant,
    call: &Call,
    change: Change,
) -> Result<Project, Error> {
    query::reach(tx, call, change.account, change.project).await?;
    florin_account::lock(tx, &[change.account]).await?;
    let before = query::owned(tx, call, change.account, change.project).await?;
    let name = before.resource_name();
    if !etag::allows(&change.etag, &name, before.version) {
        return Err(Error::EtagMismatch(name));
    }
    let after = before.renamed(change.name, at);
    store::project::save(tx, &after).await?;
    audit::record(tx, at, call, after.account, &name).await?;
    outbox::append(tx, at, after.account, &ProjectUpdated { project: name }).await?;
    Ok(after)
}
