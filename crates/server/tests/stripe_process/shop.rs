//! Customers of a server outside a sandbox: what they do, over the wire, and do again after a restart.

use florin_api::{
    account::v1::{
        AcceptTermsRequest, Account, Address, ConfirmAccountRequest, CreateAccountRequest, LegalForm,
        ListTermsRequest, LoginRequest,
    },
    credit::v1::{
        CreateCreditOrderRequest, CreditOrder, PayCreditOrderRequest, PayCreditOrderResponse,
        PaymentLinkSource, pay_credit_order_request::Source,
    },
    money::Money,
    payment::v1::{
        CreatePaymentMethodRequest, GetPaymentMethodRequest, PaymentMethod, PaymentMethodKind, payment_method,
    },
    project::v1::{CreateProjectRequest, Project, create_project_request::Funding},
};
use florin_peer::{Peer, Signed};
use florin_server::client::Caller;
use florin_testbed::TestDatabase;
use sea_orm::DatabaseConnection;
use tonic::Status;

use crate::server::{SECRET_KEY, Server, WEBHOOK_SECRET, mailed_code, told};

const PASSWORD: &str = "correct horse battery staple";
/// A card that asks for 3-D Secure when it is registered.
const CARD: &str = "pm_card_authenticationRequired";

/// A server on a database of its own, and the provider it talks to.
pub(crate) struct Shop<'a> {
    pub(crate) db: &'a TestDatabase,
    pub(crate) peer: Peer,
    pub(crate) server: Server,
    anonymous: Caller,
}

/// Somebody who is signed in; the session outlives the server.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) account: String,
    token: String,
}

/// A customer with a VALID card and the project it funds.
#[derive(Clone, Debug)]
pub(crate) struct Buyer {
    pub(crate) customer: Customer,
    pub(crate) card: String,
    pub(crate) project: String,
}

impl<'a> Shop<'a> {
    pub(crate) async fn open(db: &'a TestDatabase) -> Self {
        let peer = Peer::start(SECRET_KEY, WEBHOOK_SECRET).await;
        told(db, &peer, &["seed"]);
        let server = Server::start(db, &peer);
        let anonymous = Caller::connect(server.url()).await.unwrap();
        Self { db, peer, server, anonymous }
    }

    /// The server is no more.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// Another server on the same database.
    pub(crate) async fn restart(&mut self) {
        self.server = Server::start(self.db, &self.peer);
        self.anonymous = Caller::connect(self.server.url()).await.unwrap();
    }

    /// The rows themselves.
    pub(crate) async fn reader(&self) -> DatabaseConnection {
        self.db.connect().await
    }

    /// Calls the server there is now in the name of `customer`.
    pub(crate) fn caller(&self, customer: &Customer) -> Caller {
        customer.calling(&self.anonymous)
    }

    /// Calls the server there is now, and says nothing of who it is.
    pub(crate) fn anonymous(&self) -> Caller {
        self.anonymous.clone()
    }

    /// A customer who bought nothing yet.
    pub(crate) async fn customer(&self, name: &str) -> Customer {
        let anonymous = &self.anonymous;
        let account = anonymous.accounts().create_account(new_account(name)).await.unwrap().into_inner();
        let code = mailed_code(self.db, &account.name).await;
        let request = ConfirmAccountRequest { name: account.name.clone(), code, ..Default::default() };
        anonymous.accounts().confirm_account(request).await.unwrap();
        let login = LoginRequest {
            login: account.email.clone(),
            password: PASSWORD.to_owned(),
            ..Default::default()
        };
        let session = anonymous.auth().login(login).await.unwrap().into_inner();
        let caller = anonymous.with_token(&session.token);
        let request = ListTermsRequest { parent: account.name.clone(), ..Default::default() };
        let terms = caller.accounts().list_terms(request).await.unwrap().into_inner().terms_documents;
        let request = AcceptTermsRequest {
            name: account.name.clone(),
            terms_documents: terms.into_iter().map(|document| document.name).collect(),
            ..Default::default()
        };
        caller.accounts().accept_terms(request).await.unwrap();
        Customer { account: account.name, token: session.token }
    }

    pub(crate) async fn card(&self, customer: &Customer, provider_token: &str) -> PaymentMethod {
        let request = CreatePaymentMethodRequest {
            parent: customer.account.clone(),
            payment_method: Some(PaymentMethod {
                kind: PaymentMethodKind::Card.into(),
                ..Default::default()
            }),
            provider_token: provider_token.to_owned(),
            ..Default::default()
        };
        self.caller(customer).payment_methods().create_payment_method(request).await.unwrap().into_inner()
    }

