//! What every test begins with: a sandbox with issuers, a catalogue, and an account that may create projects.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use florin_account::{AccountRpc, seed::Seed};
use florin_api::{
    account::v1::{
        Account, Address, CreateAccountRequest, LegalForm, account_service_server::AccountService,
    },
    project::v1::{
        AddResourceRequest, CreateProjectRequest, InitialCredit, Project, Resource,
        create_project_request::Funding, project_service_server::ProjectService,
        resource_service_server::ResourceService,
    },
};
use florin_credit::PaymentLinks;
use florin_platform::{
    Platform,
    call::{Call, Principal, Role},
    clock::Clock,
    db::{Db, Reader, sql},
    id::{AccountId, Id},
    secret::ServerKey,
};
use florin_project::{
    Acceptance, BillableProject, CatalogRpc, DebtStanding, ForecastPayment, IntakeLimits, InvoiceForecast,
    PortError, ProjectId, ProjectRpc, RatedLine, Receivables, ResourceRpc, Standings, UsageIntake, UsageRpc,
};
use florin_settlement::{Currency, Instant, Money, Month};
use florin_testbed::{Books, TestDatabase};
use sea_orm::{ConnectionTrait, DbErr, Value};
use tonic::{Request, Status};

use crate::books::books;

pub(crate) const ISSUERS: &str = include_str!("../../../server/seed/issuers.yaml");
pub(crate) const CATALOGUE: &str = include_str!("../../../server/seed/catalogue.yaml");

/// Says who owes, as told.
#[derive(Debug, Default)]
pub(crate) struct Debts(AtomicBool);

