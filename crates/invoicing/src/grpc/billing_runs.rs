//! `florin.invoicing.v1.BillingRunService`.

use florin_api::invoicing::v1::{
    BillingRun, GetBillingRunRequest, ListBillingRunsRequest, ListBillingRunsResponse,
    StartBillingRunRequest, billing_run_service_server::BillingRunService,
};
use florin_platform::{Platform, call::Call, id::AccountId, idempotency::RequestKey, page::Page};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{
        query,
        run::{self, Start},
    },
};

/// The billing run service over `platform`. What it starts goes on in the billing run job.
#[derive(Clone, Debug)]
pub struct BillingRunRpc {
    platform: Platform,
}

impl BillingRunRpc {
    /// Serves runs kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl BillingRunService for BillingRunRpc {
    async fn start_billing_run(
        &self,
        request: Request<StartBillingRunRequest>,
    ) -> Result<Response<BillingRun>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let wanted = &convert::billing_run::month_to_bill(&request).map_err(Error::from)?;
        if request.validate_only {
            let reader = self.platform.db.reader();
            let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
            return Ok(Response::new(match run::decide(reader, now, &wanted.issuer, wanted.month).await? {
                Start::Known(run) => convert::billing_run::run(&run, &[]),
                // Not kept, and so not to be found under a name.
                Start::New(run) => BillingRun { name: String::new(), ..convert::billing_run::run(&run, &[]) },
            }));
        }
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, &request);
        let start = |tx, now| async move {
            let run = run::start(&tx, now, call, &wanted.issuer, wanted.month).await?;
            let set_aside = query::set_aside(&tx, run.id).await?;
            Ok(convert::billing_run::run(&run, &set_aside))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, start).await?))
    }

    async fn get_billing_run(
        &self,
        request: Request<GetBillingRunRequest>,
    ) -> Result<Response<BillingRun>, Status> {
        let id = convert::billing_run::name("name", &request.get_ref().name).map_err(Error::from)?;
        let (run, set_aside) = query::run(self.platform.db.reader(), id).await?;
        Ok(Response::new(convert::billing_run::run(&run, &set_aside)))
    }

    async fn list_billing_runs(
        &self,
        request: Request<ListBillingRunsRequest>,
    ) -> Result<Response<ListBillingRunsResponse>, Status> {
        let request = request.into_inner();
        let issuer = convert::billing_run::issuer_filter(&request).map_err(Error::from)?;
        let query = format!("ListBillingRuns/{}", request.issuer);
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let found = query::runs(self.platform.db.reader(), issuer.as_deref(), &page).await?;
        let (runs, next_page_token) = page.cut(&self.platform.key, found, |run| run.id.to_string());
        let billing_runs = runs.iter().map(|run| convert::billing_run::run(run, &[])).collect();
        Ok(Response::new(ListBillingRunsResponse { billing_runs, next_page_token }))
    }
}
