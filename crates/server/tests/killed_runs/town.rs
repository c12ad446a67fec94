//! Who is billed: accounts with several projects each, who fund and pay in different ways.

use florin_api::{
    account::v1::{
        AcceptTermsRequest, Account, Address, ConfirmAccountRequest, CreateAccountRequest, LegalForm,
        ListTermsRequest, LoginRequest,
    },
    credit::v1::GrantLaunchPadRequest,
    money::{Decimal, Money},
    operation::v1::ListNoticesRequest,
    payment::v1::{CreatePaymentMethodRequest, PaymentMethod, PaymentMethodKind},
    project::v1::{
        AddResourceRequest, CreateProjectRequest, Project, Resource, SetProjectLimitRequest,
        create_project_request::Funding,
    },
    sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
};
use florin_platform::wire;
use florin_server::client::Caller;
use florin_settlement::Instant;
use florin_testbed::TestDatabase;

use crate::server::Server;

const PASSWORD: &str = "correct horse battery staple";
/// The projects of an account. Who is declined has as many as there are declines in a day, and no more (R3.6).
const PROJECTS: u64 = 8;
const PROJECTS_DECLINED: u64 = 3;
/// The last instant before March is settled.
const END_OF_MARCH: &str = "2027-04-01T05:00:00Z";
/// So many accounts are made at once.
const AT_ONCE: usize = 8;

/// How an account funds and pays.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A card that pays.
    Card,
    /// A card that is declined when it is charged: a debt.
    Declined,
    /// A card whose first answer is lost.
    Late,
    /// A grant that pays a part, shared by the projects in their order, and a card that pays the rest.
    Granted,
    /// A grant that pays everything, and nothing else.
    GrantedAll,
    /// A grant that pays a part, and nobody who pays the rest: a debt.
    GrantedShort,
}

const WAYS: [Way; 6] =
    [Way::Card, Way::Declined, Way::Late, Way::Granted, Way::GrantedAll, Way::GrantedShort];

impl Way {
    fn card(self) -> Option<&'static str> {
        match self {
            Self::Card | Self::Granted => Some("card-frictionless"),
            Self::Declined => Some("card-declined-soft"),
            Self::Late => Some("card-timeout-approved"),
            Self::GrantedAll | Self::GrantedShort => None,
        }
    }

    /// What is granted, in euros.
    fn grant(self) -> Option<i64> {
        match self {
            Self::Card | Self::Declined | Self::Late => None,
            Self::Granted | Self::GrantedShort => Some(50),
            Self::GrantedAll => Some(900),
        }
    }

    fn projects(self) -> u64 {
        match self {
            Self::Declined => PROJECTS_DECLINED,
            Self::Card | Self::Late | Self::Granted | Self::GrantedAll | Self::GrantedShort => PROJECTS,
        }
    }
}

/// The accounts to bill; the database has them, and no server runs.
pub(crate) struct Town {
    pub(crate) accounts: Vec<String>,
    projects: u64,
}

impl Town {
    /// Builds it in `db`, with so many accounts, and lets March pass.
    pub(crate) async fn built(db: &TestDatabase, accounts: u64) -> Self {
        let server = Server::start(db);
        let (anonymous, operator) = (server.anonymous().await, server.operator().await);
        let ways: Vec<Way> = WAYS.into_iter().cycle().take(usize::try_from(accounts).unwrap()).collect();
        let mut accounts = Vec::new();
        for (group, ways) in ways.chunks(AT_ONCE).enumerate() {
            let settling = ways
                .iter()
                .enumerate()
                .map(|(number, way)| settle_in(&anonymous, &operator, group * AT_ONCE + number, *way));
            accounts.extend(futures::future::join_all(settling).await);
        }
        let target = Some(Target::TargetTime(wire::timestamp(Instant::parse(END_OF_MARCH).unwrap())));
        let request = AdvanceClockRequest { target, ..Default::default() };
        operator.clock().advance_clock(request).await.unwrap();
        Self { accounts, projects: ways.iter().map(|way| way.projects()).sum() }
    }

