//! A server of one test's own, called over a real port by a real client.

use florin_api::{
    account::v1::{
        AcceptTermsRequest, Account, Address, ConfirmAccountRequest, CreateAccountRequest, LegalForm,
        ListTermsRequest, LoginRequest,
    },
    operation::v1::ListNoticesRequest,
    sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
};
use florin_platform::{db::Observer, wire};
use florin_server::{
    client::Caller,
    config::{Config, Flags},
    serve::{self, Running},
};
use florin_settlement::Instant;
use florin_testbed::TestDatabase;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The password of every customer in the tests.
pub const PASSWORD: &str = "correct horse battery staple";
/// Where the sandbox clock of every test begins.
pub const START: &str = "2027-03-01T08:00:00Z";

/// A running server on a database of its own.
#[derive(Debug)]
pub struct Florin {
    running: Option<Running>,
    database_url: String,
    /// Somebody who has not said who they are.
    pub anonymous: Caller,
    /// A service that may do everything.
    pub operator: Caller,
}

/// A customer who is signed in, whose account is ACTIVE and whose terms are accepted.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Calls with the customer's session.
    pub caller: Caller,
    /// `accounts/{account}`.
    pub account: String,
    /// What they log in with.
    pub email: String,
}

/// The settings of a server on `db`, at the tests' start of time.
#[must_use]
pub fn config(db: &TestDatabase) -> Config {
    let flags = Flags {
        database_url: Some(db.url().to_owned()),
        listen: Some("127.0.0.1:0".to_owned()),
        sandbox_clock_start: Some(START.to_owned()),
        log: Some("warn".to_owned()),
        ..Flags::default()
    };
    Config::load(&flags).expect("the settings of the tests are right")
}

impl Florin {
    /// Starts a server on `db`.
    pub async fn start(db: &TestDatabase) -> Self {
        Self::start_with(config(db)).await
    }

    /// Starts a server with these settings.
    pub async fn start_with(config: Config) -> Self {
        let database_url = config.database_url.clone();
        Self::met(serve::start(config).await.expect("the server starts"), database_url).await
    }

    /// Starts a server on `db`; `observer` is told of every statement.
    pub async fn start_observed(db: &TestDatabase, observer: Observer) -> Self {
        let running = serve::start_observed(config(db), observer).await.expect("the server starts");
        Self::met(running, db.url().to_owned()).await
    }

    async fn met(running: Running, database_url: String) -> Self {
        let server = format!("http://{}", running.address);
        let anonymous = Caller::connect(&server).await.expect("the server answers");
        let operator = anonymous.with_token(&running.sandbox_token);
        Self { running: Some(running), database_url, anonymous, operator }
    }

    /// Where the server listens.
    #[must_use]
    pub fn url(&self) -> String {
        let address = self.running.as_ref().expect("it was not stopped").address;
        format!("http://{address}")
    }

    /// The token that may do everything.
    #[must_use]
    pub fn token(&self) -> String {
        self.running.as_ref().expect("it was not stopped").sandbox_token.clone()
    }

    /// Stops the server, waits for its end, and sees that its books are in order (R14.3, R14.5).
    pub async fn stop(self) {
        let database_url = self.database_url.clone();
        self.stop_unaudited().await;
        let found = audit(&database_url).await;
        assert!(found.is_empty(), "the audit found differences:\n{}", found.join("\n"));
    }

    /// Stops the server and waits for its end, whatever state its books are in.
    pub async fn stop_unaudited(mut self) {
        let running = self.running.take().expect("it was not stopped");
        running.stop().await.expect("the server stops");
    }

    /// Moves the clock to `at`, as in `2027-03-04T09:40:00Z`.
    pub async fn advance_to(&self, at: &str) {
        let target = Some(Target::TargetTime(wire::timestamp(Instant::parse(at).expect("an instant"))));
        let request = AdvanceClockRequest { target, ..AdvanceClockRequest::default() };
        self.operator.clock().advance_clock(request).await.expect("the clock moves");
    }

    /// A French individual: confirmed, signed in, terms accepted.
    pub async fn customer(&self, name: &str) -> Customer {
        self.customer_as(new_account(name)).await
    }

    /// The customer of such an account: confirmed, signed in, terms accepted.
    pub async fn customer_as(&self, account: CreateAccountRequest) -> Customer {
        let customer = self.confirmed(account).await;
        let request = ListTermsRequest { parent: customer.account.clone(), ..Default::default() };
        let terms = customer.caller.accounts().list_terms(request).await.expect("terms").into_inner();
        let terms_documents = terms.terms_documents.into_iter().map(|document| document.name).collect();
        let request =
            AcceptTermsRequest { name: customer.account.clone(), terms_documents, ..Default::default() };
        customer.caller.accounts().accept_terms(request).await.expect("terms are accepted");
        customer
    }

