//! `florin.credit.v1.GrantService`.

use std::sync::Arc;

use florin_api::credit::v1::{
    Grant, GrantLaunchPadRequest, GrantLoyaltyRequest, ListGrantsRequest, ListGrantsResponse,
    grant_service_server::GrantService,
};
use florin_platform::{Platform, approval::Limits, call::Call, db::Tx, idempotency::RequestKey, page::Page};
use prost::Message;
use tonic::{Request, Response, Status};

use super::visible;
use crate::{
    acts::{GRANT_LAUNCH_PAD, GRANT_LOYALTY},
    convert,
    error::Error,
    grants::NewGrant,
    ports::ProjectGate,
    service::{grants, query, rehearse::rehearse},
};

/// The grant service.
#[derive(Clone)]
pub struct GrantRpc {
    platform: Platform,
    gate: Arc<dyn ProjectGate>,
    limits: Limits,
}

impl std::fmt::Debug for GrantRpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrantRpc").field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl GrantRpc {
    /// Serves grants kept in `platform`; `gate` is told of those that fund a first project. What exceeds `limits`
    /// waits for a second operator.
    pub fn new(platform: Platform, gate: Arc<dyn ProjectGate>, limits: Limits) -> Self {
        Self { platform, gate, limits }
    }

    async fn give(
        &self,
        call: &Call,
        key: &RequestKey,
        asked: &grants::Request,
        new: &NewGrant,
        validate_only: bool,
    ) -> Result<Response<Grant>, Status> {
        let give = |tx: Tx, now| async move {
            let limits = &self.limits;
            let asked = grants::ask(&tx, now, call, &*self.gate, limits, new.clone(), asked.clone()).await?;
            Ok(convert::grant::asked(&asked, new))
        };
        if !validate_only {
            return Ok(Response::new(self.platform.mutate::<_, Error, _>(key, give).await?));
        }
        let rehearsed = rehearse(&self.platform, give).await?;
        let (name, credit, approval) = (String::new(), String::new(), String::new());
        Ok(Response::new(Grant { name, credit, approval, ..rehearsed }))
    }
}

#[tonic::async_trait]
impl GrantService for GrantRpc {
    async fn grant_launch_pad(
        &self,
        request: Request<GrantLaunchPadRequest>,
    ) -> Result<Response<Grant>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let new = convert::grant::launchpad(request).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, new.account, &request.request_id, request);
        let asked = grants::Request { kind: GRANT_LAUNCH_PAD, payload: request.encode_to_vec() };
        self.give(call, &key, &asked, &new, request.validate_only).await
    }

    async fn grant_loyalty(&self, request: Request<GrantLoyaltyRequest>) -> Result<Response<Grant>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let new = convert::grant::loyalty(request).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, new.account, &request.request_id, request);
        let asked = grants::Request { kind: GRANT_LOYALTY, payload: request.encode_to_vec() };
        self.give(call, &key, &asked, &new, request.validate_only).await
    }

    async fn list_grants(
        &self,
        request: Request<ListGrantsRequest>,
    ) -> Result<Response<ListGrantsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let account = convert::account("parent", &request.parent).map_err(Error::from)?;
        visible(&call, account, &request.parent)?;
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        let query = format!("ListGrants/{account}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::account(reader, account).await?;
        let found = query::list_grants(reader, account, &page).await?;
        let (grants, next_page_token) = page.cut(key, found, |grant| grant.id.to_string());
        let grants = grants.iter().map(convert::grant::grant).collect();
        Ok(Response::new(ListGrantsResponse { grants, next_page_token }))
    }
}
