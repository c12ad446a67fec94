//! `florin.credit.v1.CreditService`.

use std::sync::Arc;

use florin_api::credit::v1::{
    Credit, GetCreditRequest, ListCreditsRequest, ListCreditsResponse, ListMovementsRequest,
    ListMovementsResponse, credit_service_server::CreditService,
};
use florin_platform::{Platform, call::Call, db::Reader, page::Page};
use tonic::{Request, Response, Status};

use super::visible;
use crate::{convert, error::Error, ports::ProjectGate, service::query};

/// The credit service: reads only.
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
        let account = visible(&call, wanted.account, &request.parent)?;
        let key = &self.platform.key;
        let query = format!("ListCredits/{wanted:?}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        let reader = Reader::Committed(&self.platform.db);
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
        visible(&call, account, name)?;
        let reader = self.platform.db.reader();
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
        visible(&call, account, &request.parent)?;
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        let query = format!("ListMovements/{}", request.parent);
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::lot(reader, account, project, lot, None).await?;
        let found = query::list_movements(reader, account, lot, &page).await?;
        let (movements, next_page_token) = page.cut(key, found, |movement| movement.sequence.to_string());
        let movements =
            movements.iter().map(|movement| convert::credit::movement(movement, project)).collect();
        Ok(Response::new(ListMovementsResponse { movements, next_page_token }))
    }
}
