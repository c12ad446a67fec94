//! `florin.credit.v1.VoucherService`.

use std::sync::Arc;

use florin_api::credit::v1::{
    CheckVoucherRequest, CheckVoucherResponse, Credit, RedeemVoucherRequest,
    voucher_service_server::VoucherService,
};
use florin_platform::{Platform, call::Call, db::Tx, idempotency::RequestKey};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    ports::ProjectGate,
    service::{query, redeem, rehearse::rehearse},
};

/// The voucher service.
#[derive(Clone)]
pub struct VoucherRpc {
    platform: Platform,
    gate: Arc<dyn ProjectGate>,
}

impl std::fmt::Debug for VoucherRpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoucherRpc").field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl VoucherRpc {
    /// Serves codes kept in `platform`, for projects known to `gate`.
    pub fn new(platform: Platform, gate: Arc<dyn ProjectGate>) -> Self {
        Self { platform, gate }
    }
}

#[tonic::async_trait]
impl VoucherService for VoucherRpc {
    async fn check_voucher(
        &self,
        request: Request<CheckVoucherRequest>,
    ) -> Result<Response<CheckVoucherResponse>, Status> {
        let call = Call::of(&request);
        let request = &request.into_inner();
        let (account, project) = convert::voucher::checked(request).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        query::reach(reader, &call, account, project, &request.parent).await?;
        let check = |tx: Tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            let checked = redeem::check(&tx, now, &*self.gate, account, project, &request.code).await?;
            Ok::<_, Error>(match checked {
                Ok(voucher) => convert::voucher::redeemable(&voucher, now),
                Err(refusal) => convert::voucher::refused(refusal),
            })
        };
        Ok(Response::new(self.platform.db.write(check).await?))
    }

    async fn redeem_voucher(
        &self,
        request: Request<RedeemVoucherRequest>,
    ) -> Result<Response<Credit>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, project) = convert::voucher::redeemed(request).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        query::reach(reader, call, account, Some(project), &request.parent).await?;
        let redeem = |tx: Tx, now| async move {
            let redeemed =
                redeem::redeem(&tx, now, call, &*self.gate, account, project, &request.code).await?;
            Ok(redeemed.map(|lot| convert::credit::issued(&lot)))
        };
        if request.validate_only {
            // A guess is a guess: a wrong one is counted before the rehearsal, which keeps nothing.
            let guess = |tx: Tx| async move {
                let now = self.platform.clock.now(&tx).await?;
                redeem::check(&tx, now, &*self.gate, account, Some(project), &request.code).await
            };
            self.platform.db.write(guess).await?.map_err(Error::from)?;
            let rehearsed = rehearse(&self.platform, redeem).await??;
            return Ok(Response::new(Credit { name: String::new(), ..rehearsed }));
        }
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        Ok(Response::new(self.platform.mutate_or_trace::<_, Error, _>(&key, redeem).await?))
    }
}
