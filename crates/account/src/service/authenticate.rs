//! Finding out who holds a bearer token (R2.6).
//!
//! Every call asks, so concurrent calls share one look-up ([`Coalescer`]): never a kept answer, so that what was revoked
//! before a call began does not open it.

use florin_platform::{
    Platform,
    access::Authenticator,
    call::{Principal, Role},
    clock::Clock,
    coalesce::Coalescer,
    db::Kept,
    secret::digest,
};
use sea_orm::DbErr;

use crate::store;

/// The most tokens looked up in one query.
const TOKENS_MAX: usize = 256;

/// Knows sessions (`flss_…`) and service tokens (`flst_…`).
#[derive(Clone, Debug)]
pub struct TokenAuthenticator {
    platform: Platform,
    services: Coalescer<Vec<u8>, Looked>,
}

/// The service behind a digest: its name and roles, if there is one.
type Looked = Result<Option<(String, Vec<Role>)>, DbErr>;

impl TokenAuthenticator {
    /// Looks tokens up in `platform`'s database. Within a runtime.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        let kept = Kept::new(platform.db.clone());
        let services = Coalescer::new(TOKENS_MAX, move |digests: Vec<Vec<u8>>| {
            let kept = kept.clone();
            async move {
                match store::token::find_many(&kept, &digests).await {
                    Ok(found) => digests.iter().map(|digest| Ok(found.get(digest).cloned())).collect(),
                    Err(error) => digests.iter().map(|_| Err(error.clone())).collect(),
                }
            }
        });
        Self { platform, services }
    }
}

#[async_trait::async_trait]
impl Authenticator for TokenAuthenticator {
    async fn authenticate(&self, bearer: &str) -> Result<Option<Principal>, DbErr> {
        let reader = self.platform.db.reader();
        if bearer.starts_with("flst_") {
            let answered = self.services.ask(digest(bearer)).await;
            let service = answered.map_err(|error| DbErr::Custom(error.to_string()))??;
            return Ok(service.map(|(name, roles)| Principal::Service { name, roles }));
        }
        let now = Clock::System.now(reader).await?;
        let live = store::session::live(reader, digest(bearer), now).await?;
        Ok(live.map(|(account, session)| Principal::Customer { account, session }))
    }
}
