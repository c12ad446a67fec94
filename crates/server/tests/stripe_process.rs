//! The `florin` program with real money, as far as our peer is real: outside a sandbox, with Stripe.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use florin_api::{
    account::v1::{
        AcceptTermsRequest, Account, Address, ConfirmAccountRequest, CreateAccountRequest, GetAccountRequest,
        LegalForm, ListTermsRequest, LoginRequest,
    },
    credit::v1::{
        CreateCreditOrderRequest, CreditOrder, GetCreditOrderRequest, ListCreditsRequest,
        PayCreditOrderRequest, credit_order, pay_credit_order_request::Source,
    },
    money::Money,
    payment::v1::{
        CreatePaymentMethodRequest, GetPaymentMethodRequest, PaymentMethod, PaymentMethodKind, payment,
        payment_method,
    },
    project::v1::{CreateProjectRequest, Project, create_project_request::Funding},
    sandbox::v1::GetClockRequest,
};
use florin_peer::{Fault, Peer, Signed};
use florin_platform::{db::sql, secret::ServerKey};
use florin_server::client::Caller;
use florin_testbed::{TestDatabase, on_both_backends};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::bytes::Bytes;
use sea_orm::ConnectionTrait;

const FLORIN: &str = env!("CARGO_BIN_EXE_florin");
const SECRET_KEY: &str = "sk_test_peer";
const WEBHOOK_SECRET: &str = "whsec_peer";
const SERVER_KEY: &str = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlIG9uZXM=";
const PASSWORD: &str = "correct horse battery staple";

/// A server process that talks to a peer; killed if a test forgets it.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn florin(db: &TestDatabase, peer: &Peer, command: &[&str]) -> Command {
    let mut florin = Command::new(FLORIN);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLORIN_")) {
        florin.env_remove(name);
    }
    florin
        .args(command)
        .args(["--database-url", db.url(), "--listen", "127.0.0.1:0", "--log", "warn", "--sandbox", "false"])
        .env("FLORIN_SERVER_KEY", SERVER_KEY)
        .env("FLORIN_PUBLIC_URL", "https://pay.example.com")
        .env("FLORIN_PAYMENT_PROVIDER", "stripe")
        .env("FLORIN_STRIPE_URL", peer.url())
        .env("FLORIN_STRIPE_SECRET_KEY", SECRET_KEY)
        .env("FLORIN_STRIPE_PUBLISHABLE_KEY", "pk_test_peer")
        .env("FLORIN_STRIPE_WEBHOOK_SECRETS", format!("whsec_next,{WEBHOOK_SECRET}"));
    florin
}