    /// How many projects there are to bill.
    pub(crate) fn projects(&self) -> u64 {
        self.projects
    }
}

/// One account, with its projects; every fourth runs nothing.
async fn settle_in(anonymous: &Caller, operator: &Caller, number: usize, way: Way) -> String {
    let (caller, account) = sign_up(anonymous, operator, number).await;
    if let Some(euros) = way.grant() {
        let request = GrantLaunchPadRequest {
            parent: account.clone(),
            amount: Some(Money { currency_code: "EUR".to_owned(), units: euros, nanos: 0 }),
            reason: "a start".to_owned(),
            ..Default::default()
        };
        operator.grants().grant_launch_pad(request).await.unwrap();
    }
    let mut funding = None;
    if let Some(token) = way.card() {
        let request = CreatePaymentMethodRequest {
            parent: account.clone(),
            payment_method: Some(PaymentMethod {
                kind: PaymentMethodKind::Card.into(),
                ..Default::default()
            }),
            provider_token: token.to_owned(),
            ..Default::default()
        };
        let card = caller.payment_methods().create_payment_method(request).await.unwrap().into_inner();
        funding = Some(Funding::PaymentMethod(card.name));
    }
    let limit = i32::try_from(way.projects()).unwrap();
    let request = SetProjectLimitRequest { account: account.clone(), limit, ..Default::default() };
    operator.projects().set_project_limit(request).await.unwrap();
    for number in 0..way.projects() {
        let request = CreateProjectRequest {
            parent: account.clone(),
            project: Some(Project { display_name: format!("Project {number}"), ..Project::default() }),
            funding: funding.take(),
            ..Default::default()
        };
        let project = caller.projects().create_project(request).await.unwrap().into_inner();
        if number % 4 != 3 {
            run_something(&caller, &project.name).await;
        }
    }
    account
}

async fn run_something(caller: &Caller, project: &str) {
    let resource = Resource {
        plan: "plans/b3-8".to_owned(),
        display_name: "b3-8".to_owned(),
        size: Some(Decimal { value: "1".to_owned() }),
        region: "gra".to_owned(),
        ..Resource::default()
    };
    let request =
        AddResourceRequest { parent: project.to_owned(), resource: Some(resource), ..Default::default() };
    caller.resources().add_resource(request).await.unwrap();
}

/// Creates an account, confirms it with the mailed code, signs in and accepts the terms.
async fn sign_up(anonymous: &Caller, operator: &Caller, number: usize) -> (Caller, String) {
    let email = format!("customer{number}@example.com");
    let account = Account {
        email: email.clone(),
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
    };
    let request =
        CreateAccountRequest { account: Some(account), password: PASSWORD.to_owned(), ..Default::default() };
    let account = anonymous.accounts().create_account(request).await.unwrap().into_inner().name;
    let request = ListNoticesRequest { parent: account.clone(), ..Default::default() };
    let notices = operator.notices().list_notices(request).await.unwrap().into_inner().notices;
    let words = notices[0].body.split_whitespace().map(|word| word.trim_end_matches('.'));
    let code = words.into_iter().find(|word| word.len() == 9 && word.as_bytes()[4] == b'-').unwrap();
    let request =
        ConfirmAccountRequest { name: account.clone(), code: code.to_owned(), ..Default::default() };
    anonymous.accounts().confirm_account(request).await.unwrap();
    let request = LoginRequest { login: email, password: PASSWORD.to_owned(), ..Default::default() };
    let session = anonymous.auth().login(request).await.unwrap().into_inner();
    let caller = anonymous.with_token(&session.token);
    let request = ListTermsRequest { parent: account.clone(), ..Default::default() };
    let terms = caller.accounts().list_terms(request).await.unwrap().into_inner().terms_documents;
    let request = AcceptTermsRequest {
        name: account.clone(),
        terms_documents: terms.into_iter().map(|document| document.name).collect(),
        ..Default::default()
    };
    caller.accounts().accept_terms(request).await.unwrap();
    (caller, account)
}
