//! `florin.project.v1.FundingService`.

use florin_api::project::v1::{
    CheckFundingRequest, CheckFundingResponse, GetHoldRequest, Hold, ListHoldsRequest, ListHoldsResponse,
    PlaceHoldRequest, ReleaseHoldRequest, funding_service_server::FundingService,
};
use florin_platform::{Platform, call::Call, idempotency::RequestKey, page::Page};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{
        funding::{Ask, Funding},
        holds, query,
        standings::Standings,
    },
};

/// Funding over a platform.
#[derive(Clone, Debug)]
pub struct FundingRpc {
    funding: Funding,
}

impl FundingRpc {
    /// Serves what may be spent in `platform`, whose standings `standings` keeps true. Within a runtime.
    #[must_use]
    pub fn new(platform: Platform, standings: Standings) -> Self {
        Self { funding: Funding::new(platform, standings) }
    }

    fn platform(&self) -> &Platform {
        self.funding.platform()
    }
}

#[tonic::async_trait]
impl FundingService for FundingRpc {
    async fn check_funding(
        &self,
        request: Request<CheckFundingRequest>,
    ) -> Result<Response<CheckFundingResponse>, Status> {
        let call = Call::of(&request);
        let ask = convert::funding::ask(request.get_ref()).map_err(Error::from)?;
        let checked = self.funding.check(&call, &ask).await?;
        Ok(Response::new(convert::funding::checked(&checked)))
    }

    async fn place_hold(&self, request: Request<PlaceHoldRequest>) -> Result<Response<Hold>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let new = &convert::funding::new_hold(&request).map_err(Error::from)?;
        let key = RequestKey::new(self.platform(), call, new.account, &request.request_id, &request);
        let place = |tx, now| async move {
            let hold = holds::place(&tx, self.funding.standings(), now, call, new).await?;
            Ok(convert::funding::hold(&hold, now)?)
        };
        Ok(Response::new(self.platform().mutate::<_, Error, _>(&key, place).await?))
    }

    async fn release_hold(&self, request: Request<ReleaseHoldRequest>) -> Result<Response<Hold>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let named = convert::funding::hold_name("name", &request.name).map_err(Error::from)?;
        let key = RequestKey::new(self.platform(), call, named.0, &request.request_id, &request);
        let release = |tx, now| async move {
            let hold = holds::release(&tx, now, call, named).await?;
            Ok(convert::funding::hold(&hold, now)?)
        };
        Ok(Response::new(self.platform().mutate::<_, Error, _>(&key, release).await?))
    }

    async fn get_hold(&self, request: Request<GetHoldRequest>) -> Result<Response<Hold>, Status> {
        let call = Call::of(&request);
        let named = convert::funding::hold_name("name", &request.get_ref().name).map_err(Error::from)?;
        let reader = self.platform().db.reader();
        let now = self.platform().clock.now(reader).await.map_err(Error::from)?;
        let hold = holds::owned(reader, &call, named).await?;
        Ok(Response::new(convert::funding::hold(&hold, now).map_err(Error::from)?))
    }

    async fn list_holds(
        &self,
        request: Request<ListHoldsRequest>,
    ) -> Result<Response<ListHoldsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let (account, project) = convert::project::name("parent", &request.parent).map_err(Error::from)?;
        let list = format!("ListHolds/{account}/{project}/{}", request.open_only);
        let key = &self.platform().key;
        let page = Page::parse(key, &list, request.page_size, &request.page_token).map_err(Error::from)?;
        let reader = self.platform().db.reader();
        let now = self.platform().clock.now(reader).await.map_err(Error::from)?;
        let project = query::owned(reader, &call, account, project).await?.id;
        let ask = Ask { account, project, launch: None };
        let found = holds::page(reader, &ask, request.open_only.then_some(now), &page).await?;
        let (holds, next_page_token) = page.cut(key, found, |hold| hold.id.to_string());
        let holds = holds.iter().map(|hold| convert::funding::hold(hold, now)).collect::<Result<_, _>>();
        Ok(Response::new(ListHoldsResponse { holds: holds.map_err(Error::from)?, next_page_token }))
    }
}