fn told(db: &TestDatabase, peer: &Peer, command: &[&str]) -> String {
    let output = florin(db, peer, command).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Server {
    fn start(db: &TestDatabase, peer: &Peer) -> Self {
        let mut child = florin(db, peer, &["serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address =
            lines.filter_map(|line| line.strip_prefix("florin listens on ").map(str::to_owned)).next();
        Self { child, url: format!("http://{}", address.expect("the server says where it is")) }
    }

    async fn push(&self, event: &Signed) -> u16 {
        let request = Request::post(format!("{}/webhooks/stripe", self.url))
            .header("content-type", "application/json")
            .header("stripe-signature", &event.signature)
            .body(Full::new(Bytes::from(event.body.clone())))
            .unwrap();
        Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap().status().as_u16()
    }

    async fn page(&self, path: &str) -> (u16, String, String) {
        let request = Request::get(format!("{}{path}", self.url)).body(Full::new(Bytes::new())).unwrap();
        let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let policy =
            response.headers().get("content-security-policy").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, policy.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }
}

/// The code that was mailed last: it is told to nobody, and derived again from the server's key.
async fn mailed_code(db: &TestDatabase) -> String {
    let reader = sea_orm::Database::connect(db.url()).await.unwrap();
    let text = "SELECT secret_purpose FROM notice WHERE kind = 'account.confirmation'";
    let row = reader.query_one_raw(sql(&reader, text, [])).await.unwrap().unwrap();
    let purpose: String = row.try_get_by_index(0).unwrap();
    let key = data_encoding::BASE64.decode(SERVER_KEY.as_bytes()).unwrap();
    ServerKey::try_new(key).unwrap().reveal(&purpose)
}

/// A customer who bought nothing yet, on a server outside a sandbox.
struct Shop {
    server: Server,
    peer: Peer,
    caller: Caller,
    account: String,
}

impl Shop {
    async fn open(db: &TestDatabase) -> Self {
        let peer = Peer::start(SECRET_KEY, WEBHOOK_SECRET).await;
        told(db, &peer, &["seed"]);
        let token = told(db, &peer, &["token", "desk", "--role", "OPERATOR"]);
        let server = Server::start(db, &peer);
        let anonymous = Caller::connect(&server.url).await.unwrap();
        let request = CreateAccountRequest {
            account: Some(Account {
                email: "ada@example.com".to_owned(),
                country: "FR".to_owned(),
                legal_form: LegalForm::Individual.into(),
                given_name: "Ada".to_owned(),
                family_name: "Test".to_owned(),
                address: Some(Address {
                    street: "1 rue de la Paix".to_owned(),
                    postal_code: "75002".to_owned(),
                    city: "Paris".to_owned(),
                    region: String::new(),
                }),
                language: "en".to_owned(),
                ..Account::default()
            }),
            password: PASSWORD.to_owned(),
            request_id: String::new(),
        };
        let account = anonymous.accounts().create_account(request).await.unwrap().into_inner();
        let get = GetAccountRequest { name: account.name.clone() };
        anonymous.with_token(&token).accounts().get_account(get).await.unwrap();
        let code = mailed_code(db).await;
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
        Self { server, peer, caller, account: account.name }
    }

    async fn card(&self, provider_token: &str) -> PaymentMethod {
        let request = CreatePaymentMethodRequest {
            parent: self.account.clone(),
            payment_method: Some(PaymentMethod {
                kind: PaymentMethodKind::Card.into(),
                ..Default::default()
            }),
            provider_token: provider_token.to_owned(),
            ..Default::default()
        };
        self.caller.payment_methods().create_payment_method(request).await.unwrap().into_inner()
    }

    async fn method(&self, name: &str) -> payment_method::State {
        let request = GetPaymentMethodRequest { name: name.to_owned() };
        self.caller.payment_methods().get_payment_method(request).await.unwrap().into_inner().state()
    }

    /// A card that passed 3-D Secure, told of by a notice, and a project it funds.
    async fn card_and_project(&self) -> (String, String) {
        let card = self.card("pm_card_authenticationRequired").await;
        assert_eq!(card.state(), payment_method::State::Validating, "{card:?}");
        assert!(card.action_url.starts_with(self.peer.url()), "{}", card.action_url);
        self.peer
            .approve(&self.peer.intent_with("florin_method", card.name.rsplit('/').next().unwrap()).unwrap());
        self.deliver().await;
        assert_eq!(self.method(&card.name).await, payment_method::State::Valid);
        let request = CreateProjectRequest {
            parent: self.account.clone(),
            project: Some(Project { display_name: "A project".to_owned(), ..Project::default() }),
            funding: Some(Funding::PaymentMethod(card.name.clone())),
            ..Default::default()
        };
        let project = self.caller.projects().create_project(request).await.unwrap().into_inner();
        (card.name, project.name)
    }

    async fn order(&self, project: &str) -> CreditOrder {
        let amount = Some(Money { currency_code: "EUR".to_owned(), units: 30, nanos: 0 });
        let request = CreateCreditOrderRequest {
            parent: self.account.clone(),
            credit_order: Some(CreditOrder { project: project.to_owned(), amount, ..Default::default() }),
            ..Default::default()
        };
        self.caller.credit_orders().create_credit_order(request).await.unwrap().into_inner()
    }

    async fn pay(&self, order: &CreditOrder, method: &str) -> (payment::State, String) {
        let request = PayCreditOrderRequest {
            name: order.name.clone(),
            source: Some(Source::PaymentMethod(method.to_owned())),
            immediate_supply_consent: true,
            ..Default::default()
        };
        let paid = self.caller.credit_orders().pay_credit_order(request).await.unwrap().into_inner();
        let payment = paid.payment.unwrap();
        (payment.state(), payment.name.rsplit('/').next().unwrap().to_owned())
    }

    async fn stands(&self, order: &CreditOrder) -> (credit_order::State, usize) {
        let request = GetCreditOrderRequest { name: order.name.clone() };
        let order = self.caller.credit_orders().get_credit_order(request).await.unwrap().into_inner();
        let request = ListCreditsRequest { parent: self.account.clone(), ..Default::default() };
        let credits = self.caller.credits().list_credits(request).await.unwrap().into_inner().credits;
        (order.state(), credits.len())
    }

    /// Delivers every event there is; all are taken.
    async fn deliver(&self) -> Vec<Signed> {
        let events = self.peer.take_events();
        for event in &events {
            assert_eq!(self.server.push(event).await, 200, "{}", event.body);
        }
        events
    }
}

on_both_backends! {
    async fn a_card_is_registered_and_credit_bought_once_however_often_it_is_told(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let (card, project) = shop.card_and_project().await;
        let order = shop.order(&project).await;
        shop.peer.next(Fault::LoseAnswer);
        let (state, payment) = shop.pay(&order, &card).await;
        assert_eq!(state, payment::State::Processing, "the answer was lost");
        assert_eq!(shop.stands(&order).await, (credit_order::State::Processing, 0));
        let events = shop.deliver().await;
        assert_eq!(shop.stands(&order).await, (credit_order::State::Paid, 1));
        let again = events.iter().rev().chain(&events).map(|event| shop.server.push(event));
        for status in futures::future::join_all(again).await {
            assert_eq!(status, 200);
        }
        assert_eq!(shop.stands(&order).await, (credit_order::State::Paid, 1));
        let moved = shop.peer.moved("florin_payment", &payment);
        assert_eq!((moved.charges, moved.captured, moved.refunded), (1, 3600, 0));
    }

    async fn notices_that_are_forged_late_or_too_large_have_no_effect(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let card = shop.card("pm_card_authenticationRequired").await;
        shop.peer.approve(&shop.peer.intent_with("florin_method", card.name.rsplit('/').next().unwrap()).unwrap());
        let events = shop.peer.take_events();
        let event = events.last().unwrap();
        let old = 1_700_000_000;
        let stale = Signed { signature: florin_peer::signature(WEBHOOK_SECRET, old, &event.body), ..event.clone() };
        let forged = Signed { signature: florin_peer::signature("whsec_guess", old, &event.body), ..event.clone() };
        let changed = Signed { body: event.body.replace("succeeded", "succeedeD"), ..event.clone() };
        let unsigned = Signed { signature: String::new(), ..event.clone() };
        for refused in [stale, forged, changed, unsigned] {
            assert_eq!(shop.server.push(&refused).await, 400, "{refused:?}");
        }
        let large = shop.peer.sign(&"x".repeat(600_000));
        assert_eq!(shop.server.push(&large).await, 413);
        assert_eq!(shop.method(&card.name).await, payment_method::State::Validating);
        assert_eq!(shop.server.push(event).await, 200);
        assert_eq!(shop.method(&card.name).await, payment_method::State::Valid);
    }

    async fn outside_a_sandbox_nobody_plays(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let clock = shop.caller.clock().get_clock(GetClockRequest::default()).await.unwrap_err();
        assert_eq!(clock.code(), tonic::Code::Unimplemented, "{clock:?}");
        let (card, project) = shop.card_and_project().await;
        let order = shop.order(&project).await;
        let link = order.payment_link.strip_prefix("https://pay.example.com").unwrap();
        let (status, policy, body) = shop.server.page(link).await;
        assert_eq!(status, 200, "{body}");
        assert!(policy.contains("script-src 'self' https://js.stripe.com;"), "{policy}");
        assert!(body.contains("data-key=\"pk_test_peer\"") && body.contains("36.00 EUR"), "{body}");
        assert!(!body.contains(SECRET_KEY) && !body.contains("pm_card"), "{body}");
        assert_eq!(shop.server.page(&format!("/sandbox/{card}")).await.0, 404);
        assert_eq!(shop.server.page("/pay/return").await.0, 200);
        assert_eq!(shop.server.page("/pages/card.js").await.0, 200);
    }
}

#[tokio::test]
async fn without_keys_the_server_does_not_start_and_says_what_is_missing() {
    let db = TestDatabase::create(florin_testbed::Backend::Sqlite).await;
    let peer = Peer::start(SECRET_KEY, WEBHOOK_SECRET).await;
    let mut command = florin(&db, &peer, &["serve"]);
    for setting in ["SECRET_KEY", "PUBLISHABLE_KEY", "WEBHOOK_SECRETS"] {
        command.env_remove(format!("FLORIN_STRIPE_{setting}"));
    }
    let output = command.env("FLORIN_PUBLIC_URL", "nowhere").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for field in ["stripe_secret_key", "stripe_publishable_key", "stripe_webhook_secrets", "public_url"] {
        assert!(said.contains(&format!("  {field}: ")), "{field} is missing in {said}");
    }
}
