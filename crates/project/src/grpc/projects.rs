//! `florin.project.v1.ProjectService`.

use std::sync::Arc;

use florin_api::project::v1::{
    AcknowledgeSuspensionRequest, CancelProjectRequest, CheckEligibilityRequest, CheckEligibilityResponse,
    ConfirmProjectDeletionRequest, CreateProjectRequest, GetProjectRequest, GrantRightRequest,
    ListHeldRightsRequest, ListHeldRightsResponse, ListProjectsRequest, ListProjectsResponse,
    ListQuotasRequest, ListQuotasResponse, ListRightsRequest, ListRightsResponse,
    ListSuspensionAcknowledgementsRequest, ListSuspensionAcknowledgementsResponse, Project, ProjectLimit,
    Quota, RequestProjectDeletionRequest, RequestProjectDeletionResponse, ResumeProjectRequest,
    RevokeRightRequest, Right, SetProjectLimitRequest, SetQuotaRequest, SuspendProjectRequest,
    SuspensionAcknowledgement, UpdateProjectRequest, WithdrawProjectDeletionRequest,
    project_service_server::ProjectService,
};
use florin_credit::{PaymentLinks, ProjectId};
use florin_platform::{Platform, call::Call, db::Reader, id::AccountId, idempotency::RequestKey, page::Page};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    ports::DebtStanding,
    service::{cancel, confirm_deletion, create, eligibility, operate, query, quotas, rights, update},
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

    /// Refuses, before an answer could be replayed to somebody whose right is gone, whom the project is not
    /// shown to.
    async fn admit(&self, call: &Call, (account, project): (AccountId, ProjectId)) -> Result<(), Error> {
        query::reach(self.platform.db.reader(), call, account, project).await.map(|_| ())
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
        self.admit(call, named).await?;
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
        self.admit(call, (change.account, change.project)).await?;
        let key = RequestKey::new(&self.platform, call, change.account, &request.request_id, &request);
        let update = |tx, now| async move {
            let updated = update::update_project(&tx, now, call, change.clone()).await?;
            Ok(convert::project::project(&updated))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, update).await?))
    }

    async fn suspend_project(
        &self,
        request: Request<SuspendProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (named, reason) = &convert::life::suspended(request).map_err(Error::from)?;
        let named = *named;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let suspended = operate::suspend_project(&tx, now, call, named, reason, &request.etag).await?;
            Ok(convert::project::project(&suspended))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn resume_project(
        &self,
        request: Request<ResumeProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::project::name("name", &request.name).map_err(Error::from)?;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let resumed = operate::resume_project(&tx, now, call, named, &request.etag).await?;
            Ok(convert::project::project(&resumed))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn acknowledge_suspension(
        &self,
        request: Request<AcknowledgeSuspensionRequest>,
    ) -> Result<Response<SuspensionAcknowledgement>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::project::name("name", &request.name).map_err(Error::from)?;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let (project, said) = operate::acknowledge(&tx, now, call, named).await?;
            Ok(convert::life::acknowledgement(&project, &said))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn list_suspension_acknowledgements(
        &self,
        request: Request<ListSuspensionAcknowledgementsRequest>,
    ) -> Result<Response<ListSuspensionAcknowledgementsResponse>, Status> {
        let call = Call::of(&request);
        let named = convert::project::name("parent", &request.get_ref().parent).map_err(Error::from)?;
        let (project, said) =
            query::acknowledgements(self.platform.db.reader(), &call, named.0, named.1).await?;
        let acknowledgements =
            said.iter().map(|said| convert::life::acknowledgement(&project, said)).collect();
        Ok(Response::new(ListSuspensionAcknowledgementsResponse { acknowledgements }))
    }

    async fn request_project_deletion(
        &self,
        request: Request<RequestProjectDeletionRequest>,
    ) -> Result<Response<RequestProjectDeletionResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::project::name("name", &request.name).map_err(Error::from)?;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let (platform, debts) = (&self.platform, self.debts.as_ref());
            let (project, expires) =
                confirm_deletion::request(platform, &tx, debts, now, call, named, &request.etag).await?;
            Ok(convert::life::requested(&project, expires))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn withdraw_project_deletion(
        &self,
        request: Request<WithdrawProjectDeletionRequest>,
    ) -> Result<Response<Project>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::project::name("name", &request.name).map_err(Error::from)?;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let kept = confirm_deletion::withdraw(&tx, now, call, named).await?;
            Ok(convert::project::project(&kept))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn confirm_project_deletion(
        &self,
        request: Request<ConfirmProjectDeletionRequest>,
    ) -> Result<Response<Project>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::life::confirmed(request).map_err(Error::from)?;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let debts = self.debts.as_ref();
            let confirmed = confirm_deletion::confirm(&tx, debts, now, call, named, &request.token).await?;
            Ok(confirmed.map(|deleting| convert::project::project(&deleting)))
        };
        Ok(Response::new(self.platform.mutate_or_trace::<_, Error, _>(&key, work).await?))
    }

    async fn grant_right(&self, request: Request<GrantRightRequest>) -> Result<Response<Right>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (named, grantee, right) = &convert::right::new_right(request).map_err(Error::from)?;
        let named = *named;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let granted = rights::grant(&tx, now, call, named, (grantee.as_str(), *right)).await?;
            Ok(convert::right::right(&granted))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn revoke_right(&self, request: Request<RevokeRightRequest>) -> Result<Response<Right>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, project, right) = convert::right::name("name", &request.name).map_err(Error::from)?;
        let named = (account, project);
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let revoked = rights::revoke(&tx, now, call, (account, project, right)).await?;
            Ok(convert::right::right(&revoked))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn list_rights(
        &self,
        request: Request<ListRightsRequest>,
    ) -> Result<Response<ListRightsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let named = convert::project::name("parent", &request.parent).map_err(Error::from)?;
        let (key, query) = (&self.platform.key, format!("ListRights/{}", request.parent));
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        let found = rights::list(self.platform.db.reader(), &call, named, &page).await?;
        let (held, next_page_token) = page.cut(key, found, |held| held.grant.id.to_string());
        let rights = held.iter().map(convert::right::right).collect();
        Ok(Response::new(ListRightsResponse { rights, next_page_token }))
    }

    async fn list_held_rights(
        &self,
        request: Request<ListHeldRightsRequest>,
    ) -> Result<Response<ListHeldRightsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let account = convert::project::account("parent", &request.parent).map_err(Error::from)?;
        let (key, query) = (&self.platform.key, format!("ListHeldRights/{account}"));
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        let found = rights::held_by(self.platform.db.reader(), &call, account, &page).await?;
        let place = |held: &rights::Held| format!("{}/{}", held.grant.account, held.grant.id);
        let (held, next_page_token) = page.cut(key, found, place);
        let rights = held.iter().map(convert::right::right).collect();
        Ok(Response::new(ListHeldRightsResponse { rights, next_page_token }))
    }

    async fn set_quota(&self, request: Request<SetQuotaRequest>) -> Result<Response<Quota>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (named, family, limit) = convert::life::new_quota(request).map_err(Error::from)?;
        self.admit(call, named).await?;
        let key = RequestKey::new(&self.platform, call, named.0, &request.request_id, request);
        let work = |tx, now| async move {
            let (project, quota) = quotas::set(&tx, now, call, named, family, limit).await?;
            Ok(convert::life::quota(&project, &quota))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn list_quotas(
        &self,
        request: Request<ListQuotasRequest>,
    ) -> Result<Response<ListQuotasResponse>, Status> {
        let call = Call::of(&request);
        let named = convert::project::name("parent", &request.get_ref().parent).map_err(Error::from)?;
        let (project, quotas) = quotas::list(self.platform.db.reader(), &call, named).await?;
        let quotas = quotas.iter().map(|quota| convert::life::quota(&project, quota)).collect();
        Ok(Response::new(ListQuotasResponse { quotas }))
    }

    async fn set_project_limit(
        &self,
        request: Request<SetProjectLimitRequest>,
    ) -> Result<Response<ProjectLimit>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, limit) = convert::life::new_limit(request).map_err(Error::from)?;

        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let work = |tx, now| async move {
            let etag = &request.etag;
            let live = operate::set_project_limit(&tx, now, call, account, limit, etag).await?;
            Ok(convert::life::limit(account, limit, live))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }
}
