//! Accounts in a database of their own, and the services over them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use florin_api::credit::v1::{
    Campaign, CreateCampaignRequest, CreateCreditOrderRequest, Credit, CreditOrder, GenerateCodesRequest,
    Grant, GrantLaunchPadRequest, ListCreditsRequest, ListMovementsRequest, Movement, PayCreditOrderRequest,
    PayCreditOrderResponse, PaymentLinkSource, RedeemVoucherRequest,
    campaign::{Audience, CodeStyle, LotLifetime},
    campaign_service_server::CampaignService,
    credit_order_service_server::CreditOrderService,
    credit_service_server::CreditService,
    grant_service_server::GrantService,
    pay_credit_order_request::Source,
    voucher_service_server::VoucherService,
};
use florin_api::google::r#type::Money as WireMoney;
use florin_credit::{
    CampaignRpc, CreditOrderRpc, CreditRpc, GateView, GrantRpc, PaymentLinks, ProjectGate, ProjectId,
    SettlementHorizon, VoucherRpc, jobs, project_name,
};
use florin_payment::Payments;
use florin_platform::{
    Platform,
    approval::Limits,
    call::{Call, Principal, Role},
    clock::{Clock, Moved},
    db::{Db, sql},
    id::AccountId,
    job::Job,
    secret::ServerKey,
    wire,
};
use florin_settlement::{Currency, Instant, Money};
use florin_testbed::{Books, TestDatabase};
use futures::StreamExt;
use sea_orm::{ConnectionTrait, DbErr, Value};
use tonic::{Request, Response, Status};

use crate::{
    books::books,
    outside::{Bank, Projects, Reversals, Till, Unissued},
};

const ISSUERS: &str = "
issuers:
  - { id: fr, legal_name: Florin SAS, street: 2 rue Kellermann, postal_code: '59100', city: Roubaix, country: FR,
      vat_number: FR40303265045, currency: EUR, series_prefix: FR, billing_delay_seconds: 21600,
      initial_credit_minimum_minor: 3000, loyalty_rate: '1' }
countries: [{ country: FR, issuer: fr, in_eu: true }, { country: BE, issuer: fr, in_eu: true }]
vat_rates: [{ country: FR, effective: '2014-01-01T00:00:00Z', rate: '20' }]
required_fields: []
terms: []
";

/// A live project that is the account's first.
pub(crate) const FIRST: GateView = GateView { live: true, over: false, first: true, pending: false };
/// A first project that waits for its funding.
pub(crate) const PENDING: GateView = GateView { live: true, over: false, first: true, pending: true };

pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) bank: Arc<Bank>,
    pub(crate) projects: Arc<Projects>,
    pub(crate) unissued: Arc<Unissued>,
    pub(crate) reversals: Arc<Reversals>,
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) payments: Payments,
    pub(crate) links: PaymentLinks,
    gate: Arc<dyn ProjectGate>,
    numbers: AtomicU32,
    pub(crate) books: Books,
}

