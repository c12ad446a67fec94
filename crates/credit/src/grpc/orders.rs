//! `florin.credit.v1.CreditOrderService`.

use std::sync::Arc;

use florin_api::credit::v1::{
    CancelCreditOrderRequest, CreateCreditOrderRequest, CreditOrder, GetCreditOrderDocumentRequest,
    GetCreditOrderDocumentResponse, GetCreditOrderRequest, ListCreditOrdersRequest, ListCreditOrdersResponse,
    PayCreditOrderRequest, PayCreditOrderResponse, PreviewCreditOrderRequest, PreviewCreditOrderResponse,
    WithdrawCreditOrderRequest, credit_order_service_server::CreditOrderService,
};
use florin_payment::{PaymentId, Payments};
use florin_platform::{
    Platform, call::Call, db::Tx, idempotency::RequestKey, page::Page, violation::Violations,
};
use florin_settlement::Instant;
use tonic::{Request, Response, Status};

use super::visible;
use crate::{
    PaymentLinks, convert, documents,
    error::Error,
    ports::{OrderReversal, ProjectGate},
    service::{
        orders,
        pay::{self, Payable},
        place, query,
        rehearse::rehearse,
    },
};

/// The credit order service.
#[derive(Clone)]
pub struct CreditOrderRpc {
    platform: Platform,
    gate: Arc<dyn ProjectGate>,
    payments: Payments,
    links: PaymentLinks,
    reversal: Arc<dyn OrderReversal>,
}

impl std::fmt::Debug for CreditOrderRpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreditOrderRpc").field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl CreditOrderRpc {
    /// Serves orders kept in `platform`, for projects known to `gate`, paid by `payments` or at `links`; what a
    /// withdrawal means for documents and money is known to `reversal`.
    pub fn new(
        platform: Platform,
        gate: Arc<dyn ProjectGate>,
        payments: Payments,
        links: PaymentLinks,
        reversal: Arc<dyn OrderReversal>,
    ) -> Self {
        Self { platform, gate, payments, links, reversal }
    }

    async fn show_paid(
        tx: &Tx,
        at: Instant,
        payable: &Payable,
        payment: PaymentId,
    ) -> Result<PayCreditOrderResponse, Error> {
        let (order, payment) = pay::outcome(tx, payable.account, payable.order, payment).await?;
        Ok(PayCreditOrderResponse {
            credit_order: Some(convert::order::order(&order, at)),
            payment: Some(florin_payment::render(&payment)),
        })
    }

    async fn rehearse_payment(
        &self,
        call: &Call,
        payable: &Payable,
    ) -> Result<PayCreditOrderResponse, Error> {
        let mut answer = rehearse(&self.platform, |tx, now| async move {
            let payment = pay::begin(&tx, now, call, payable).await?;
            Self::show_paid(&tx, now, payable, payment).await
        })
        .await?;
        // Neither the attempt nor the order's mention of it was kept.
        if let Some(payment) = &mut answer.payment {
            payment.name.clear();
        }
        if let Some(order) = &mut answer.credit_order {
            order.payment.clear();
        }
        Ok(answer)
    }

    fn with_link(&self, order: CreditOrder) -> Response<CreditOrder> {
        Response::new(convert::order::linked(order, &self.links))
    }
}

/// The payment a request began under.
fn read(reference: &str) -> Result<PaymentId, Error> {
    Ok(PaymentId::parse(reference).map_err(|error| Violations::one("name", error))?)
}

