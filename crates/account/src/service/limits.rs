//! What operators allow one account beyond what its issuer allows everybody (R4.1).

use florin_platform::{audit, call::Call, db::Tx, etag, id::AccountId, outbox, wire::account_name};
use florin_settlement::Instant;

use super::query::owned;
use crate::{domain::account::Account, error::Error, events::ProjectLimitChanged, store::account};

/// Lets a locked account have `limit` live projects. Those it has beyond that stay.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::EtagMismatch`].
pub async fn set_project_limit(
    tx: &Tx,
    at: Instant,
    call: &Call,
    id: AccountId,
    limit: u32,
    given_etag: &str,
) -> Result<Account, Error> {
    let before = owned(tx, id).await?;
    let name = account_name(id);
    if !etag::allows(given_etag, &name, before.version) {
        return Err(Error::EtagMismatch(name));
    }
    let after = Account { project_limit: limit, version: before.version + 1, updated: at, ..before };
    account::save(tx, &after).await?;
    audit::record(tx, at, call, id, &name).await?;
    let fact = ProjectLimitChanged { account: name, project_limit: i64::from(limit) };
    outbox::append(tx, at, id, &fact).await?;
    Ok(after)
}
