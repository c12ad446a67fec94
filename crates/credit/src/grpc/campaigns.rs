//! `florin.credit.v1.CampaignService`.

use std::pin::Pin;

use florin_api::{
    credit::v1::{
        Campaign, CampaignReport, CreateCampaignRequest, DisableCampaignRequest, GenerateCodesRequest,
        GenerateCodesResponse, GetCampaignReportRequest, GetCampaignRequest, ListCampaignsRequest,
        ListCampaignsResponse, ListRedemptionsRequest, ListRedemptionsResponse,
        campaign_service_server::CampaignService,
    },
    event::v1::VoucherCodesGenerated,
};
use florin_platform::{Platform, call::Call, db::Tx, id::AccountId, idempotency::RequestKey, page::Page};
use futures::Stream;
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{campaigns, query},
};

/// The most codes one message of the stream holds.
const CODES_PER_MESSAGE: usize = 500;

/// The campaign service.
#[derive(Clone, Debug)]
pub struct CampaignRpc {
    platform: Platform,
}

impl CampaignRpc {
    /// Serves campaigns kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl CampaignService for CampaignRpc {
    type GenerateCodesStream = Pin<Box<dyn Stream<Item = Result<GenerateCodesResponse, Status>> + Send>>;

    async fn create_campaign(
        &self,
        request: Request<CreateCampaignRequest>,
    ) -> Result<Response<Campaign>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, request);
        let create = |tx: Tx, now| async move {
            let created =
                campaigns::create(&tx, now, call, convert::campaign::new_campaign(request, now)).await?;
            Ok(convert::campaign::campaign(&created))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, create).await?))
    }

    async fn get_campaign(&self, request: Request<GetCampaignRequest>) -> Result<Response<Campaign>, Status> {
        let id = convert::campaign::name(&request.get_ref().name).map_err(Error::from)?;
        let campaign = query::campaign(self.platform.db.reader(), id).await?;
        Ok(Response::new(convert::campaign::campaign(&campaign)))
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let request = request.into_inner();
        let key = &self.platform.key;
        let page =
            Page::parse(key, "ListCampaigns", request.page_size, &request.page_token).map_err(Error::from)?;
        let found = query::list_campaigns(self.platform.db.reader(), &page).await?;
        let (campaigns, next_page_token) = page.cut(key, found, |campaign| campaign.id.to_string());
        let campaigns = campaigns.iter().map(convert::campaign::campaign).collect();
        Ok(Response::new(ListCampaignsResponse { campaigns, next_page_token }))
    }

    async fn disable_campaign(
        &self,
        request: Request<DisableCampaignRequest>,
    ) -> Result<Response<Campaign>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let id = convert::campaign::name(&request.name).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, request);
        let disable = |tx: Tx, now| async move {
            let disabled = campaigns::disable(&tx, now, call, id, &request.etag).await?;
            Ok(convert::campaign::campaign(&disabled))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, disable).await?))
    }

    async fn list_redemptions(
        &self,
        request: Request<ListRedemptionsRequest>,
    ) -> Result<Response<ListRedemptionsResponse>, Status> {
        let request = request.into_inner();
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        let id = convert::campaign::parent(&request.parent).map_err(Error::from)?;
        let query = format!("ListRedemptions/{id}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::campaign(reader, id).await?;
        let found = query::list_redemptions(reader, id, &page).await?;
        let (found, next_page_token) = page.cut(key, found, |redemption| redemption.id.to_string());
        let redemptions = found.iter().map(convert::campaign::redemption).collect();
        Ok(Response::new(ListRedemptionsResponse { redemptions, next_page_token }))
    }

    async fn get_campaign_report(
        &self,
        request: Request<GetCampaignReportRequest>,
    ) -> Result<Response<CampaignReport>, Status> {
        let id = convert::campaign::report_name(&request.get_ref().name).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let report = campaigns::report(reader, id, now).await?;
        Ok(Response::new(convert::campaign::report(&report)?))
    }

    async fn generate_codes(
        &self,
        request: Request<GenerateCodesRequest>,
    ) -> Result<Response<Self::GenerateCodesStream>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (id, count) = convert::campaign::wanted_codes(request).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, request);
        // What is stored as the answer names the batch; the codes are derived from it, now and in a replay.
        let generate = |tx: Tx, now| async move {
            let batch = campaigns::generate_codes(&self.platform, &tx, now, call, id, count).await?;
            Ok(convert::campaign::batch(batch))
        };
        let batch: VoucherCodesGenerated = self.platform.mutate::<_, Error, _>(&key, generate).await?;
        let mut codes = convert::campaign::read_batch(&batch).map_err(Error::from)?.codes(&self.platform);
        let messages = std::iter::from_fn(move || {
            let codes: Vec<_> = codes.by_ref().take(CODES_PER_MESSAGE).map(|code| code.to_string()).collect();
            (!codes.is_empty()).then_some(Ok(GenerateCodesResponse { codes }))
        });
        Ok(Response::new(Box::pin(futures::stream::iter(messages))))
    }
}
