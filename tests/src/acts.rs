//! What customers and operators do again and again in the tests, over the wire.

use florin_api::{
    credit::v1::{
        Campaign, CreateCampaignRequest, CreateCreditOrderRequest, Credit, CreditOrder, GenerateCodesRequest,
        ListCreditsRequest, PayCreditOrderRequest, PayCreditOrderResponse, PaymentLinkSource,
        RedeemVoucherRequest, campaign, pay_credit_order_request::Source,
    },
    invoicing::v1::{Invoice, ListInvoicesRequest, invoice},
    money::{Decimal, Money},
    operation::v1::ListNoticesRequest,
    payment::v1::{CreatePaymentMethodRequest, PaymentMethod, PaymentMethodKind},
    project::v1::{
        AddResourceRequest, ConfirmProjectDeletionRequest, CreateProjectRequest, GetProjectRequest, Project,
        RemoveResourceRequest, RequestProjectDeletionRequest, Resource, create_project_request::Funding,
    },
    sandbox::v1::{ApprovePaymentRequest, DeclinePaymentRequest},
};
use florin_platform::wire;
use florin_settlement::Instant;
use tonic::Status;

use crate::florin::{Customer, Florin};

/// Euros, without cents.
#[must_use]
pub fn euros(units: i64) -> Money {
    Money { currency_code: "EUR".to_owned(), units, nanos: 0 }
}

/// An amount as people write it, as in `23.63 EUR`.
#[must_use]
pub fn said(amount: Option<&Money>) -> String {
    wire::amount(amount.expect("an amount is given")).expect("a payable amount").to_string()
}

impl Florin {
    /// Approves what waits for the customer: a payment or a payment method.
    pub async fn approve(&self, name: &str) {
        let request = ApprovePaymentRequest { name: name.to_owned(), ..Default::default() };
        self.operator.payment_outcomes().approve_payment(request).await.expect("it is approved");
    }

    /// Declines what waits for the customer.
    pub async fn decline(&self, name: &str) {
        let request = DeclinePaymentRequest { name: name.to_owned(), ..Default::default() };
        self.operator.payment_outcomes().decline_payment(request).await.expect("it is declined");
    }

    /// A campaign of single-use codes worth `amount` euros, redeemable in March 2027.
    #[must_use]
    pub fn campaign(&self, amount: i64) -> Campaign {
        let at = |text| Some(wire::timestamp(Instant::parse(text).expect("an instant")));
        Campaign {
            display_name: "Spring".to_owned(),
            description: "Spring".to_owned(),
            amounts: vec![euros(amount)],
            redeem_start_time: at("2027-03-01T00:00:00Z"),
            redeem_end_time: at("2027-04-01T00:00:00Z"),
            lot_lifetime: Some(campaign::LotLifetime::LotLifetimeDays(90)),
            audience: campaign::Audience::Anyone.into(),
            budgets: vec![euros(amount * 100)],
            code_style: campaign::CodeStyle::SingleUse.into(),
            ..Campaign::default()
        }
    }

    /// Creates `campaign` and gives `count` codes of it.
    pub async fn codes(&self, campaign: Campaign, count: i32) -> Vec<String> {
        let request = CreateCampaignRequest {
            campaign: Some(campaign),
            allow_missed_settlement: true,
            request_id: String::new(),
        };
        let created =
            self.operator.campaigns().create_campaign(request).await.expect("a campaign").into_inner();
        let request = GenerateCodesRequest { name: created.name, count, ..Default::default() };
        let stream = self.operator.campaigns().generate_codes(request).await.expect("codes");
        let mut stream = stream.into_inner();
        let mut codes = Vec::new();
        while let Some(batch) = stream.message().await.expect("the stream goes on") {
            codes.extend(batch.codes);
        }
        codes
    }

    /// A customer with a confirmed card as default method and a first project that is ACTIVE.
    pub async fn customer_with_project(&self, name: &str) -> (Customer, String) {
        let customer = self.customer(name).await;
        let card = customer.card("card-approved").await;
        self.approve(&card.name).await;
        let project = customer.create_project(Some(Funding::PaymentMethod(card.name))).await;
        (customer, project.expect("the project is created").name)
    }

    /// A customer whose March was billed and paid by card, and its invoice: 456 hours of an instance, 50.62 net, 60.74
    /// with VAT.
    pub async fn customer_billed(&self) -> (Customer, Invoice) {
        let (ada, project) = self.customer_with_project("ada").await;
        let instance = ada.add(&project, "plans/b3-8", "1").await.expect("a resource").name;
        self.advance_to("2027-03-20T07:30:00Z").await;
        ada.remove(&instance).await;
        self.advance_to("2027-04-01T07:00:00Z").await;
        let invoice = ada.invoices(invoice::Kind::Monthly).await.remove(0);
        assert_eq!(invoice.state(), invoice::State::Paid);
        (ada, invoice)
    }

    /// The token to delete a project with that was mailed to `account` last.
    pub async fn mailed_deletion_token(&self, account: &str) -> String {
        let request = ListNoticesRequest {
            parent: account.to_owned(),
            kinds: vec!["project.deletion-token".to_owned()],
            ..Default::default()
        };
        let notices = self.operator.notices().list_notices(request).await.expect("notices").into_inner();
        let body = &notices.notices.first().expect("a token was mailed").body;
        let token = body.lines().map(str::trim).find(|line| line.len() == 43);
        token.expect("the notice has a token").to_owned()
    }

