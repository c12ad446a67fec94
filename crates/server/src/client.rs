//! A client of every service, with a bearer token: what the command line and the tests call Florin with.

use florin_api::{
    account::v1::{
        account_service_client::AccountServiceClient, auth_service_client::AuthServiceClient,
        issuer_service_client::IssuerServiceClient,
    },
    credit::v1::{
        campaign_service_client::CampaignServiceClient,
        credit_order_service_client::CreditOrderServiceClient, credit_service_client::CreditServiceClient,
        grant_service_client::GrantServiceClient, voucher_service_client::VoucherServiceClient,
    },
    invoicing::v1::{
        accounting_service_client::AccountingServiceClient,
        billing_run_service_client::BillingRunServiceClient,
        collection_service_client::CollectionServiceClient, invoice_service_client::InvoiceServiceClient,
    },
    operation::v1::{
        approval_service_client::ApprovalServiceClient, notice_service_client::NoticeServiceClient,
    },
    payment::v1::{
        payment_method_service_client::PaymentMethodServiceClient,
        payment_service_client::PaymentServiceClient,
    },
    project::v1::{
        budget_service_client::BudgetServiceClient, catalog_service_client::CatalogServiceClient,
        funding_service_client::FundingServiceClient, project_service_client::ProjectServiceClient,
        resource_service_client::ResourceServiceClient, usage_service_client::UsageServiceClient,
    },
    sandbox::v1::{
        clock_service_client::ClockServiceClient, payment_outcome_service_client::PaymentOutcomeServiceClient,
    },
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

/// Puts the bearer token on every call.
#[derive(Clone, Debug, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A channel that carries a token.
pub type Authorized = InterceptedService<Channel, Bearer>;

/// Somebody who calls Florin.
#[derive(Clone, Debug)]
pub struct Caller {
    channel: Channel,
    bearer: Bearer,
}

impl Caller {
    /// Somebody who has not said who they are, at `http://host:port`.
    pub async fn connect(server: &str) -> Result<Self, tonic::transport::Error> {
        let channel = Endpoint::from_shared(server.to_owned())?.connect().await?;
        Ok(Self { channel, bearer: Bearer::default() })
    }

    /// The same connection, with a token. A token no header can carry counts as none.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        let bearer = Bearer(format!("Bearer {token}").parse().ok());
        Self { channel: self.channel.clone(), bearer }
    }

    /// The connection itself.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    fn authorized(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    /// `florin.account.v1.AccountService`
    #[must_use]
    pub fn accounts(&self) -> AccountServiceClient<Authorized> {
        AccountServiceClient::new(self.authorized())
    }

    /// `florin.account.v1.AuthService`
    #[must_use]
    pub fn auth(&self) -> AuthServiceClient<Authorized> {
        AuthServiceClient::new(self.authorized())
    }

    /// `florin.account.v1.IssuerService`
    #[must_use]
    pub fn issuers(&self) -> IssuerServiceClient<Authorized> {
        IssuerServiceClient::new(self.authorized())
    }

    /// `florin.payment.v1.PaymentMethodService`
    #[must_use]
    pub fn payment_methods(&self) -> PaymentMethodServiceClient<Authorized> {
        PaymentMethodServiceClient::new(self.authorized())
    }

    /// `florin.payment.v1.PaymentService`
    #[must_use]
    pub fn payments(&self) -> PaymentServiceClient<Authorized> {
        PaymentServiceClient::new(self.authorized())
    }

    /// `florin.project.v1.ProjectService`
    #[must_use]
    pub fn projects(&self) -> ProjectServiceClient<Authorized> {
        ProjectServiceClient::new(self.authorized())
    }

    /// `florin.project.v1.ResourceService`
    #[must_use]
    pub fn resources(&self) -> ResourceServiceClient<Authorized> {
        ResourceServiceClient::new(self.authorized())
    }

    /// `florin.project.v1.CatalogService`
    #[must_use]
    pub fn catalog(&self) -> CatalogServiceClient<Authorized> {
        CatalogServiceClient::new(self.authorized())
    }

    /// `florin.project.v1.UsageService`
    #[must_use]
    pub fn usage(&self) -> UsageServiceClient<Authorized> {
        UsageServiceClient::new(self.authorized())
    }

    /// `florin.project.v1.FundingService`
    #[must_use]
    pub fn funding(&self) -> FundingServiceClient<Authorized> {
        FundingServiceClient::new(self.authorized())
    }

    /// `florin.project.v1.BudgetService`
    #[must_use]
    pub fn budgets(&self) -> BudgetServiceClient<Authorized> {
        BudgetServiceClient::new(self.authorized())
    }

    /// `florin.credit.v1.CreditOrderService`
    #[must_use]
    pub fn credit_orders(&self) -> CreditOrderServiceClient<Authorized> {
        CreditOrderServiceClient::new(self.authorized())
    }

    /// `florin.credit.v1.CreditService`
    #[must_use]
    pub fn credits(&self) -> CreditServiceClient<Authorized> {
        CreditServiceClient::new(self.authorized())
    }

    /// `florin.credit.v1.VoucherService`
    #[must_use]
    pub fn vouchers(&self) -> VoucherServiceClient<Authorized> {
        VoucherServiceClient::new(self.authorized())
    }

    /// `florin.credit.v1.CampaignService`
    #[must_use]
    pub fn campaigns(&self) -> CampaignServiceClient<Authorized> {
        CampaignServiceClient::new(self.authorized())
    }

    /// `florin.credit.v1.GrantService`
    #[must_use]
    pub fn grants(&self) -> GrantServiceClient<Authorized> {
        GrantServiceClient::new(self.authorized())
    }

    /// `florin.invoicing.v1.InvoiceService`
    #[must_use]
    pub fn invoices(&self) -> InvoiceServiceClient<Authorized> {
        InvoiceServiceClient::new(self.authorized())
    }

    /// `florin.invoicing.v1.BillingRunService`
    #[must_use]
    pub fn billing_runs(&self) -> BillingRunServiceClient<Authorized> {
        BillingRunServiceClient::new(self.authorized())
    }

    /// `florin.invoicing.v1.CollectionService`
    #[must_use]
    pub fn collection(&self) -> CollectionServiceClient<Authorized> {
        CollectionServiceClient::new(self.authorized())
    }

    /// `florin.invoicing.v1.AccountingService`
    #[must_use]
    pub fn accounting(&self) -> AccountingServiceClient<Authorized> {
        AccountingServiceClient::new(self.authorized())
    }

    /// `florin.operation.v1.ApprovalService`
    #[must_use]
    pub fn approvals(&self) -> ApprovalServiceClient<Authorized> {
        ApprovalServiceClient::new(self.authorized())
    }

    /// `florin.operation.v1.NoticeService`
    #[must_use]
    pub fn notices(&self) -> NoticeServiceClient<Authorized> {
        NoticeServiceClient::new(self.authorized())
    }

    /// `florin.sandbox.v1.ClockService`
    #[must_use]
    pub fn clock(&self) -> ClockServiceClient<Authorized> {
        ClockServiceClient::new(self.authorized())
    }

    /// `florin.sandbox.v1.PaymentOutcomeService`
    #[must_use]
    pub fn payment_outcomes(&self) -> PaymentOutcomeServiceClient<Authorized> {
        PaymentOutcomeServiceClient::new(self.authorized())
    }
}
