//! `florin.project.v1.ProjectService`.

use std::sync::Arc;

use florin_api::project::v1::{
    CancelProjectRequest, CheckEligibilityRequest, CheckEligibilityResponse, CreateProjectRequest,
    GetProjectRequest, ListProjectsRequest, ListProjectsResponse, Project, UpdateProjectRequest,
    project_service_server::ProjectService,
};
use florin_credit::PaymentLinks;
use florin_platform::{Platform, call::Call, db::Reader, idempotency::RequestKey, page::Page};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    ports::DebtStanding,
    service::{cancel, create, eligibility, query, update},
};

/// The project service over `platform`.
#[derive(Clone)]
pub struct ProjectRpc {
    platform: Platform,
    debts: Arc<dyn DebtStanding>,
    links: PaymentLinks,
}

impl std::fmt::Debug for ProjectRpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProjectRpc").finish_non_exhaustive()
    }
}

impl ProjectRpc {
    /// Serves projects kept in `platform`; `debts` says who owes, `links` makes the payment link of an
    /// order for initial credit.
    #[must_use]
    pub fn new(platform: Platform, debts: Arc<dyn DebtStanding>, links: PaymentLinks) -> Self {
        Self { platform, debts, links }
    }

    fn ports(&self) -> create::Ports<'_> {
        create::Ports { debts: self.debts.as_ref(), links: &self.links }
    }
}

#[tonic::async_trait]
impl ProjectService for ProjectRpc {
    async fn check_eligibility(
        &self,
        request: Request<CheckEligibilityRequest>,
    ) -> Result<Response<CheckEligibilityResponse>, Status> {
        let call = Call::of(&request);
        let account = convert::project::account("parent", &request.get_ref().parent).map_err(Error::from)?;
        let now = self.platform.clock.now(self.platform.db.reader()).await.map_err(Error::from)?;
        let reader = Reader::Committed(&self.platform.db);
        let found = eligibility::check(reader, self.debts.as_ref(), now, &call, account).await?;
        Ok(Response::new(convert::project::eligibility(&found)))
    }

    async fn create_project(
        &self,
        request: Request<CreateProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let new = &convert::project::new_project(&request).map_err(Error::from)?;
        if request.validate_only {
            let rehearsed = create::rehearse(&self.platform, self.ports(), call, new).await?;
            return Ok(Response::new(convert::project::project(&rehearsed)));
        }
        let key = RequestKey::new(&self.platform, call, new.account, &request.request_id, &request);
        let create = |tx, now| async move {
            let created = create::create_project(&tx, self.ports(), now, call, new.clone()).await?;
            Ok(created.map(|created| convert::project::project(&created)))
        };
        Ok(Response::new(self.platform.mutate_or_trace::<_, Error, _>(&key, create).await?))
    }

    async fn cancel_project(
        &self,
        request: Request<CancelProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::project::name("name", &request.name).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let cancel = |tx, now| async move {
            let canceled = cancel::cancel_project(&tx, now, call, named, &request.etag).await?;
            Ok(convert::project::project(&canceled))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, cancel).await?))
    }

    async fn get_project(&self, request: Request<GetProjectRequest>) -> Result<Response<Project>, Status> {
        let call = Call::of(&request);
        let (account, project) =
            convert::project::name("name", &request.get_ref().name).map_err(Error::from)?;
        let found = query::owned(self.platform.db.reader(), &call, account, project).await?;
        Ok(Response::new(convert::project::project(&found)))
    }

    async fn list_projects(
        &self,
        request: Request<ListProjectsRequest>,
    ) -> Result<Response<ListProjectsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let account = convert::project::account("parent", &request.parent).map_err(Error::from)?;
        let states = convert::project::states("states", request.states()).map_err(Error::from)?;
        let query = format!("ListProjects/{account}/{states:?}");
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let account = query::owner(reader, &call, account).await?.id;
        let found = query::project_page(reader, account, &states, &page).await?;
        let (projects, next_page_token) =
            page.cut(&self.platform.key, found, |project| project.id.to_string());
        let projects = projects.iter().map(convert::project::project).collect();
        Ok(Response::new(ListProjectsResponse { projects, next_page_token }))
    }

    async fn update_project(
        &self,
        request: Request<UpdateProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let change = &convert::project::change(&request).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, change.account, &request.request_id, &request);
        let update = |tx, now| async move {
            let updated = update::update_project(&tx, now, call, change.clone()).await?;
            Ok(convert::project::project(&updated))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, update).await?))
    }
}
