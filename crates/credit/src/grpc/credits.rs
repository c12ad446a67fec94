//! `florin.credit.v1.CreditService`.

use std::sync::Arc;

use florin_api::credit::v1::{
    ConfigureTopUpRequest, Credit, GetCreditRequest, GetTopUpRequest, ListCreditsRequest,
    ListCreditsResponse, ListMovementsRequest, ListMovementsResponse, TopUp,
    credit_service_server::CreditService,
};
use florin_platform::{
    Platform,
    call::Call,
    db::{Reader, Tx},
    idempotency::RequestKey,
    page::Page,
};
use tonic::{Request, Response, Status};

use super::visible;
use crate::{
    convert,
    error::Error,
    ports::ProjectGate,
    service::{query, top_up},
};

/// The credit service: reads, and what is bought by itself.
#[derive(Clone)]
pub struct CreditRpc {
    platform: Platform,
    gate: Arc<dyn ProjectGate>,
}

impl std::fmt::Debug for CreditRpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreditRpc").field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl CreditRpc {
    /// Serves lots kept in `platform`, of projects known to `gate`.
    pub fn new(platform: Platform, gate: Arc<dyn ProjectGate>) -> Self {
        Self { platform, gate }
    }
}

#[tonic::async_trait]
impl CreditService for CreditRpc {
    async fn list_credits(
        &self,
        request: Request<ListCreditsRequest>,
    ) -> Result<Response<ListCreditsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let wanted = convert::credit::lots(&request).map_err(Error::from)?;
        let (account, reader) = (wanted.account, Reader::Committed(&self.platform.db));
        query::reach(&reader, &call, account, wanted.project, &request.parent).await?;
        let key = &self.platform.key;
        let query = format!("ListCredits/{wanted:?}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::account(&reader, account).await?;
        if let Some(project) = wanted.project {
            query::project(&*self.gate, reader, account, project).await?;
        }
        let now = self.platform.clock.now(&reader).await.map_err(Error::from)?;
        let now = query::seen_at(now, wanted.as_of).map_err(Error::from)?;
        let found = query::list_lots(&reader, wanted, now, &page).await?;
        let (lots, next_page_token) = page.cut(key, found, |standing| standing.lot.id.to_string());
        let credits = lots.iter().map(|lot| convert::credit::credit(lot, now)).collect::<Result<_, _>>()?;
        Ok(Response::new(ListCreditsResponse { credits, next_page_token }))
    }

    async fn get_credit(&self, request: Request<GetCreditRequest>) -> Result<Response<Credit>, Status> {
        let call = Call::of(&request);
        let name = &request.get_ref().name;
        let (account, project, lot) = convert::credit::name("name", name).map_err(Error::from)?;
        let as_of = convert::credit::as_of(request.get_ref().as_of_time.as_ref()).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        query::reach(reader, &call, account, project, name).await?;
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let now = query::seen_at(now, as_of).map_err(Error::from)?;
        let standing = query::lot(reader, account, project, lot, as_of).await?;
        Ok(Response::new(convert::credit::credit(&standing, now)?))
    }

    async fn list_movements(
        &self,
        request: Request<ListMovementsRequest>,
    ) -> Result<Response<ListMovementsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let (account, project, lot) =
            convert::credit::name("parent", &request.parent).map_err(Error::from)?;
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        query::reach(reader, &call, account, project, &request.parent).await?;
        let query = format!("ListMovements/{}", request.parent);
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::lot(reader, account, project, lot, None).await?;
        let found = query::list_movements(reader, account, lot, &page).await?;
        let (movements, next_page_token) =
            page.cut(key, found, |movement| movement.link.sequence.to_string());
        let movements =
            movements.iter().map(|movement| convert::credit::movement(movement, project)).collect();
        Ok(Response::new(ListMovementsResponse { movements, next_page_token }))
    }

    async fn configure_top_up(
        &self,
        request: Request<ConfigureTopUpRequest>,
    ) -> Result<Response<TopUp>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let new = &convert::top_up::configuration(request).map_err(Error::from)?;
        let name = request.top_up.as_ref().map(|top_up| top_up.name.as_str()).unwrap_or_default();
        let account = visible(call, new.account, name)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let configure = |tx: Tx, now| async move {
            let (configured, bought) = top_up::configure(&tx, now, call, &*self.gate, new).await?;
            Ok(convert::top_up::top_up(&configured, bought))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, configure).await?))
    }

    async fn get_top_up(&self, request: Request<GetTopUpRequest>) -> Result<Response<TopUp>, Status> {
        let call = Call::of(&request);
        let name = &request.get_ref().name;
        let (account, project) = convert::top_up::name("name", name).map_err(Error::from)?;
        visible(&call, account, name)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let (found, bought) = top_up::shown(reader, now, account, project).await?;
        Ok(Response::new(convert::top_up::top_up(&found, bought)))
    }
}
