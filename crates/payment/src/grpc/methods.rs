//! `florin.payment.v1.PaymentMethodService`.

use florin_api::payment::v1::{
    ConfirmPaymentMethodRequest, CreatePaymentMethodRequest, DeletePaymentMethodRequest,
    GetPaymentMethodRequest, ListOfferedKindsRequest, ListOfferedKindsResponse, ListPaymentMethodsRequest,
    ListPaymentMethodsResponse, PaymentMethod, SetDefaultPaymentMethodRequest, UpdatePaymentMethodRequest,
    payment_method_service_server::PaymentMethodService,
};
use florin_platform::{
    call::Call, db::Tx, id::AccountId, idempotency::RequestKey, page::Page, violation::Violations,
};
use tonic::{Request, Response, Status};

use super::visible;
use crate::{
    PaymentMethodId, convert,
    error::Error,
    service::{methods::Methods, names::method_name, query, sandbox::check_validating},
};

/// The payment method service over `methods`.
#[derive(Clone, Debug)]
pub struct PaymentMethodRpc {
    methods: Methods,
}

impl PaymentMethodRpc {
    /// Serves `methods`.
    #[must_use]
    pub fn new(methods: Methods) -> Self {
        Self { methods }
    }

    async fn drive(&self, call: &Call, account: AccountId, reference: &str) -> Result<(), Error> {
        self.methods.drive(call, account, read(reference)?).await.map(|_| ())
    }

    async fn show(tx: &Tx, account: AccountId, reference: &str) -> Result<PaymentMethod, Error> {
        query::shown_method(tx, account, read(reference)?).await.map(|shown| convert::method::method(&shown))
    }
}

/// The method a request began under.
fn read(reference: &str) -> Result<PaymentMethodId, Error> {
    Ok(PaymentMethodId::parse(reference).map_err(|error| Violations::one("name", error))?)
}

#[tonic::async_trait]
impl PaymentMethodService for PaymentMethodRpc {
    async fn list_offered_kinds(
        &self,
        request: Request<ListOfferedKindsRequest>,
    ) -> Result<Response<ListOfferedKindsResponse>, Status> {
        let call = Call::of(&request);
        let parent = &request.get_ref().parent;
        let account = convert::method::parent(parent).map_err(Error::from)?;
        visible(&call, account, parent)?;
        let reader = self.methods.platform.db.reader();
        let account = query::owned_account(reader, account).await?;
        let offers = query::offers(reader, &account, self.methods.provider.capabilities().kinds).await?;
        let offered_kinds = offers.iter().map(convert::method::offer).collect();
        Ok(Response::new(ListOfferedKindsResponse { offered_kinds }))
    }

    async fn create_payment_method(
        &self,
        request: Request<CreatePaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let new = &convert::method::new_method(request).map_err(Error::from)?;
        visible(call, new.account, &request.parent)?;
        let platform = &self.methods.platform;
        let key = RequestKey::new(platform, call, new.account, &request.request_id, request);
        let recognised = &self.methods.provider.recognise(&new.token).await;
        let begin = |tx, now| async move {
            let id = self.methods.create(&tx, now, call, new.clone(), recognised.clone()).await?;
            Ok(id.to_string())
        };
        let between = |reference: String| async move { self.drive(call, new.account, &reference).await };
        let finish = |tx, _, reference: String| async move { Self::show(&tx, new.account, &reference).await };
        Ok(Response::new(platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?))
    }

    async fn confirm_payment_method(
        &self,
        request: Request<ConfirmPaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, id) = convert::method::name(&request.name).map_err(Error::from)?;
        visible(call, account, &request.name)?;
        let platform = &self.methods.platform;
        let key = RequestKey::new(platform, call, account, &request.request_id, request);
        let begin = |tx, _| async move { check_validating(&tx, account, id).await.map(|()| id.to_string()) };
        let between = |reference: String| async move { self.drive(call, account, &reference).await };
        let finish = |tx, _, reference: String| async move { Self::show(&tx, account, &reference).await };
        Ok(Response::new(platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?))
    }

    async fn get_payment_method(
        &self,
        request: Request<GetPaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let call = Call::of(&request);
        let name = &request.get_ref().name;
        let (account, id) = convert::method::name(name).map_err(Error::from)?;
        query::reach_methods(self.methods.platform.db.reader(), &call, account, name).await?;
        let shown = query::shown_method(self.methods.platform.db.reader(), account, id).await?;
        Ok(Response::new(convert::method::method(&shown)))
    }

    async fn list_payment_methods(
        &self,
        request: Request<ListPaymentMethodsRequest>,
    ) -> Result<Response<ListPaymentMethodsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let account = convert::method::parent(&request.parent).map_err(Error::from)?;
        let reader = self.methods.platform.db.reader();
        query::reach_methods(reader, &call, account, &request.parent).await?;
        let (key, reader) = (&self.methods.platform.key, self.methods.platform.db.reader());
        let query = format!("ListPaymentMethods/{account}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        query::owned_account(reader, account).await?;
        let found = query::list_methods(reader, account, &page).await?;
        let (shown, next_page_token) = page.cut(key, found, |shown| shown.method.id.to_string());
        let payment_methods = shown.iter().map(convert::method::method).collect();
        Ok(Response::new(ListPaymentMethodsResponse { payment_methods, next_page_token }))
    }

    async fn set_default_payment_method(
        &self,
        request: Request<SetDefaultPaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, id) = convert::method::name(&request.name).map_err(Error::from)?;
        visible(call, account, &request.name)?;
        let key = RequestKey::new(&self.methods.platform, call, account, &request.request_id, request);
        let set = |tx, now| async move {
            let shown = self.methods.set_default(&tx, now, call, (account, id), &request.etag).await?;
            Ok(convert::method::method(&shown))
        };
        Ok(Response::new(self.methods.platform.mutate::<_, Error, _>(&key, set).await?))
    }

    async fn update_payment_method(
        &self,
        request: Request<UpdatePaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let ((account, id), edit) = &convert::method::edit(request).map_err(Error::from)?;
        visible(call, *account, &method_name(*account, *id))?;
        let key = RequestKey::new(&self.methods.platform, call, *account, &request.request_id, request);
        let update = |tx, now| async move {
            let shown = self.methods.update(&tx, now, call, (*account, *id), edit).await?;
            Ok(convert::method::method(&shown))
        };
        Ok(Response::new(self.methods.platform.mutate::<_, Error, _>(&key, update).await?))
    }

    async fn delete_payment_method(
        &self,
        request: Request<DeletePaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, id) = convert::method::name(&request.name).map_err(Error::from)?;
        visible(call, account, &request.name)?;
        let platform = &self.methods.platform;
        let key = RequestKey::new(platform, call, account, &request.request_id, request);
        let begin = |tx, now| async move {
            self.methods.remove(&tx, now, call, (account, id), &request.etag).await.map(|()| id.to_string())
        };
        let between = |reference: String| async move {
            match self.methods.forget(account, read(&reference)?).await {
                // It is removed; the provider is asked again by the job.
                Ok(()) | Err(Error::ProviderUnavailable(_)) => Ok(()),
                Err(error) => Err(error),
            }
        };
        let finish = |tx, _, reference: String| async move { Self::show(&tx, account, &reference).await };
        Ok(Response::new(platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?))
    }
}
