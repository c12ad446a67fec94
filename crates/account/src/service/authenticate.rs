//! Finding out who holds a bearer token (R2.6).

use florin_platform::{Platform, access::Authenticator, call::Principal, clock::Clock, secret::digest};
use sea_orm::DbErr;

use crate::store;

/// Knows sessions (`flss_…`) and service tokens (`flst_…`).
#[derive(Clone, Debug)]
pub struct TokenAuthenticator {
    platform: Platform,
}

impl TokenAuthenticator {
    /// Looks tokens up in `platform`'s database.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[async_trait::async_trait]
impl Authenticator for TokenAuthenticator {
    async fn authenticate(&self, bearer: &str) -> Result<Option<Principal>, DbErr> {
        let reader = self.platform.db.reader();
        if bearer.starts_with("flst_") {
            let service = store::token::find(reader, digest(bearer)).await?;
            return Ok(service.map(|(name, roles)| Principal::Service { name, roles }));
        }
        let now = Clock::System.now(reader).await?;
        let live = store::session::live(reader, digest(bearer), now).await?;
        Ok(live.map(|(account, session)| Principal::Customer { account, session }))
    }
}
