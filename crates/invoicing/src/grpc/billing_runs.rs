//! `florin.invoicing.v1.BillingRunService`.

use std::pin::Pin;

use florin_api::invoicing::v1::{
    BillingItem, BillingRun, CancelBillingRunRequest, GetBillingRunRequest, ListBillingItemsRequest,
    ListBillingItemsResponse, ListBillingRunsRequest, ListBillingRunsResponse, RetryBillingItemRequest,
    StartBillingRunRequest, WatchBillingRunRequest, WatchBillingRunResponse,
    billing_run_service_server::BillingRunService,
};
use florin_payment::Payments;
use florin_platform::{Platform, call::Call, id::AccountId, idempotency::RequestKey, page::Page};
use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use crate::{
    convert::{self, billing_run::rendered},
    error::Error,
    service::{
        items, query,
        run::{self, Start},
        watch::Watches,
    },
};

/// The billing run service over `platform`. What it starts goes on in the billing run job.
#[derive(Clone, Debug)]
pub struct BillingRunRpc {
    platform: Platform,
    payments: Payments,
    watches: Watches,
}

impl BillingRunRpc {
    /// Serves runs kept in `platform`; items that are billed later are collected through `payments`.
    #[must_use]
    pub fn new(platform: Platform, payments: Payments) -> Self {
        let watches = Watches::new(platform.clone());
        Self { platform, payments, watches }
    }
}

/// What a watcher is told.
type Told = Pin<Box<dyn Stream<Item = Result<WatchBillingRunResponse, Status>> + Send>>;

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
                Start::Known(run) | Start::Resumed(run) => rendered(&run),
                // Not kept, and so not to be found under a name.
                Start::New(run) => BillingRun { name: String::new(), ..rendered(&run) },
            }));
        }
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, &request);
        let start = |tx, now| async move {
            let run = run::start(&tx, now, call, &wanted.issuer, wanted.month).await?;
            Ok(convert::billing_run::whole(&query::report(&tx, run).await?))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, start).await?))
    }

    async fn get_billing_run(
        &self,
        request: Request<GetBillingRunRequest>,
    ) -> Result<Response<BillingRun>, Status> {
        let id = convert::billing_run::name("name", &request.get_ref().name).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let report = query::report(reader, run::found(reader, id).await?).await?;
        Ok(Response::new(convert::billing_run::whole(&report)))
    }

    type WatchBillingRunStream = Told;

    async fn watch_billing_run(
        &self,
        request: Request<WatchBillingRunRequest>,
    ) -> Result<Response<Told>, Status> {
        let id = convert::billing_run::name("name", &request.get_ref().name).map_err(Error::from)?;
        let seen = self.watches.watch(id).await?;
        let told = seen.map(|seen| Ok(convert::billing_run::seen(&seen?)));
        Ok(Response::new(Box::pin(told)))
    }

    async fn cancel_billing_run(
        &self,
        request: Request<CancelBillingRunRequest>,
    ) -> Result<Response<BillingRun>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let id = convert::billing_run::name("name", &request.name).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, &request);
        let cancel = |tx, now| async move {
            let run = run::cancel(&tx, now, call, id).await?;
            Ok(convert::billing_run::whole(&query::report(&tx, run).await?))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, cancel).await?))
    }

    async fn retry_billing_item(
        &self,
        request: Request<RetryBillingItemRequest>,
    ) -> Result<Response<BillingItem>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let item = convert::billing_run::item_key("name", &request.name).map_err(Error::from)?;
        if request.validate_only {
            let rehearsed = convert::billing_run::item(&items::rehearse(&self.platform, call, item).await?);
            // An invoice that is not kept is not to be found under a name.
            let is_kept = items::item(self.platform.db.reader(), item).await?.outcome.is_some();
            let invoice = if is_kept { rehearsed.invoice.clone() } else { String::new() };
            return Ok(Response::new(BillingItem { invoice, ..rehearsed }));
        }
        items::check(&self.platform, call, item).await?;
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, &request);
        let retry = |tx, now| async move {
            Ok(convert::billing_run::item(&items::retry(&tx, now, call, item).await?))
        };
        let answer = self.platform.mutate::<_, Error, _>(&key, retry).await?;
        items::collect(&self.platform, &self.payments, call, item).await?;
        Ok(Response::new(answer))
    }

    async fn list_billing_items(
        &self,
        request: Request<ListBillingItemsRequest>,
    ) -> Result<Response<ListBillingItemsResponse>, Status> {
        let request = request.into_inner();
        let (id, states) = convert::billing_run::items_wanted(&request).map_err(Error::from)?;
        let query = format!("ListBillingItems/{}/{:?}", request.parent, request.states);
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        run::found(reader, id).await?;
        let found = query::billing_items(reader, id, &states, &page).await?;
        let (found, next_page_token) =
            page.cut(&self.platform.key, found, |item| item.aside.project.to_string());
        let billing_items = found.iter().map(convert::billing_run::item).collect();
        Ok(Response::new(ListBillingItemsResponse { billing_items, next_page_token }))
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
        let billing_runs = runs.iter().map(rendered).collect();
        Ok(Response::new(ListBillingRunsResponse { billing_runs, next_page_token }))
    }
}