    /// A French individual: confirmed and signed in, who has accepted nothing.
    pub async fn customer_without_terms(&self, name: &str) -> Customer {
        self.confirmed(new_account(name)).await
    }

    async fn confirmed(&self, account: CreateAccountRequest) -> Customer {
        let created = self.anonymous.accounts().create_account(account).await;
        let created = created.expect("the account is created").into_inner();
        let code = self.mailed_code(&created.name).await;
        let request = ConfirmAccountRequest { name: created.name.clone(), code, ..Default::default() };
        self.anonymous.accounts().confirm_account(request).await.expect("the code is right");
        let login = LoginRequest {
            login: created.email.clone(),
            password: PASSWORD.to_owned(),
            ..Default::default()
        };
        let session = self.anonymous.auth().login(login).await.expect("the login is right").into_inner();
        Customer {
            caller: self.anonymous.with_token(&session.token),
            account: created.name,
            email: created.email,
        }
    }

    /// The code in the newest confirmation notice of `account`.
    pub async fn mailed_code(&self, account: &str) -> String {
        let request = ListNoticesRequest {
            parent: account.to_owned(),
            kinds: vec!["account.confirmation".to_owned()],
            ..Default::default()
        };
        let notices = self.operator.notices().list_notices(request).await.expect("notices").into_inner();
        let body = &notices.notices.first().expect("a code was mailed").body;
        let words = body.split_whitespace().map(|word| word.trim_end_matches('.'));
        let code = words.into_iter().find(|word| word.len() == 9 && word.as_bytes()[4] == b'-');
        code.expect("the notice has a code").to_owned()
    }
}

/// What an audit of the database at `url` finds.
pub async fn audit(url: &str) -> Vec<String> {
    let db = florin_platform::db::Db::connect(url).await.expect("the database opens");
    let mut found = Vec::new();
    let audited = florin_server::audit::all(&db, &mut |finding| found.push(finding.to_string())).await;
    audited.expect("everything can be read");
    found
}

/// A request for the account of a French individual called `name`.
#[must_use]
pub fn new_account(name: &str) -> CreateAccountRequest {
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

/// The code and the machine-readable reason of a refusal; every refusal has exactly one `ErrorInfo` (R12.2).
#[must_use]
pub fn refusal(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo on {status:?}"));
    assert_eq!(info.domain, "florin", "on {status:?}");
    (status.code(), info.reason.clone())
}

/// The fields a refusal of bad input names.
#[must_use]
pub fn violated(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// A token of a service that has exactly `role`, registered straight in the database of `db`.
pub async fn service_token(db: &TestDatabase, role: florin_platform::call::Role) -> String {
    service_token_of(db, &format!("only-{}", role.as_str().to_lowercase()), &[role]).await
}

/// The token of the service `name`, which has `roles`.
pub async fn service_token_of(
    db: &TestDatabase,
    name: &str,
    roles: &[florin_platform::call::Role],
) -> String {
    let settings = config(db);
    let platform = florin_platform::Platform {
        db: florin_platform::db::Db::connect(&settings.database_url).await.expect("the database opens"),
        clock: settings.clock(),
        key: settings.server_key,
    };
    let platform = &platform;
    platform
        .db
        .write::<_, sea_orm::DbErr, _>(|tx| async move {
            let now = platform.clock.now(&tx).await?;
            florin_account::register_service_token(platform, &tx, now, name, roles).await
        })
        .await
        .expect("the token is registered")
}

/// The services reflection v1 tells of.
pub async fn reflected_v1(florin: &Florin) -> Vec<String> {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let mut client = ServerReflectionClient::new(florin.anonymous.channel());
    let stream = client.server_reflection_info(futures::stream::iter([request])).await.expect("reflection");
    let answer = stream.into_inner().message().await.expect("an answer").expect("an answer");
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            list.service.into_iter().map(|s| s.name).collect()
        }
        other => panic!("not a list of services: {other:?}"),
    }
}

/// The services reflection v1alpha tells of.
pub async fn reflected_v1alpha(florin: &Florin) -> Vec<String> {
    use tonic_reflection::pb::v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let mut client = ServerReflectionClient::new(florin.anonymous.channel());
    let stream = client.server_reflection_info(futures::stream::iter([request])).await.expect("reflection");
    let answer = stream.into_inner().message().await.expect("an answer").expect("an answer");
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            list.service.into_iter().map(|s| s.name).collect()
        }
        other => panic!("not a list of services: {other:?}"),
    }
}