impl World {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let key = ServerKey::try_new(vec![7; 32]).expect("long enough");
        let db = Db::connect(database.url()).await.expect("the database opens");
        let platform = Platform { db, clock: Clock::Sandbox, key: key.clone() };
        let issuers = &florin_account::seed::Seed::parse(ISSUERS).expect("a seed");
        let start = Instant::midnight(2027, 1, 31).expect("a day").plus_hours(10);
        let seeded = platform.db.write(|tx| async move {
            Clock::begin_sandbox(&tx, Some(start)).await?;
            issuers.load(&tx).await
        });
        seeded.await.expect("the seed loads");
        let (bank, projects) = (Arc::new(Bank::default()), Arc::new(Projects::default()));
        let gate: Arc<dyn ProjectGate> = projects.clone();
        let mut world = Self {
            payments: Payments::new(platform.clone(), bank.clone(), Arc::new(Till(projects.clone()))),
            links: PaymentLinks::new(&key, "https://florin.example.com"),
            bank,
            projects,
            unissued: Arc::new(Unissued::default()),
            reversals: Arc::new(Reversals::default()),
            account: AccountId::NONE,
            project: ProjectId::from_u128(0),
            gate,
            numbers: AtomicU32::new(1),
            books: books(database.url()),
            platform,
        };
        world.account = world.new_account("CORPORATION").await;
        world.project = world.new_project(world.account, FIRST).await;
        world
    }

    /// An ACTIVE account of a French customer.
    pub(crate) async fn new_account(&self, legal_form: &str) -> AccountId {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        let id = AccountId::generate(self.now().await);
        let now = florin_platform::column::At::from(self.now().await);
        let text = "INSERT INTO account (account_id, handle, state, email, password_hash, country, legal_form, \
                    given_name, family_name, organisation, street, postal_code, city, region, language, issuer, \
                    currency, project_limit, confirmation_generation, confirmation_wrong, version, created_at, \
                    updated_at) VALUES ($1, $2, 'ACTIVE', $3, 'none', 'FR', $4, 'Ada', 'Lovelace', '', 'rue', \
                    '75002', 'Paris', '', 'en', 'fr', 'EUR', 3, 1, 0, 1, $5, $6)";
        let values = [
            id.into(),
            format!("ab{number:05}-fl").into(),
            format!("ada{number}@example.com").into(),
            legal_form.into(),
            now.into(),
            now.into(),
        ];
        self.execute(text, values).await.expect("an account");
        let text = "INSERT INTO account_lock (account_id, version, movement_sequence) VALUES ($1, 0, 0)";
        self.execute(text, [id.into()]).await.expect("its lock row");
        id
    }

    pub(crate) async fn new_project(&self, account: AccountId, view: GateView) -> ProjectId {
        let project = ProjectId::generate(self.now().await);
        self.projects.set(account, project, view);
        project
    }

    /// A VALID card of the account, the default.
    pub(crate) async fn register_card(&self, reference: &str) {
        let now = florin_platform::column::At::from(self.now().await);
        let id = florin_payment::PaymentMethodId::from_u128(77);
        let text = "INSERT INTO payment_method (account_id, id, kind, state, label, provider_token, \
                    provider_reference, masked_details, three_d_secure, looks, version, created_at, updated_at) \
                    VALUES ($1, $2, 'CARD', 'VALID', '', '', $3, '**** 4242', $4, 0, 1, $5, $6)";
        let values = [self.account.into(), id.into(), reference.into(), true.into(), now.into(), now.into()];
        self.execute(text, values).await.expect("a card");
        let text = "INSERT INTO default_payment_method (account_id, method_id) VALUES ($1, $2)";
        self.execute(text, [self.account.into(), id.into()]).await.expect("the default");
    }

    /// A request by an operator.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let principal = Principal::Service { name: "tests".into(), roles: Role::ALL.to_vec() };
        self.request_by(principal, "test", message)
    }

    pub(crate) fn request_by<T>(&self, principal: Principal, method: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(Call {
            principal,
            method: method.into(),
            trace: String::new(),
            by_role: true,
            shared: &[],
        });
        request
    }

    pub(crate) fn order_rpc(&self) -> CreditOrderRpc {
        CreditOrderRpc::new(
            self.platform.clone(),
            self.gate.clone(),
            self.payments.clone(),
            self.links.clone(),
            self.reversals.clone(),
        )
    }

    pub(crate) fn credit_rpc(&self) -> CreditRpc {
        CreditRpc::new(self.platform.clone(), self.gate.clone())
    }

    pub(crate) fn voucher_rpc(&self) -> VoucherRpc {
        VoucherRpc::new(self.platform.clone(), self.gate.clone())
    }

    /// Up to 1000 euros are granted by one operator alone.
    pub(crate) fn grant_rpc(&self) -> GrantRpc {
        GrantRpc::new(self.platform.clone(), self.gate.clone(), Limits::new(1000, Vec::new()))
    }

    pub(crate) fn campaign_rpc(&self) -> CampaignRpc {
        CampaignRpc::new(self.platform.clone())
    }

    /// An order of so many euros for the account's project.
    pub(crate) async fn order(&self, units: i64) -> Result<CreditOrder, Status> {
        let request = self.new_order(self.account, self.project, units);
        self.order_rpc().create_credit_order(self.request(request)).await.map(Response::into_inner)
    }

    pub(crate) fn new_order(
        &self,
        account: AccountId,
        project: ProjectId,
        units: i64,
    ) -> CreateCreditOrderRequest {
        CreateCreditOrderRequest {
            parent: wire::account_name(account),
            credit_order: Some(CreditOrder {
                project: project_name(account, project),
                amount: Some(euros(units)),
                ..CreditOrder::default()
            }),
            ..CreateCreditOrderRequest::default()
        }
    }

    /// Pays an order through its link, without a session.
    pub(crate) async fn pay(
        &self,
        order: &CreditOrder,
        card: &str,
    ) -> Result<PayCreditOrderResponse, Status> {
        let request = self.payment(order, card);
        let request = self.request_by(Principal::Anonymous, "pay", request);
        self.order_rpc().pay_credit_order(request).await.map(Response::into_inner)
    }

    pub(crate) fn payment(&self, order: &CreditOrder, card: &str) -> PayCreditOrderRequest {
        let token = order.payment_link.rsplit('/').next().unwrap_or_default().to_owned();
        let link = PaymentLinkSource { token, provider_token: card.to_owned() };
        PayCreditOrderRequest {
            name: order.name.clone(),
            source: Some(Source::PaymentLink(link)),
            ..PayCreditOrderRequest::default()
        }
    }

    /// All lots of the account.
    pub(crate) async fn credits(&self, account: AccountId) -> Vec<Credit> {
        let request =
            ListCreditsRequest { parent: wire::account_name(account), ..ListCreditsRequest::default() };
        let listed = self.credit_rpc().list_credits(self.request(request)).await.expect("a list");
        listed.into_inner().credits
    }

    pub(crate) async fn movements(&self, credit: &str) -> Vec<Movement> {
        let request = ListMovementsRequest { parent: credit.to_owned(), ..ListMovementsRequest::default() };
        let listed = self.credit_rpc().list_movements(self.request(request)).await.expect("a list");
        listed.into_inner().movements
    }

    /// A LAUNCHPAD lot of so many euros.
    pub(crate) async fn grant(&self, units: i64) -> Grant {
        let request = GrantLaunchPadRequest {
            parent: wire::account_name(self.account),
            amount: Some(euros(units)),
            reason: "startup programme".to_owned(),
            ..GrantLaunchPadRequest::default()
        };
        self.grant_rpc().grant_launch_pad(self.request(request)).await.expect("a grant").into_inner()
    }

    /// A campaign of 10 euros a code, changed as wanted.
    pub(crate) async fn campaign(&self, change: impl FnOnce(&mut Campaign)) -> Result<Campaign, Status> {
        let mut campaign = Campaign {
            display_name: "Summer".to_owned(),
            amounts: vec![euros(10)],
            budgets: vec![euros(1000)],
            redeem_end_time: Some(wire::timestamp(self.now().await.plus_days(90))),
            lot_lifetime: Some(LotLifetime::LotLifetimeDays(90)),
            audience: Audience::Anyone.into(),
            code_style: CodeStyle::SingleUse.into(),
            ..Campaign::default()
        };
        change(&mut campaign);
        let request = CreateCampaignRequest { campaign: Some(campaign), ..CreateCampaignRequest::default() };
        self.campaign_rpc().create_campaign(self.request(request)).await.map(Response::into_inner)
    }

    pub(crate) async fn codes(&self, campaign: &Campaign, count: i32) -> Result<Vec<String>, Status> {
        let request =
            GenerateCodesRequest { name: campaign.name.clone(), count, ..GenerateCodesRequest::default() };
        self.generate(request).await
    }

    pub(crate) async fn generate(&self, request: GenerateCodesRequest) -> Result<Vec<String>, Status> {
        let mut stream = self.campaign_rpc().generate_codes(self.request(request)).await?.into_inner();
        let mut codes = Vec::new();
        while let Some(message) = stream.next().await {
            codes.extend(message?.codes);
        }
        Ok(codes)
    }

    /// Redeems a code in the account's project.
    pub(crate) async fn redeem(&self, code: &str) -> Result<Credit, Status> {
        self.redeem_in(self.account, self.project, code).await
    }

    pub(crate) async fn redeem_in(
        &self,
        account: AccountId,
        project: ProjectId,
        code: &str,
    ) -> Result<Credit, Status> {
        let request = RedeemVoucherRequest {
            parent: project_name(account, project),
            code: code.to_owned(),
            ..RedeemVoucherRequest::default()
        };
        self.voucher_rpc().redeem_voucher(self.request(request)).await.map(Response::into_inner)
    }

    /// Lets so much time pass, running what becomes due on the way, in order.
    pub(crate) async fn pass_days(&self, days: u32) {
        let horizon: Arc<dyn SettlementHorizon> = self.unissued.clone();
        let jobs = jobs::all(&self.platform, &self.gate, &horizon);
        let target = self.now().await.plus_days(days);
        while let Some((due, job)) = next(&jobs).await.filter(|(due, _)| *due <= target) {
            self.move_to(due.max(self.now().await)).await;
            assert!(job.run(100).await.expect("the job runs") > 0, "what is due is done");
        }
        self.move_to(target).await;
    }

    pub(crate) async fn now(&self) -> Instant {
        self.platform.clock.now(self.platform.db.reader()).await.expect("a clock")
    }

    pub(crate) async fn move_to(&self, target: Instant) {
        let moved =
            self.platform.db.write(|tx| async move { self.platform.clock.move_to(&tx, target).await });
        moved.await.map(|_: Moved| ()).map_err(|error: DbErr| error).expect("the clock moves");
    }

    pub(crate) async fn execute<const N: usize>(&self, text: &str, values: [Value; N]) -> Result<u64, DbErr> {
        let connection = self.platform.db.migrator();
        connection.execute_raw(sql(connection, text, values)).await.map(|done| done.rows_affected())
    }

    /// The number a query of one bigint gives.
    pub(crate) async fn count<const N: usize>(&self, text: &str, values: [Value; N]) -> i64 {
        let connection = self.platform.db.reader();
        let row =
            connection.query_one_raw(sql(connection, text, values)).await.expect("a query").expect("a row");
        row.try_get_by_index(0).expect("a number")
    }

    /// Σ movements of every lot is what the lot says remains (R6.8).
    pub(crate) async fn check_ledger(&self) {
        let text = "SELECT COUNT(*) FROM credit_lot l WHERE l.remaining <> (\
                    SELECT CAST(COALESCE(SUM(CASE WHEN m.kind = 'ISSUED' THEN m.amount ELSE -m.amount END), 0) AS bigint) \
                    FROM credit_movement m WHERE m.account_id = l.account_id AND m.lot_id = l.id) \
                    OR l.remaining <> (SELECT m.remaining_after FROM credit_movement m \
                    WHERE m.account_id = l.account_id AND m.lot_id = l.id ORDER BY m.sequence DESC LIMIT 1)";
        assert_eq!(self.count(text, []).await, 0, "a lot differs from its movements");
        let text = "SELECT COUNT(*) FROM account_lock a WHERE a.movement_sequence <> \
                    (SELECT COUNT(*) FROM credit_movement m WHERE m.account_id = a.account_id)";
        assert_eq!(self.count(text, []).await, 0, "a sequence has a gap");
    }
}

async fn next(jobs: &[Arc<dyn Job>]) -> Option<(Instant, &Arc<dyn Job>)> {
    let mut due = Vec::new();
    for job in jobs {
        due.extend(job.next_due().await.expect("a query").map(|at| (at, job)));
    }
    due.into_iter().min_by_key(|(at, _)| *at)
}

pub(crate) fn euros(units: i64) -> WireMoney {
    WireMoney { currency_code: "EUR".to_owned(), units, nanos: 0 }
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// The reason of a refusal.
pub(crate) fn reason<T>(answer: Result<T, Status>) -> String {
    use tonic_types::StatusExt;
    let status = answer.err().expect("a refusal");
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}
