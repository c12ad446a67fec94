//! `florin.project.v1.ResourceService`.

use florin_api::project::v1::{
    AddResourceRequest, GetResourceRequest, ListResourcesRequest, ListResourcesResponse,
    RemoveResourceRequest, ResizeResourceRequest, Resource, SwitchToMonthlyRequest, UpdateResourceRequest,
    resource_service_server::ResourceService,
};
use florin_platform::{Platform, call::Call, idempotency::RequestKey, page::Page};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{query, resize, resources, standings::Standings},
};

/// The resource service over `platform`.
#[derive(Clone, Debug)]
pub struct ResourceRpc {
    platform: Platform,
    standings: Standings,
}

impl ResourceRpc {
    /// Serves resources kept in `platform`; `standings` says what a prepaid-only project can pay.
    #[must_use]
    pub fn new(platform: Platform, standings: Standings) -> Self {
        Self { platform, standings }
    }
}

#[tonic::async_trait]
impl ResourceService for ResourceRpc {
    async fn add_resource(&self, request: Request<AddResourceRequest>) -> Result<Response<Resource>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let (account, project, new) = &convert::resource::new_resource(&request).map_err(Error::from)?;
        let parent = (*account, *project);
        let hold = convert::funding::hold_of(parent, &request.hold).map_err(Error::from)?;
        query::reach(self.platform.db.reader(), call, *account, *project).await?;
        let key = RequestKey::new(&self.platform, call, *account, &request.request_id, &request);
        let add = |tx, now| async move {
            let on = (&self.standings, hold);
            let added = resources::add_resource(&tx, now, call, parent, new.clone(), on).await?;
            Ok(convert::resource::resource(&added))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, add).await?))
    }

    async fn get_resource(&self, request: Request<GetResourceRequest>) -> Result<Response<Resource>, Status> {
        let call = Call::of(&request);
        let (account, project, resource) =
            convert::resource::name("name", &request.get_ref().name).map_err(Error::from)?;
        let found =
            query::owned_resource(self.platform.db.reader(), &call, account, project, resource).await?;
        Ok(Response::new(convert::resource::resource(&found)))
    }

    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let (account, project) = convert::project::name("parent", &request.parent).map_err(Error::from)?;
        let states = convert::resource::states("states", request.states()).map_err(Error::from)?;
        let query = format!("ListResources/{account}/{project}/{states:?}");
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let project = query::owned(reader, &call, account, project).await?;
        let found = query::resource_page(reader, &project, &states, &page).await?;
        let (resources, next_page_token) =
            page.cut(&self.platform.key, found, |resource| resource.id.to_string());
        let resources = resources.iter().map(convert::resource::resource).collect();
        Ok(Response::new(ListResourcesResponse { resources, next_page_token }))
    }

    async fn remove_resource(
        &self,
        request: Request<RemoveResourceRequest>,
    ) -> Result<Response<Resource>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = &convert::resource::removed(request).map_err(Error::from)?;
        query::reach(self.platform.db.reader(), call, named.account, named.project).await?;
        let key = RequestKey::new(&self.platform, call, named.account, &request.request_id, request);
        let remove = |tx, now| async move {
            let removed = resources::remove_resource(&tx, now, call, named).await?;
            Ok(convert::resource::resource(&removed))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, remove).await?))
    }

    async fn update_resource(
        &self,
        request: Request<UpdateResourceRequest>,
    ) -> Result<Response<Resource>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (named, change) = &convert::resource::updated(request).map_err(Error::from)?;
        query::reach(self.platform.db.reader(), call, named.account, named.project).await?;
        let key = RequestKey::new(&self.platform, call, named.account, &request.request_id, request);
        let update = |tx, now| async move {
            let updated = resources::update_resource(&tx, now, call, named, change).await?;
            Ok(convert::resource::resource(&updated))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, update).await?))
    }

    async fn resize_resource(
        &self,
        request: Request<ResizeResourceRequest>,
    ) -> Result<Response<Resource>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (named, new) = &convert::resource::resized(request).map_err(Error::from)?;
        query::reach(self.platform.db.reader(), call, named.account, named.project).await?;
        let key = RequestKey::new(&self.platform, call, named.account, &request.request_id, request);
        let resize = |tx, now| async move {
            let resized = resize::resize_resource(&tx, now, call, named, new).await?;
            Ok(convert::resource::resource(&resized))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, resize).await?))
    }

    async fn switch_to_monthly(
        &self,
        request: Request<SwitchToMonthlyRequest>,
    ) -> Result<Response<Resource>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (named, plan) = &convert::resource::switched(request).map_err(Error::from)?;
        query::reach(self.platform.db.reader(), call, named.account, named.project).await?;
        let key = RequestKey::new(&self.platform, call, named.account, &request.request_id, request);
        let switch = |tx, now| async move {
            let switched = resize::switch_to_monthly(&tx, now, call, named, plan).await?;
            Ok(convert::resource::resource(&switched))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, switch).await?))
    }
}