#[async_trait::async_trait]
impl DebtStanding for Debts {
    async fn has_debt(&self, _: Reader<'_>, _: AccountId) -> Result<bool, PortError> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

/// Says that the present month is invoiced next, and that money pays it all.
#[derive(Debug)]
struct NothingInvoiced;

#[async_trait::async_trait]
impl InvoiceForecast for NothingInvoiced {
    async fn next_month(&self, _: Reader<'_>, now: Instant, _: &BillableProject) -> Result<Month, PortError> {
        Ok(Month::of(now))
    }

    async fn payment(
        &self,
        _: Reader<'_>,
        month: Month,
        projects: Vec<(BillableProject, Vec<RatedLine>)>,
        wanted: ProjectId,
    ) -> Result<ForecastPayment, PortError> {
        let lines =
            projects.iter().filter(|(project, _)| project.project == wanted).flat_map(|(_, lines)| lines);
        let remainder = Money::sum(lines.map(|line| line.net), Currency::EUR)?;
        Ok(ForecastPayment { settlement: month.end(), debits: Vec::new(), remainder })
    }
}

#[async_trait::async_trait]
impl Receivables for Debts {
    async fn in_debt(&self, _: Reader<'_>, accounts: &[AccountId]) -> Result<HashSet<AccountId>, PortError> {
        let owes = self.0.load(Ordering::SeqCst);
        Ok(accounts.iter().copied().filter(|_| owes).collect())
    }

    async fn billed_until(
        &self,
        _: Reader<'_>,
        _: &[(AccountId, ProjectId)],
    ) -> Result<HashMap<(AccountId, ProjectId), Instant>, PortError> {
        Ok(HashMap::new())
    }
}

/// A sandbox.
pub(crate) struct House {
    pub(crate) platform: Platform,
    pub(crate) standings: Standings,
    debts: Arc<Debts>,
    _books: Books,
    _database: TestDatabase,
}

pub(crate) fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

impl House {
    /// A sandbox that begins on 2027-03-01 at 08:00.
    pub(crate) async fn open(database: TestDatabase) -> Self {
        let debts: Arc<Debts> = Arc::default();
        let standings = Standings::new(Clock::Sandbox, debts.clone());
        let db = Db::connect(database.url()).await.expect("the database opens");
        let db = db.keeping(Arc::new(standings.clone()));
        let key = ServerKey::try_new(vec![7; 32]).expect("long enough");
        let platform = Platform { db, clock: Clock::Sandbox, key };
        let seed = &Seed::parse(ISSUERS).expect("a sound file");
        platform
            .db
            .write(|tx| async move {
                Clock::begin_sandbox(&tx, Some(at("2027-03-01T08:00:00Z"))).await?;
                seed.load(&tx).await?;
                let imported =
                    florin_project::catalogue::import(&tx, at("2027-03-01T08:00:00Z"), CATALOGUE).await;
                imported.map(|_| ()).map_err(|error| DbErr::Custom(format!("{error:?}")))
            })
            .await
            .expect("the seeds load");
        let _books = books(database.url());
        Self { platform, standings, debts, _books, _database: database }
    }

    pub(crate) fn projects(&self) -> ProjectRpc {
        let links = PaymentLinks::new(&self.platform.key, "https://pay.example.com");
        ProjectRpc::new(self.platform.clone(), self.debts.clone(), links)
    }

    pub(crate) fn resources(&self) -> ResourceRpc {
        ResourceRpc::new(self.platform.clone(), self.standings.clone())
    }

    pub(crate) fn catalog(&self) -> CatalogRpc {
        CatalogRpc::new(self.platform.clone())
    }

    pub(crate) fn usage(&self) -> UsageRpc {
        let intake = UsageIntake::new(&self.platform, Acceptance::default(), IntakeLimits::default());
        UsageRpc::new(self.platform.clone(), intake, Arc::new(NothingInvoiced))
    }

    pub(crate) fn owes(&self, owes: bool) {
        self.debts.0.store(owes, Ordering::SeqCst);
    }

    /// Moves the clock to `text`.
    pub(crate) async fn now_is(&self, text: &str) {
        let clock = self.platform.clock;
        let moved = self.platform.db.write(|tx| async move { clock.move_to(&tx, at(text)).await }).await;
        assert_eq!(moved.expect("the clock moves"), florin_platform::clock::Moved::Done);
    }

    /// Changes rows behind the slices' backs.
    pub(crate) async fn execute(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, DbErr> {
        let connection = self.platform.db.migrator();
        connection.execute_raw(sql(connection, text, values)).await.map(|done| done.rows_affected())
    }

    /// How many rows `table` has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let connection = self.platform.db.reader();
        let text = format!("SELECT CAST(COUNT(*) AS bigint) FROM {table}");
        let row =
            connection.query_one_raw(sql(connection, &text, [])).await.expect("counted").expect("a row");
        row.try_get_by_index(0).expect("a number")
    }

    /// An ACTIVE account in `country` that has accepted the terms.
    pub(crate) async fn account(&self, country: &str, email: &str) -> AccountId {
        let id = self.account_without_terms(country, email).await;
        let accept = "INSERT INTO terms_acceptance (account_id, issuer, version, accepted_by, accepted_at) \
                      SELECT a.account_id, d.issuer, d.version, 'test', a.created_at FROM account a \
                      JOIN terms_document d ON d.issuer = a.issuer WHERE a.account_id = $1";
        self.execute(accept, [id.into()]).await.expect("accepted");
        id
    }

    /// An ACTIVE account in `country` that has accepted nothing yet.
    pub(crate) async fn account_without_terms(&self, country: &str, email: &str) -> AccountId {
        let account = Account {
            email: email.to_owned(),
            country: country.to_owned(),
            legal_form: LegalForm::Individual.into(),
            given_name: "Ada".to_owned(),
            family_name: "Lovelace".to_owned(),
            address: Some(Address {
                street: "1 rue de la Paix".to_owned(),
                postal_code: "75002".to_owned(),
                city: "Paris".to_owned(),
                region: String::new(),
            }),
            language: "en".to_owned(),
            ..Account::default()
        };
        let request = CreateAccountRequest {
            account: Some(account),
            password: "correct horse battery".to_owned(),
            ..CreateAccountRequest::default()
        };
        let created = AccountRpc::new(self.platform.clone()).create_account(Request::new(request)).await;
        let name = created.expect("an account").into_inner().name;
        let id = florin_platform::wire::parse_account(&name).expect("a name");
        self.execute("UPDATE account SET state = 'ACTIVE' WHERE account_id = $1", [id.into()])
            .await
            .expect("active");
        id
    }

    /// An account with one ACTIVE project.
    pub(crate) async fn funded(&self, email: &str) -> (AccountId, Project) {
        let account = self.account("FR", email).await;
        let project = self.create(account, "First", initial_credit()).await.expect("a project");
        let id = project_id(&project);
        self.activate(account, id).await;
        (account, project)
    }

    /// Tells the slice that a project's funding succeeded.
    pub(crate) async fn activate(&self, account: AccountId, project: ProjectId) {
        let platform = &self.platform;
        let call = &Call::by_job("test");
        platform
            .db
            .write(|tx| async move {
                florin_account::lock(&tx, &[account]).await?;
                let now = platform.clock.now(&tx).await?;
                florin_project::activate(&tx, now, call, account, project).await
            })
            .await
            .expect("activated");
    }

    /// Adds a resource of `plan`.
    pub(crate) async fn add(
        &self,
        account: AccountId,
        project: &Project,
        plan: &str,
    ) -> Result<Resource, Status> {
        let resource = Some(Resource { plan: plan.to_owned(), ..Resource::default() });
        let request =
            AddResourceRequest { parent: project.name.clone(), resource, ..AddResourceRequest::default() };
        Ok(self.resources().add_resource(by(account, request)).await?.into_inner())
    }

    pub(crate) async fn create(
        &self,
        account: AccountId,
        name: &str,
        funding: Option<Funding>,
    ) -> Result<Project, Status> {
        let request = new_project(account, name, funding);
        Ok(self.projects().create_project(by(account, request)).await?.into_inner())
    }
}

pub(crate) fn new_project(account: AccountId, name: &str, funding: Option<Funding>) -> CreateProjectRequest {
    CreateProjectRequest {
        parent: florin_platform::wire::account_name(account),
        project: Some(Project { display_name: name.to_owned(), ..Project::default() }),
        funding,
        ..CreateProjectRequest::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a funding is optional in requests")]
pub(crate) fn initial_credit() -> Option<Funding> {
    Some(Funding::InitialCredit(InitialCredit { amount: None }))
}

pub(crate) fn project_id(project: &Project) -> ProjectId {
    let (_, id) = florin_platform::wire::parse_child::<florin_credit::ProjectKind>("projects", &project.name)
        .expect("a project's name");
    id
}

/// A request of a customer's session.
pub(crate) fn by<T>(account: AccountId, message: T) -> Request<T> {
    called(Principal::Customer { account, session: Id::from_uuid(uuid::Uuid::nil()) }, message)
}

/// A request of an internal service.
pub(crate) fn by_service<T>(message: T) -> Request<T> {
    called(Principal::Service { name: "control".to_owned(), roles: Role::ALL.to_vec() }, message)
}

fn called<T>(principal: Principal, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let method = std::any::type_name::<T>().to_owned();
    request.extensions_mut().insert(Call {
        principal,
        method,
        trace: "test".to_owned(),
        by_role: true,
        shared: &[],
    });
    request
}

/// The reason of a refusal, as machines read it.
pub(crate) fn reason(status: &Status) -> String {
    use tonic_types::StatusExt;
    status.get_error_details().error_info().expect("every refusal has one").reason.clone()
}

/// The types of every precondition a refusal names.
pub(crate) fn unmet(status: &Status) -> Vec<String> {
    use tonic_types::StatusExt;
    let details = status.get_error_details();
    let failure = details.precondition_failure().expect("conditions");
    failure.violations.iter().map(|violation| violation.r#type.clone()).collect()
}
