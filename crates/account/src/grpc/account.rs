//! `florin.account.v1.AccountService`.

use florin_api::account::v1::{
    AcceptTermsRequest, AcceptTermsResponse, Account, ConfirmAccountRequest, CreateAccountRequest,
    GetAccountRequest, GetTaxStatusRequest, ListAccountsRequest, ListAccountsResponse,
    ListRequiredFieldsRequest, ListRequiredFieldsResponse, ListTermsRequest, ListTermsResponse,
    ResendConfirmationRequest, ResendConfirmationResponse, TaxStatus, UpdateAccountRequest,
    account_service_server::AccountService,
};
use florin_platform::{Platform, call::Call, id::AccountId, idempotency::RequestKey, page::Page};
use tonic::{Request, Response, Status};

use super::{both, visible};
use crate::{
    convert,
    error::Error,
    service::{confirm, create, query, tax_status, terms, update},
    store,
};

/// The account service over `platform`.
#[derive(Clone, Debug)]
pub struct AccountRpc {
    platform: Platform,
}

impl AccountRpc {
    /// Serves accounts kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl AccountService for AccountRpc {
    async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Result<Response<Account>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let new = &convert::account::new_account(&request);
        let hash = &create::hash_password(&self.platform, new).await?;
        let key = RequestKey::new(&self.platform, call, AccountId::NONE, &request.request_id, &request);
        let create = |tx, now| async move {
            create::create_account(&self.platform, &tx, now, call, new.clone(), hash.clone())
                .await
                .map(|created| convert::account::account(&created))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, create).await?))
    }

    async fn confirm_account(
        &self,
        request: Request<ConfirmAccountRequest>,
    ) -> Result<Response<Account>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, code) = convert::account::confirmation(request).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let confirm = |tx, now| async move {
            let confirmed = confirm::confirm_account(&tx, now, call, account, code).await?;
            Ok(confirmed.map(|confirmed| convert::account::account(&confirmed)))
        };
        Ok(Response::new(self.platform.mutate_or_trace::<_, Error, _>(&key, confirm).await?))
    }

    async fn resend_confirmation(
        &self,
        request: Request<ResendConfirmationRequest>,
    ) -> Result<Response<ResendConfirmationResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let account = convert::account::name("name", &request.name).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let resend = |tx, now| async move {
            confirm::resend_confirmation(&self.platform, &tx, now, call, account)
                .await
                .map(|resent| convert::account::resent(&resent))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, resend).await?))
    }

    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<Account>, Status> {
        let call = Call::of(&request);
        let account = convert::account::name("name", &request.get_ref().name).map_err(Error::from)?;
        let account = query::owned(self.platform.db.reader(), visible(&call, account)?).await?;
        Ok(Response::new(convert::account::account(&account)))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let request = request.into_inner();
        let query = format!("ListAccounts/{:?}", request.states);
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token);
        let (states, page) = both(convert::account::states(&request), page)?;
        let found = query::list(self.platform.db.reader(), &states, &page).await?;
        let (accounts, next_page_token) =
            page.cut(&self.platform.key, found, |account| account.id.to_string());
        let accounts = accounts.iter().map(convert::account::account).collect();
        Ok(Response::new(ListAccountsResponse { accounts, next_page_token }))
    }

    async fn update_account(
        &self,
        request: Request<UpdateAccountRequest>,
    ) -> Result<Response<Account>, Status> {
        let call = &Call::of(&request);
        let request = request.into_inner();
        let change = &convert::account::change(&request).map_err(Error::from)?;
        let account = visible(call, change.account)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, &request);
        let update = |tx, now| async move {
            update::update_account(&tx, now, call, change.clone())
                .await
                .map(|updated| convert::account::account(&updated))
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, update).await?))
    }

    async fn get_tax_status(
        &self,
        request: Request<GetTaxStatusRequest>,
    ) -> Result<Response<TaxStatus>, Status> {
        let call = Call::of(&request);
        let account = convert::tax_status::name(&request.get_ref().name).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let status = tax_status::tax_status(reader, now, visible(&call, account)?).await?;
        Ok(Response::new(convert::tax_status::tax_status(&status)))
    }

    async fn list_terms(
        &self,
        request: Request<ListTermsRequest>,
    ) -> Result<Response<ListTermsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let account = convert::account::name("parent", &request.parent).map_err(Error::from)?;
        let query = format!("ListTerms/{account}");
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let account = query::owned(reader, visible(&call, account)?).await?;
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let standings = query::terms_page(reader, &account, now, &page).await?;
        let (standings, next_page_token) =
            page.cut(&self.platform.key, standings, |standing| standing.document.version.to_string());
        let terms_documents = standings.iter().map(convert::terms::document).collect();
        Ok(Response::new(ListTermsResponse { terms_documents, next_page_token }))
    }

    async fn accept_terms(
        &self,
        request: Request<AcceptTermsRequest>,
    ) -> Result<Response<AcceptTermsResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let account = convert::account::name("name", &request.name);
        let (account, names) = both(account, convert::terms::documents(request))?;
        let account = visible(call, account)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let accept = |tx, now| async move {
            let accepted = terms::accept_terms(&tx, now, call, account, names).await?;
            Ok(AcceptTermsResponse {
                terms_documents: accepted.iter().map(convert::terms::document).collect(),
            })
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, accept).await?))
    }

    async fn list_required_fields(
        &self,
        request: Request<ListRequiredFieldsRequest>,
    ) -> Result<Response<ListRequiredFieldsResponse>, Status> {
        let (country, legal_form) =
            convert::account::customer_kind(request.get_ref()).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let issuer = query::issuer_of_country(reader, &country)
            .await
            .map_err(Error::from)?
            .ok_or(Error::CountryNotServed(country.clone()))?;
        let fields = store::issuer::required_fields(reader, &issuer.id, &country, legal_form)
            .await
            .map_err(Error::from)?;
        Ok(Response::new(convert::account::required_fields(&issuer.id, fields)))
    }
}
