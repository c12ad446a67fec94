//! `florin.project.v1.CatalogService`.

use florin_api::project::v1::{
    GetPlanRequest, ListPlansRequest, ListPlansResponse, Plan, catalog_service_server::CatalogService,
};
use florin_platform::{Platform, call::Call, page::Page};
use tonic::{Request, Response, Status};

use crate::{convert, error::Error, service::catalogue};

/// The catalogue over `platform`.
#[derive(Clone, Debug)]
pub struct CatalogRpc {
    platform: Platform,
}

impl CatalogRpc {
    /// Serves the catalogue kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl CatalogService for CatalogRpc {
    async fn get_plan(&self, request: Request<GetPlanRequest>) -> Result<Response<Plan>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let code = convert::plan::code("name", &request.name).map_err(Error::from)?;
        let issuer = convert::plan::issuer("issuer", &request.issuer).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let display = catalogue::display(reader, &call, issuer, now).await?;
        let plan = catalogue::plan(reader, &code).await?;
        Ok(Response::new(convert::plan::plan(&plan, display)))
    }

    async fn list_plans(
        &self,
        request: Request<ListPlansRequest>,
    ) -> Result<Response<ListPlansResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let families = convert::plan::families("families", request.families()).map_err(Error::from)?;
        let issuer = convert::plan::issuer("issuer", &request.issuer).map_err(Error::from)?;
        let query = format!("ListPlans/{families:?}/{}", request.issuer);
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let display = catalogue::display(reader, &call, issuer, now).await?;
        let found = catalogue::plan_page(reader, &families, now, &page).await?;
        let (plans, next_page_token) =
            page.cut(&self.platform.key, found, |priced| priced.plan.code.to_string());
        let plans = plans.iter().map(|plan| convert::plan::plan(plan, display)).collect();
        Ok(Response::new(ListPlansResponse { plans, next_page_token }))
    }
}