#[tonic::async_trait]
impl CreditOrderService for CreditOrderRpc {
    async fn preview_credit_order(
        &self,
        request: Request<PreviewCreditOrderRequest>,
    ) -> Result<Response<PreviewCreditOrderResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let purchase = convert::order::purchase(&request.parent, request.credit_order.as_ref())?;
        let project = Some(purchase.project);
        query::reach(self.platform.db.reader(), &call, purchase.account, project, &request.parent).await?;
        let (order, at) = place::preview(&self.platform, &*self.gate, purchase).await?;
        Ok(Response::new(convert::order::preview(&order, at)))
    }

    async fn create_credit_order(
        &self,
        request: Request<CreateCreditOrderRequest>,
    ) -> Result<Response<CreditOrder>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let purchase = convert::order::purchase(&request.parent, request.credit_order.as_ref())?;
        let (account, project) = (purchase.account, Some(purchase.project));
        query::reach(self.platform.db.reader(), call, account, project, &request.parent).await?;
        let place = |tx: Tx, now| async move {
            let placed = place::place(&tx, now, call, &*self.gate, &self.links, purchase).await?;
            Ok(convert::order::order(&placed, now))
        };
        if request.validate_only {
            return Ok(Response::new(convert::order::unplaced(rehearse(&self.platform, place).await?)));
        }
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        Ok(self.with_link(self.platform.mutate::<_, Error, _>(&key, place).await?))
    }

    async fn pay_credit_order(
        &self,
        request: Request<PayCreditOrderRequest>,
    ) -> Result<Response<PayCreditOrderResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let payable = &convert::order::payable(request).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        pay::admit(reader, call, payable).await?;
        let key = RequestKey::new(&self.platform, call, payable.account, &request.request_id, request);
        // Who asks again gets the answer there is, whether or not the provider can be asked now.
        if !key.is_known(reader).await.map_err(Error::from)? {
            pay::check_source(&self.payments, &payable.source).await?;
        }
        if request.validate_only {
            return Ok(Response::new(self.rehearse_payment(call, payable).await?));
        }
        let begin = |tx, now| async move { Ok(pay::begin(&tx, now, call, payable).await?.to_string()) };
        let between = |reference: String| async move {
            self.payments.drive(call, payable.account, read(&reference)?).await?;
            Ok(())
        };
        let finish = |tx, now, reference: String| async move {
            Self::show_paid(&tx, now, payable, read(&reference)?).await
        };
        let mut answer =
            self.platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?;
        answer.credit_order = answer.credit_order.map(|order| convert::order::linked(order, &self.links));
        Ok(Response::new(answer))
    }

    async fn cancel_credit_order(
        &self,
        request: Request<CancelCreditOrderRequest>,
    ) -> Result<Response<CreditOrder>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::order::name(&request.name).map_err(Error::from)?;
        let account = named.0;
        query::reach_order(self.platform.db.reader(), call, account, named.1).await?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let give_up = |tx: Tx, now| async move {
            let canceled = place::give_up(&tx, now, call, &*self.gate, named, &request.etag).await?;
            Ok(convert::order::order(&canceled, now))
        };
        Ok(self.with_link(self.platform.mutate::<_, Error, _>(&key, give_up).await?))
    }

    async fn withdraw_credit_order(
        &self,
        request: Request<WithdrawCreditOrderRequest>,
    ) -> Result<Response<CreditOrder>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let named = convert::order::name(&request.name).map_err(Error::from)?;
        let account = visible(call, named.0, &request.name)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let withdraw = |tx: Tx, now| async move {
            let reversal = &*self.reversal;
            let withdrawn = orders::withdraw(&tx, now, call, reversal, named, &request.etag).await?;
            Ok(convert::order::order(&withdrawn, now))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, withdraw).await?))
    }

    async fn get_credit_order_document(
        &self,
        request: Request<GetCreditOrderDocumentRequest>,
    ) -> Result<Response<GetCreditOrderDocumentResponse>, Status> {
        let call = Call::of(&request);
        let name = &request.get_ref().name;
        let (account, order) = convert::order::name(name).map_err(Error::from)?;
        query::reach_order(self.platform.db.reader(), &call, account, order).await?;
        let reader = self.platform.db.reader();
        let (order, parties) = query::order_document(reader, account, order).await?;
        Ok(Response::new(GetCreditOrderDocumentResponse {
            file_name: documents::file_name(&order),
            content_type: "text/html; charset=utf-8".to_owned(),
            content: documents::order_html(&order, &parties).into_bytes(),
        }))
    }

    async fn get_credit_order(
        &self,
        request: Request<GetCreditOrderRequest>,
    ) -> Result<Response<CreditOrder>, Status> {
        let call = Call::of(&request);
        let name = &request.get_ref().name;
        let (account, order) = convert::order::name(name).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        query::reach_order(reader, &call, account, order).await?;
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let order = query::order(reader, account, order).await?;
        Ok(self.with_link(convert::order::order(&order, now)))
    }

    async fn list_credit_orders(
        &self,
        request: Request<ListCreditOrdersRequest>,
    ) -> Result<Response<ListCreditOrdersResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let (account, filter) = convert::order::filter(&request).map_err(Error::from)?;
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        query::reach(reader, &call, account, filter.project, &request.parent).await?;
        let query = format!("ListCreditOrders/{account}/{filter:?}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::account(reader, account).await?;
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let found = query::list_orders(reader, account, &filter, now, &page).await?;
        let (orders, next_page_token) = page.cut(key, found, |order| order.id.to_string());
        let link = |order| convert::order::linked(convert::order::order(order, now), &self.links);
        let credit_orders = orders.iter().map(link).collect();
        Ok(Response::new(ListCreditOrdersResponse { credit_orders, next_page_token }))
    }
}
