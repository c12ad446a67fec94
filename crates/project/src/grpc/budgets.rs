//! `florin.project.v1.BudgetService`.

use florin_api::project::v1::{
    Budget, CreateBudgetRequest, DeleteBudgetRequest, GetBudgetRequest, GetSpendingControlsRequest,
    ListBudgetsRequest, ListBudgetsResponse, SetPrepaidOnlyRequest, SetSpendCapRequest, SpendingControls,
    UpdateBudgetRequest, budget_service_server::BudgetService,
};
use florin_credit::ProjectId;
use florin_platform::{Platform, call::Call, id::AccountId, idempotency::RequestKey, page::Page};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{
        budgets::{self, Control},
        query,
    },
};

/// Budgets and spending controls over a platform.
#[derive(Clone, Debug)]
pub struct BudgetRpc {
    platform: Platform,
}

impl BudgetRpc {
    /// Serves what is kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }

    /// Refuses, before an answer could be replayed to somebody whose right is gone, whom `name`, which is of the
    /// project, is not there for.
    async fn reach(&self, call: &Call, key: (AccountId, ProjectId), name: &str) -> Result<(), Error> {
        query::reach_part(self.platform.db.reader(), call, key, || name.to_owned()).await.map(drop)
    }
}

#[tonic::async_trait]
impl BudgetService for BudgetRpc {
    async fn create_budget(&self, request: Request<CreateBudgetRequest>) -> Result<Response<Budget>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let (key, new) = &convert::budget::new_budget(&request).map_err(Error::from)?;
        self.reach(call, *key, &request.parent).await?;
        let claim = RequestKey::new(&self.platform, call, key.0, &request.request_id, &request);
        let create = |tx, now| async move {
            let shown = budgets::create(&tx, now, call, *key, new).await?;
            Ok(convert::budget::budget(&shown))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&claim, create).await?))
    }

    async fn get_budget(&self, request: Request<GetBudgetRequest>) -> Result<Response<Budget>, Status> {
        let call = Call::of(&request);
        let named = convert::budget::name("name", &request.get_ref().name).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let found = budgets::owned(reader, &call, named).await?;
        let shown = budgets::one_shown(reader, now, found).await?;
        Ok(Response::new(convert::budget::budget(&shown)))
    }

    async fn list_budgets(
        &self,
        request: Request<ListBudgetsRequest>,
    ) -> Result<Response<ListBudgetsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let (account, project) = convert::project::name("parent", &request.parent).map_err(Error::from)?;
        let list = format!("ListBudgets/{account}/{project}");
        let page = Page::parse(&self.platform.key, &list, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let project = query::owned(reader, &call, account, project).await?.id;
        let found = budgets::page(reader, (account, project), &page).await?;
        let (found, next_page_token) = page.cut(&self.platform.key, found, |budget| budget.id.to_string());
        let shown = budgets::shown(reader, now, found).await?;
        let budgets = shown.iter().map(convert::budget::budget).collect();
        Ok(Response::new(ListBudgetsResponse { budgets, next_page_token }))
    }

    async fn update_budget(&self, request: Request<UpdateBudgetRequest>) -> Result<Response<Budget>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let (named, etag, change) = &convert::budget::change(&request).map_err(Error::from)?;
        let name = request.budget.as_ref().map_or("", |budget| &budget.name);
        self.reach(call, (named.0, named.1), name).await?;
        let claim = RequestKey::new(&self.platform, call, named.0, &request.request_id, &request);
        let update = |tx, now| async move {
            let shown = budgets::update(&tx, now, call, *named, etag, change).await?;
            Ok(convert::budget::budget(&shown))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&claim, update).await?))
    }

    async fn delete_budget(&self, request: Request<DeleteBudgetRequest>) -> Result<Response<()>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::budget::name("name", &request.name).map_err(Error::from)?;
        self.reach(call, (named.0, named.1), &request.name).await?;
        let claim = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let delete = |tx, now| async move { budgets::delete(&tx, now, call, named, &request.etag).await };
        self.platform.mutate::<_, Error, _>(&claim, delete).await?;
        Ok(Response::new(()))
    }

    async fn get_spending_controls(
        &self,
        request: Request<GetSpendingControlsRequest>,
    ) -> Result<Response<SpendingControls>, Status> {
        let call = Call::of(&request);
        let named = convert::budget::controls_name("name", &request.get_ref().name).map_err(Error::from)?;
        let shown = budgets::controls(self.platform.db.reader(), &call, named).await?;
        Ok(Response::new(convert::budget::controls(&shown)))
    }

    async fn set_spend_cap(
        &self,
        request: Request<SetSpendCapRequest>,
    ) -> Result<Response<SpendingControls>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (named, cap) = convert::budget::spend_cap(request).map_err(Error::from)?;
        self.reach(call, named, &request.name).await?;
        let claim = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let set = |tx, now| async move {
            let control = Control::SpendCap(cap);
            let shown = budgets::set(&tx, now, call, named, &request.etag, control).await?;
            Ok(convert::budget::controls(&shown))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&claim, set).await?))
    }

    async fn set_prepaid_only(
        &self,
        request: Request<SetPrepaidOnlyRequest>,
    ) -> Result<Response<SpendingControls>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::budget::controls_name("name", &request.name).map_err(Error::from)?;
        self.reach(call, named, &request.name).await?;
        let claim = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let set = |tx, now| async move {
            let control = Control::PrepaidOnly(request.prepaid_only);
            let shown = budgets::set(&tx, now, call, named, &request.etag, control).await?;
            Ok(convert::budget::controls(&shown))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&claim, set).await?))
    }
}