    /// Deletes a project as its customer does, in two steps.
    pub async fn delete_project(&self, customer: &Customer, project: &str) -> Project {
        let projects = || customer.caller.projects();
        let request = RequestProjectDeletionRequest { name: project.to_owned(), ..Default::default() };
        projects().request_project_deletion(request).await.expect("a token is mailed");
        let token = self.mailed_deletion_token(&customer.account).await;
        let request = ConfirmProjectDeletionRequest { name: project.to_owned(), token, ..Default::default() };
        projects().confirm_project_deletion(request).await.expect("it is being deleted").into_inner()
    }

    /// A customer without a payment method, whose first project a voucher of one euro has made ACTIVE.
    pub async fn customer_with_voucher(&self, name: &str) -> (Customer, String) {
        let customer = self.customer(name).await;
        let code = self.codes(self.campaign(1), 1).await.remove(0);
        let project = customer.create_project(Some(Funding::VoucherCode(code))).await;
        (customer, project.expect("the project is created").name)
    }
}

impl Customer {
    /// Registers the card behind a sandbox token.
    pub async fn card(&self, provider_token: &str) -> PaymentMethod {
        let request = CreatePaymentMethodRequest {
            parent: self.account.clone(),
            payment_method: Some(PaymentMethod {
                kind: PaymentMethodKind::Card.into(),
                ..Default::default()
            }),
            provider_token: provider_token.to_owned(),
            ..Default::default()
        };
        self.caller.payment_methods().create_payment_method(request).await.expect("a card").into_inner()
    }

    /// Creates a project with this funding, or with none.
    pub async fn create_project(&self, funding: Option<Funding>) -> Result<Project, Status> {
        let request = CreateProjectRequest {
            parent: self.account.clone(),
            project: Some(Project { display_name: "A project".to_owned(), ..Project::default() }),
            funding,
            ..Default::default()
        };
        Ok(self.caller.projects().create_project(request).await?.into_inner())
    }

    /// The project as it is now.
    pub async fn project(&self, name: &str) -> Project {
        let request = GetProjectRequest { name: name.to_owned() };
        self.caller.projects().get_project(request).await.expect("the project").into_inner()
    }

    /// Orders `units` euros of credit for `project`.
    pub async fn order(&self, project: &str, units: i64) -> CreditOrder {
        let order =
            CreditOrder { project: project.to_owned(), amount: Some(euros(units)), ..Default::default() };
        let request = CreateCreditOrderRequest {
            parent: self.account.clone(),
            credit_order: Some(order),
            ..Default::default()
        };
        self.caller.credit_orders().create_credit_order(request).await.expect("an order").into_inner()
    }

    /// Pays `order` with a registered method.
    pub async fn pay(&self, order: &str, method: &str) -> Result<PayCreditOrderResponse, Status> {
        let request = PayCreditOrderRequest {
            name: order.to_owned(),
            source: Some(Source::PaymentMethod(method.to_owned())),
            immediate_supply_consent: true,
            ..Default::default()
        };
        Ok(self.caller.credit_orders().pay_credit_order(request).await?.into_inner())
    }

    /// Redeems `code` in `project`.
    pub async fn redeem(&self, project: &str, code: &str) -> Result<Credit, Status> {
        let request =
            RedeemVoucherRequest { parent: project.to_owned(), code: code.to_owned(), ..Default::default() };
        Ok(self.caller.vouchers().redeem_voucher(request).await?.into_inner())
    }

    /// Adds a resource.
    pub async fn add(&self, project: &str, plan: &str, size: &str) -> Result<Resource, Status> {
        let resource = Resource {
            plan: plan.to_owned(),
            display_name: plan.trim_start_matches("plans/").to_owned(),
            size: Some(Decimal { value: size.to_owned() }),
            region: "gra".to_owned(),
            ..Resource::default()
        };
        let request =
            AddResourceRequest { parent: project.to_owned(), resource: Some(resource), ..Default::default() };
        Ok(self.caller.resources().add_resource(request).await?.into_inner())
    }

    /// Removes a resource.
    pub async fn remove(&self, name: &str) {
        let request = RemoveResourceRequest { name: name.to_owned(), ..Default::default() };
        self.caller.resources().remove_resource(request).await.expect("it is removed");
    }

    /// The credits of the account and its projects.
    pub async fn credits(&self) -> Vec<Credit> {
        let request = ListCreditsRequest { parent: self.account.clone(), ..Default::default() };
        self.caller.credits().list_credits(request).await.expect("credits").into_inner().credits
    }

    /// The invoices of the account of this kind.
    pub async fn invoices(&self, kind: invoice::Kind) -> Vec<Invoice> {
        let request = ListInvoicesRequest {
            parent: self.account.clone(),
            page_size: 1000,
            kinds: vec![kind.into()],
            ..Default::default()
        };
        self.caller.invoices().list_invoices(request).await.expect("invoices").into_inner().invoices
    }
}

/// Pays `order` through its payment link, as somebody without a session.
pub async fn pay_by_link(
    florin: &Florin,
    order: &CreditOrder,
    card: &str,
) -> Result<PayCreditOrderResponse, Status> {
    let token = order.payment_link.rsplit('/').next().unwrap_or_default().to_owned();
    let source = PaymentLinkSource { token, provider_token: card.to_owned() };
    let request = PayCreditOrderRequest {
        name: order.name.clone(),
        source: Some(Source::PaymentLink(source)),
        immediate_supply_consent: true,
        ..Default::default()
    };
    Ok(florin.anonymous.credit_orders().pay_credit_order(request).await?.into_inner())
}
