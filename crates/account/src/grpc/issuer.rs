//! `florin.account.v1.IssuerService`.

use florin_api::account::v1::{
    GetIssuerRequest, Issuer, ListIssuersRequest, ListIssuersResponse, issuer_service_server::IssuerService,
};
use florin_platform::{Platform, page::Page};
use tonic::{Request, Response, Status};

use crate::{convert, error::Error, store};

/// Issuers, read-only.
#[derive(Clone, Debug)]
pub struct IssuerRpc {
    platform: Platform,
}

impl IssuerRpc {
    /// Serves issuers kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl IssuerService for IssuerRpc {
    async fn get_issuer(&self, request: Request<GetIssuerRequest>) -> Result<Response<Issuer>, Status> {
        let name = request.into_inner().name;
        let reader = self.platform.db.reader();
        let id = convert::issuer::id(&name).map_err(Error::from)?;
        let issuer = store::issuer::find(reader, id)
            .await
            .map_err(Error::from)?
            .ok_or(Error::NotFound(name.clone()))?;
        let countries = store::issuer::countries(reader, id).await.map_err(Error::from)?;
        Ok(Response::new(convert::issuer::issuer(&issuer, countries)))
    }

    async fn list_issuers(
        &self,
        request: Request<ListIssuersRequest>,
    ) -> Result<Response<ListIssuersResponse>, Status> {
        let request = request.into_inner();
        let page = Page::parse(&self.platform.key, "ListIssuers", request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let mut issuers = store::issuer::all(reader).await.map_err(Error::from)?;
        issuers.retain(|issuer| page.after.as_ref().is_none_or(|after| issuer.id > *after));
        let (issuers, next_page_token) = page.cut(&self.platform.key, issuers, |issuer| issuer.id.clone());
        let mut rendered = Vec::with_capacity(issuers.len());
        for issuer in &issuers {
            let countries = store::issuer::countries(reader, &issuer.id).await.map_err(Error::from)?;
            rendered.push(convert::issuer::issuer(issuer, countries));
        }
        Ok(Response::new(ListIssuersResponse { issuers: rendered, next_page_token }))
    }
}
