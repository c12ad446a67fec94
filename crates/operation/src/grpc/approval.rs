//! `florin.operation.v1.ApprovalService`.

use florin_api::operation::v1::{
    Approval, ApproveRequest, GetApprovalRequest, ListApprovalsRequest, ListApprovalsResponse, RejectRequest,
    approval_service_server::ApprovalService,
};
use florin_platform::{
    Platform,
    approval::{self, ApprovalId},
    call::Call,
    db::Tx,
    idempotency::RequestKey,
    page::Page,
    violation::Violations,
};
use tonic::{Request, Response, Status};

use crate::{
    approvals::{self, Acts},
    convert::approval as convert,
    error::Error,
};

/// What waits for a second operator.
#[derive(Clone, Debug)]
pub struct ApprovalRpc {
    platform: Platform,
    acts: Acts,
}

impl ApprovalRpc {
    /// Serves approvals kept in `platform`, of any of `acts`.
    #[must_use]
    pub fn new(platform: Platform, acts: Acts) -> Self {
        Self { platform, acts }
    }
}

#[tonic::async_trait]
impl ApprovalService for ApprovalRpc {
    async fn list_approvals(
        &self,
        request: Request<ListApprovalsRequest>,
    ) -> Result<Response<ListApprovalsResponse>, Status> {
        let request = request.into_inner();
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        let filter = convert::filter(&request).map_err(Error::from)?;
        let query = format!("ListApprovals/{filter:?}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        let before = page.after.as_deref().map(ApprovalId::parse).transpose();
        let before = before.map_err(|error| Error::from(Violations::one("page_token", error)))?;
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let found = approval::list(reader, &filter, now, before, page.fetch()).await.map_err(Error::from)?;
        let (found, next_page_token) = page.cut(key, found, |approval| approval.id.to_string());
        let approvals = found.iter().map(|approval| convert::approval(approval, now)).collect();
        Ok(Response::new(ListApprovalsResponse { approvals, next_page_token }))
    }

    async fn get_approval(&self, request: Request<GetApprovalRequest>) -> Result<Response<Approval>, Status> {
        let name = request.into_inner().name;
        let (account, id) = convert::name(&name).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let found = approval::find(reader, account, id).await.map_err(Error::from)?;
        Ok(Response::new(convert::approval(&found.ok_or(Error::NotFound(name))?, now)))
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<Approval>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let verdict = &convert::verdict(&request.name, &request.reason).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, verdict.account, &request.request_id, request);
        let approve = |tx: Tx, now| async move {
            let approved = approvals::approve(&tx, now, call, &self.acts, verdict).await?;
            Ok(convert::approval(&approved, now))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, approve).await?))
    }

    async fn reject(&self, request: Request<RejectRequest>) -> Result<Response<Approval>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let verdict = &convert::verdict(&request.name, &request.reason).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, verdict.account, &request.request_id, request);
        let reject = |tx: Tx, now| async move {
            let rejected = approvals::reject(&tx, now, call, &self.acts, verdict).await?;
            Ok(convert::approval(&rejected, now))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, reject).await?))
    }
}
