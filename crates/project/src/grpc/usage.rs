//! `florin.project.v1.UsageService`.

use florin_api::project::v1::{
    GetCurrentUsageRequest, GetCurrentUsageResponse, usage_service_server::UsageService,
};
use florin_platform::{Platform, call::Call};
use florin_settlement::Period;
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{query, usage},
};

/// The usage service over `platform`.
#[derive(Clone, Debug)]
pub struct UsageRpc {
    platform: Platform,
}

impl UsageRpc {
    /// Serves the usage kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl UsageService for UsageRpc {
    async fn get_current_usage(
        &self,
        request: Request<GetCurrentUsageRequest>,
    ) -> Result<Response<GetCurrentUsageResponse>, Status> {
        let call = Call::of(&request);
        let (account, project) =
            convert::project::name("parent", &request.get_ref().parent).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let project = query::owned(reader, &call, account, project).await?;
        let month = Period::month_of(now);
        let lines = usage::of_projects(reader, &[(account, project.id)], month, now).await?;
        let rendered = convert::usage::current(&lines, month, now, project.currency).map_err(Error::from)?;
        Ok(Response::new(rendered))
    }
}