    pub(crate) async fn method(&self, customer: &Customer, name: &str) -> payment_method::State {
        let request = GetPaymentMethodRequest { name: name.to_owned() };
        self.caller(customer)
            .payment_methods()
            .get_payment_method(request)
            .await
            .unwrap()
            .into_inner()
            .state()
    }

    /// What the peer calls the registration of the method called `name`.
    pub(crate) fn setup_of(&self, name: &str) -> String {
        self.peer.intent_with("florin_method", last(name)).unwrap()
    }

    /// What the peer calls the charge of the payment called `name`.
    pub(crate) fn charge_of(&self, name: &str) -> String {
        self.peer.intent_with("florin_payment", last(name)).unwrap()
    }

    /// Somebody with a card that passed 3-D Secure, told of by a notice, and a project it funds.
    pub(crate) async fn buyer(&self, name: &str) -> Buyer {
        let customer = self.customer(name).await;
        let card = self.card(&customer, CARD).await;
        assert_eq!(card.state(), payment_method::State::Validating, "{card:?}");
        assert!(card.action_url.starts_with(self.peer.url()), "{}", card.action_url);
        self.peer.approve(&self.setup_of(&card.name));
        self.deliver().await;
        assert_eq!(self.method(&customer, &card.name).await, payment_method::State::Valid);
        let request = CreateProjectRequest {
            parent: customer.account.clone(),
            project: Some(Project { display_name: "A project".to_owned(), ..Project::default() }),
            funding: Some(Funding::PaymentMethod(card.name.clone())),
            ..Default::default()
        };
        let project = self.caller(&customer).projects().create_project(request).await.unwrap().into_inner();
        Buyer { customer, card: card.name, project: project.name }
    }

    /// An order of 30.00, which is 36.00 with VAT.
    pub(crate) async fn order(&self, buyer: &Buyer) -> CreditOrder {
        let request = buyer.ordering("");
        let caller = self.caller(&buyer.customer);
        caller.credit_orders().create_credit_order(request).await.unwrap().into_inner()
    }

    /// Delivers every event there is; all are taken.
    pub(crate) async fn deliver(&self) -> Vec<Signed> {
        let events = self.peer.take_events();
        for event in &events {
            assert_eq!(self.server.push(event).await, 200, "{}", event.body);
        }
        events
    }
}

impl Customer {
    /// Calls whoever `anonymous` calls, and says who it is.
    pub(crate) fn calling(&self, anonymous: &Caller) -> Caller {
        anonymous.with_token(&self.token)
    }
}

impl Buyer {
    /// The order of 30.00 this request id stands for.
    pub(crate) fn ordering(&self, request_id: &str) -> CreateCreditOrderRequest {
        let amount = Some(Money { currency_code: "EUR".to_owned(), units: 30, nanos: 0 });
        CreateCreditOrderRequest {
            parent: self.customer.account.clone(),
            credit_order: Some(CreditOrder { project: self.project.clone(), amount, ..Default::default() }),
            request_id: request_id.to_owned(),
            ..Default::default()
        }
    }

    /// Paying `order` with the card; the order is what the request is called by.
    pub(crate) fn paying(&self, order: &CreditOrder) -> PayCreditOrderRequest {
        paying(order, Source::PaymentMethod(self.card.clone()))
    }
}

/// Paying `order` at its link, with what stands for a card.
pub(crate) fn paying_by_link(order: &CreditOrder, card: &str) -> PayCreditOrderRequest {
    let token = last(&order.payment_link).to_owned();
    paying(order, Source::PaymentLink(PaymentLinkSource { token, provider_token: card.to_owned() }))
}

fn paying(order: &CreditOrder, source: Source) -> PayCreditOrderRequest {
    PayCreditOrderRequest {
        name: order.name.clone(),
        source: Some(source),
        immediate_supply_consent: true,
        request_id: format!("pay-{}", order.number),
        ..Default::default()
    }
}

/// Pays, as `caller`.
pub(crate) async fn pay(
    caller: Caller,
    request: PayCreditOrderRequest,
) -> Result<PayCreditOrderResponse, Status> {
    Ok(caller.credit_orders().pay_credit_order(request).await?.into_inner())
}

/// What comes after the last slash of a name or a link.
pub(crate) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

fn new_account(name: &str) -> CreateAccountRequest {
    let account = Account {
        email: format!("{name}@example.com"),
        country: "FR".to_owned(),
        legal_form: LegalForm::Individual.into(),
        given_name: name.to_owned(),
        family_name: "Test".to_owned(),
        address: Some(Address {
            street: "1 rue de la Paix".to_owned(),
            postal_code: "75002".to_owned(),
            city: "Paris".to_owned(),
            region: String::new(),
        }),
        language: "en".to_owned(),
        ..Account::default()
    };
    CreateAccountRequest { account: Some(account), password: PASSWORD.to_owned(), request_id: String::new() }
}
