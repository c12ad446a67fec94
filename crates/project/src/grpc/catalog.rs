//! `florin.project.v1.CatalogService`.

use florin_api::project::v1::{
    AddPriceVersionRequest, CreatePlanRequest, EndPriceVersionRequest, ExportCatalogueRequest,
    ExportCatalogueResponse, GetPlanRequest, ImportCatalogueRequest, ImportCatalogueResponse,
    ListPlansRequest, ListPlansResponse, Plan, RetirePlanRequest, UpdatePlanRequest,
    catalog_service_server::CatalogService,
};
use florin_platform::{Platform, call::Call, db::Tx, id::AccountId, idempotency::RequestKey, page::Page};
use florin_settlement::Instant;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{
        catalogue::{self, Display},
        plans::{self, PriceAdded},
        rehearse::rehearse,
    },
    store::plan::Filter,
};

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

    /// Does `work` once per request id, or rehearses it.
    async fn change<Answer, Fut>(
        &self,
        call: &Call,
        request: &impl Message,
        (request_id, validate_only): (&str, bool),
        work: impl Fn(Tx, Instant) -> Fut,
    ) -> Result<Response<Answer>, Status>
    where
        Answer: Message + Default,
        Fut: Future<Output = Result<Answer, Error>>,
    {
        if validate_only {
            return Ok(Response::new(rehearse(&self.platform, work).await?));
        }
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, request_id, request);
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }
}

#[tonic::async_trait]
impl CatalogService for CatalogRpc {
    async fn get_plan(&self, request: Request<GetPlanRequest>) -> Result<Response<Plan>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let code = convert::plan::code("name", &request.name).map_err(Error::from)?;
        let buyer = convert::catalogue::buyer(&request.issuer, &request.account).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let display = catalogue::display(reader, &call, buyer, now).await?;
        let plan = catalogue::plan(reader, &code).await?;
        Ok(Response::new(convert::plan::plan(&plan, &display)))
    }

    async fn list_plans(
        &self,
        request: Request<ListPlansRequest>,
    ) -> Result<Response<ListPlansResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let families = convert::plan::families("families", request.families()).map_err(Error::from)?;
        let buyer = convert::catalogue::buyer(&request.issuer, &request.account).map_err(Error::from)?;
        let filter = Filter { families, with_retired: request.show_retired };
        let query = format!("ListPlans/{filter:?}/{}/{}", request.issuer, request.account);
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let display = catalogue::display(reader, &call, buyer, now).await?;
        let found = catalogue::plan_page(reader, &filter, now, &page).await?;
        let (plans, next_page_token) =
            page.cut(&self.platform.key, found, |priced| priced.plan.code.to_string());
        let plans = plans.iter().map(|plan| convert::plan::plan(plan, &display)).collect();
        Ok(Response::new(ListPlansResponse { plans, next_page_token }))
    }

    async fn create_plan(&self, request: Request<CreatePlanRequest>) -> Result<Response<Plan>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let new = &convert::catalogue::new_plan(request).map_err(Error::from)?;
        let create = |tx: Tx, now| async move {
            let created = plans::create_plan(&tx, now, call, new).await?;
            Ok(convert::plan::plan(&created, &Display::EveryCurrency))
        };
        self.change(call, request, (&request.request_id, request.validate_only), create).await
    }

    async fn update_plan(&self, request: Request<UpdatePlanRequest>) -> Result<Response<Plan>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (code, etag, name) = &convert::catalogue::renamed(request).map_err(Error::from)?;
        let rename = |tx: Tx, now| async move {
            let renamed = plans::rename_plan(&tx, now, call, code, etag, name).await?;
            Ok(convert::plan::plan(&renamed, &Display::EveryCurrency))
        };
        self.change(call, request, (&request.request_id, request.validate_only), rename).await
    }

    async fn add_price_version(
        &self,
        request: Request<AddPriceVersionRequest>,
    ) -> Result<Response<Plan>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (code, added) = &convert::catalogue::added_price(request).map_err(Error::from)?;
        let add = |tx: Tx, now| async move {
            let priced = plans::add_price(&tx, now, call, code, &request.etag, *added).await?;
            let display = match added {
                PriceAdded::Listed(_) => Display::EveryCurrency,
                PriceAdded::Negotiated(account, _) => catalogue::display_for(&tx, *account, now).await?,
            };
            Ok(convert::plan::plan(&priced, &display))
        };
        self.change(call, request, (&request.request_id, request.validate_only), add).await
    }

    async fn end_price_version(
        &self,
        request: Request<EndPriceVersionRequest>,
    ) -> Result<Response<Plan>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let end = &convert::catalogue::ended_price(request).map_err(Error::from)?;
        let end = |tx: Tx, now| async move {
            let priced = plans::end_price(&tx, now, call, end).await?;
            let display = catalogue::display_for(&tx, end.account, now).await?;
            Ok(convert::plan::plan(&priced, &display))
        };
        self.change(call, request, (&request.request_id, request.validate_only), end).await
    }

    async fn retire_plan(&self, request: Request<RetirePlanRequest>) -> Result<Response<Plan>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (code, from) = &convert::catalogue::retired(request).map_err(Error::from)?;
        let retire = |tx: Tx, now| async move {
            let retired = plans::retire_plan(&tx, now, call, code, &request.etag, *from).await?;
            Ok(convert::plan::plan(&retired, &Display::EveryCurrency))
        };
        self.change(call, request, (&request.request_id, request.validate_only), retire).await
    }

    async fn import_catalogue(
        &self,
        request: Request<ImportCatalogueRequest>,
    ) -> Result<Response<ImportCatalogueResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let file = convert::catalogue::file(&request.content).map_err(Error::from)?;
        let import = |tx: Tx, now| async move {
            let additions = catalogue::import_for(&tx, now, call, file).await?;
            Ok(convert::catalogue::changes(&additions))
        };
        self.change(call, request, (&request.request_id, request.validate_only), import).await
    }

    async fn export_catalogue(
        &self,
        request: Request<ExportCatalogueRequest>,
    ) -> Result<Response<ExportCatalogueResponse>, Status> {
        let format = convert::catalogue::format(request.get_ref()).map_err(Error::from)?;
        let content = catalogue::export(self.platform.db.reader(), format).await?.into_bytes();
        Ok(Response::new(ExportCatalogueResponse { content }))
    }
}
