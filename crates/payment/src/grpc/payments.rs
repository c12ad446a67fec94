//! `florin.payment.v1.PaymentService`.

use florin_api::payment::v1::{
    GetPaymentRequest, ListPaymentsRequest, ListPaymentsResponse, Payment,
    payment_service_server::PaymentService,
};
use florin_platform::{Platform, call::Call, page::Page};
use tonic::{Request, Response, Status};

use super::visible;
use crate::{convert, error::Error, service::query};

/// The payment service over `platform`.
#[derive(Clone, Debug)]
pub struct PaymentRpc {
    platform: Platform,
}

impl PaymentRpc {
    /// Serves payments kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl PaymentService for PaymentRpc {
    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<Payment>, Status> {
        let call = Call::of(&request);
        let name = &request.get_ref().name;
        let (account, id) = convert::payment::name(name).map_err(Error::from)?;
        visible(&call, account, name)?;
        let payment = query::owned_payment(self.platform.db.reader(), account, id).await?;
        Ok(Response::new(convert::payment::payment(&payment)))
    }

    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<ListPaymentsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let account = convert::method::parent(&request.parent).map_err(Error::from)?;
        visible(&call, account, &request.parent)?;
        let narrowed = convert::payment::narrowed(&request).map_err(Error::from)?;
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        let query = format!("ListPayments/{account}/{narrowed:?}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::owned_account(reader, account).await?;
        let found = query::list_payments(reader, account, &narrowed, &page).await?;
        let (payments, next_page_token) = page.cut(key, found, |payment| payment.id.to_string());
        let payments = payments.iter().map(convert::payment::payment).collect();
        Ok(Response::new(ListPaymentsResponse { payments, next_page_token }))
    }
}
