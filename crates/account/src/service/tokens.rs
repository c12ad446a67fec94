//! Service tokens (R2.6): registered by whoever runs the server.

use florin_platform::{Platform, call::Role, db::Tx, secret::digest};
use florin_settlement::Instant;
use sea_orm::DbErr;

use crate::store;

/// Registers the token of service `name` and returns it. It is derived from the server key, so asking
/// again returns the same one; it has the roles it was registered with last.
pub async fn register_service_token(
    platform: &Platform,
    tx: &Tx,
    at: Instant,
    name: &str,
    roles: &[Role],
) -> Result<String, DbErr> {
    let token = format!("flst_{}", platform.key.token(&format!("service-token/{name}")));
    store::token::register(tx, digest(&token), name, roles, at).await?;
    Ok(token)
}
