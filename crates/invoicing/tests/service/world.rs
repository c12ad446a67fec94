//! A small world for the tests of this slice: the real slices on a real database, a till for a provider,
//! and a clock that is moved.

use std::sync::Arc;

use florin_api::{
    account::v1::{self as account_wire, account_service_server::AccountService},
    credit::v1::{
        self as credit_wire, campaign_service_server::CampaignService,
        credit_order_service_server::CreditOrderService, voucher_service_server::VoucherService,
    },
    google::r#type::{Decimal, Money as WireMoney},
    invoicing::v1::{self as wire, invoice_service_server::InvoiceService},
    payment::v1::{self as payment_wire, payment_method_service_server::PaymentMethodService},
    project::v1::{
        self as project_wire, project_service_server::ProjectService,
        resource_service_server::ResourceService,
    },
};
use florin_credit::{GrantKind, PaymentLinks, grants};
use florin_invoicing::{
    BillingRuns, CollectionRpc, Debts, DunningRules, InvoiceRpc, MoneyOutcomes, Needs, jobs::BillingRunJob,
};
use florin_payment::{Methods, Outcomes, PaymentMethodRpc, Payments};
use florin_platform::{
    Platform,
    approval::Limits,
    call::{Call, Principal, Role},
    clock::Clock,
    db::{Db, Tx},
    id::{AccountId, Id},
    job::Job,
    secret::ServerKey,
};
use florin_settlement::{Currency, Instant, Money, Restriction};
use florin_testbed::{Books, TestDatabase};
use futures::StreamExt;
use sea_orm::DbErr;
use tonic::{Request, Status};

use crate::books::books;
pub(crate) use crate::till::{Mood, Till};

pub(crate) fn standings() -> florin_project::Standings {
    florin_project::Standings::new(Clock::Sandbox, Arc::new(Debts))
}

const ISSUERS: &str = r#"
issuers:
  - id: fr
    legal_name: Florin SAS
    street: 2 rue Kellermann
    postal_code: "59100"
    city: Roubaix
    country: FR
    vat_number: FR40303265045
    currency: EUR
    series_prefix: FR
    billing_delay_seconds: 21600
    initial_credit_minimum_minor: 3000
    loyalty_rate: "1"
    legal_mentions:
      en: |
        Florin SAS, capital 10 000 EUR
        Payable at once.
      fr: SAS au capital de 10 000 EUR
countries:
  - { country: FR, issuer: fr, in_eu: true }
vat_rates:
  - { country: FR, effective: 2014-01-01T00:00:00Z, rate: "20" }
required_fields: []
terms: []
"#;

const METHODS: &str = r#"
offered_payment_methods:
  - { issuer: fr, country: "*", kind: CARD }
"#;

const CATALOGUE: &str = r#"
plans:
  - code: instance
    name: Instance
    family: INSTANCE
    model: HOURLY
    unit: hour
    prices:
      - effective: 2015-01-01T00:00:00Z
        per_unit: { EUR: "0.111" }
  - code: volume
    name: Volume
    family: STORAGE
    model: HOURLY
    unit: GiB-hour
    prices:
      - effective: 2015-01-01T00:00:00Z
        per_unit: { EUR: "0.0000555556" }
"#;

/// Where the story begins.
pub(crate) const START: &str = "2027-03-01T00:00:00Z";

pub(crate) fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// An amount of the wire in cents.
pub(crate) fn cents(money: Option<&WireMoney>) -> i64 {
    let money = money.expect("an amount");
    money.units * 100 + i64::from(money.nanos / 10_000_000)
}

/// The slices, wired.
pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) till: Arc<Till>,
    pub(crate) payments: Payments,
    methods: Methods,
    links: PaymentLinks,
    pub(crate) books: Books,
}

impl World {
    /// A world on `database`, at [`START`], collecting as production does.
    pub(crate) async fn open(database: &TestDatabase) -> Self {
        Self::told_to(database, Arc::new(MoneyOutcomes)).await
    }

    /// A world whose payments are told to `outcomes`.
    pub(crate) async fn told_to(database: &TestDatabase, outcomes: Arc<dyn Outcomes>) -> Self {
        let db = Db::connect(database.url()).await.expect("a database").keeping(Arc::new(standings()));
        let key = ServerKey::try_new(vec![7; 32]).expect("a key");
        let platform = Platform { db, clock: Clock::Sandbox, key };
        let till = Arc::new(Till::default());
        let load = |tx: Tx| async move {
            Clock::begin_sandbox(&tx, Some(at(START))).await?;
            florin_account::seed::Seed::parse(ISSUERS).expect("issuers").load(&tx).await?;
            florin_payment::seed::Seed::parse(METHODS).expect("methods").load(&tx).await?;
            florin_project::catalogue::import(&tx, at(START), CATALOGUE).await.expect("a catalogue");
            Ok::<_, DbErr>(())
        };
        platform.db.write(load).await.expect("seeded");
        Self {
            payments: Payments::new(platform.clone(), till.clone(), outcomes.clone()),
            methods: Methods::new(platform.clone(), till.clone(), outcomes, Arc::new(Needs)),
            links: PaymentLinks::new(&platform.key, "https://pay.example.com"),
            till,
            platform,
            books: books(database.url()),
        }
    }

    pub(crate) async fn move_to(&self, text: &str) {
        let target = at(text);
        let clock = self.platform.clock;
        let moved = self.platform.db.write(|tx| async move { clock.move_to(&tx, target).await }).await;
        assert_eq!(moved.expect("moved"), florin_platform::clock::Moved::Done);
    }

    pub(crate) async fn now(&self) -> Instant {
        self.platform.clock.now(self.platform.db.reader()).await.expect("a clock")
    }

    /// A French company, confirmed.
    pub(crate) async fn account(&self, name: &str) -> AccountId {
        let rpc = florin_account::AccountRpc::new(self.platform.clone());
        let account = account_wire::Account {
            email: format!("{name}@example.com"),
            country: "FR".to_owned(),
            legal_form: account_wire::LegalForm::Corporation.into(),
            given_name: "Ada".to_owned(),
            family_name: "Lovelace".to_owned(),
            ..Default::default()
        };
        let request = account_wire::CreateAccountRequest {
            account: Some(account),
            password: "correct horse battery staple 27".to_owned(),
            ..Default::default()
        };
        let name = rpc.create_account(operator(request)).await.expect("an account").into_inner().name;
        let id = florin_platform::wire::parse_account(&name).expect("a name");
        let code = self.platform.key.short_code(&format!("confirmation/{id}/1"));
        let request = account_wire::ConfirmAccountRequest { name, code, ..Default::default() };
        rpc.confirm_account(operator(request)).await.expect("confirmed");
        id
    }

    /// A card that is VALID at once; the first is the default.
    pub(crate) async fn card(&self, account: AccountId) -> String {
        self.card_of(account, 0).await
    }

    /// A card that may be tried when the default one is declined for good.
    pub(crate) async fn fallback_card(&self, account: AccountId) -> String {
        self.card_of(account, 1).await
    }

    async fn card_of(&self, account: AccountId, fallback_order: i32) -> String {
        let rpc = PaymentMethodRpc::new(self.methods.clone());
        let method = payment_wire::PaymentMethod {
            kind: payment_wire::PaymentMethodKind::Card.into(),
            fallback_order,
            ..Default::default()
        };
        let request = payment_wire::CreatePaymentMethodRequest {
            parent: format!("accounts/{account}"),
            payment_method: Some(method),
            provider_token: "card".to_owned(),
            ..Default::default()
        };
        rpc.create_payment_method(operator(request)).await.expect("a card").into_inner().name
    }

    pub(crate) async fn grant(&self, account: AccountId, kind: GrantKind, minor: i64) {
        self.give(account, kind, minor, None).await;
    }

    pub(crate) async fn grant_until(&self, account: AccountId, kind: GrantKind, minor: i64, expires: &str) {
        self.give(account, kind, minor, Some(at(expires))).await;
    }

    async fn give(&self, account: AccountId, kind: GrantKind, minor: i64, expires: Option<Instant>) {
        let new = grants::NewGrant {
            account,
            kind,
            amount: eur(minor),
            reason: "a test".to_owned(),
            expires,
            restriction: Restriction::Unrestricted,
        };
        let now = self.now().await;
        let (call, new) = (&Call::by_job("test"), &new);
        let give =
            |tx: Tx| async move { grants::give(&tx, now, call, &florin_project::Gate, new.clone()).await };
        self.platform.db.write(give).await.expect("granted");
    }

    /// A project of a funded account, or one a card or grant funds.
    pub(crate) async fn project(&self, account: AccountId, card: Option<&str>) -> String {
        use project_wire::create_project_request::Funding;
        let rpc = florin_project::ProjectRpc::new(self.platform.clone(), Arc::new(Debts), self.links.clone());
        let project = project_wire::Project { display_name: "Web".to_owned(), ..Default::default() };
        let request = project_wire::CreateProjectRequest {
            parent: format!("accounts/{account}"),
            project: Some(project),
            funding: card.map(|card| Funding::PaymentMethod(card.to_owned())),
            ..Default::default()
        };
        rpc.create_project(operator(request)).await.expect("a project").into_inner().name
    }

    pub(crate) async fn add(&self, project: &str, plan: &str, size: u32) -> String {
        let rpc = florin_project::ResourceRpc::new(self.platform.clone(), standings());
        let resource = project_wire::Resource {
            plan: format!("plans/{plan}"),
            size: Some(Decimal { value: size.to_string() }),
            display_name: plan.to_owned(),
            ..Default::default()
        };
        let request = project_wire::AddResourceRequest {
            parent: project.to_owned(),
            resource: Some(resource),
            ..Default::default()
        };
        rpc.add_resource(operator(request)).await.expect("a resource").into_inner().name
    }

    pub(crate) async fn remove(&self, resource: &str) {
        let rpc = florin_project::ResourceRpc::new(self.platform.clone(), standings());
        let request = project_wire::RemoveResourceRequest { name: resource.to_owned(), ..Default::default() };
        rpc.remove_resource(operator(request)).await.expect("removed");
    }

    /// Redeems a voucher of its own campaign in `project`.
    pub(crate) async fn voucher(&self, project: &str, units: i64) {
        let campaigns = florin_credit::CampaignRpc::new(self.platform.clone());
        let amount = WireMoney { currency_code: "EUR".to_owned(), units, nanos: 0 };
        let campaign = credit_wire::Campaign {
            display_name: "Spring".to_owned(),
            amounts: vec![amount.clone()],
            budgets: vec![amount],
            redeem_end_time: Some(florin_platform::wire::timestamp(at("2028-01-01T00:00:00Z"))),
            lot_lifetime: Some(credit_wire::campaign::LotLifetime::LotLifetimeDays(365)),
            audience: credit_wire::campaign::Audience::Anyone.into(),
            code_style: credit_wire::campaign::CodeStyle::SingleUse.into(),
            ..Default::default()
        };
        let request = credit_wire::CreateCampaignRequest { campaign: Some(campaign), ..Default::default() };
        let name = campaigns.create_campaign(operator(request)).await.expect("a campaign").into_inner().name;
        let request = credit_wire::GenerateCodesRequest { name, count: 1, ..Default::default() };
        let codes = campaigns.generate_codes(operator(request)).await.expect("codes").into_inner();
        let codes: Vec<_> = codes.collect::<Vec<_>>().await;
        let code = codes[0].as_ref().expect("codes").codes[0].clone();
        let vouchers = florin_credit::VoucherRpc::new(self.platform.clone(), Arc::new(florin_project::Gate));
        let request =
            credit_wire::RedeemVoucherRequest { parent: project.to_owned(), code, ..Default::default() };
        vouchers.redeem_voucher(operator(request)).await.expect("redeemed");
    }

    /// Buys `units` of cloud credit for `project` and pays it with `card`.
    pub(crate) async fn buy(
        &self,
        account: AccountId,
        project: &str,
        units: i64,
        card: &str,
    ) -> Result<String, Status> {
        let rpc = florin_credit::CreditOrderRpc::new(
            self.platform.clone(),
            Arc::new(florin_project::Gate),
            self.payments.clone(),
            self.links.clone(),
            Arc::new(florin_invoicing::Reversals),
        );
        let order = credit_wire::CreditOrder {
            project: project.to_owned(),
            amount: Some(WireMoney { currency_code: "EUR".to_owned(), units, nanos: 0 }),
            ..Default::default()
        };
        let request = credit_wire::CreateCreditOrderRequest {
            parent: format!("accounts/{account}"),
            credit_order: Some(order),
            ..Default::default()
        };
        let name = rpc.create_credit_order(operator(request)).await?.into_inner().name;
        let source = credit_wire::pay_credit_order_request::Source::PaymentMethod(card.to_owned());
        let request = credit_wire::PayCreditOrderRequest {
            name: name.clone(),
            source: Some(source),
            ..Default::default()
        };
        rpc.pay_credit_order(operator(request)).await?;
        Ok(name)
    }

    pub(crate) fn runs(&self) -> BillingRuns {
        BillingRuns::new(self.platform.clone(), self.payments.clone())
    }

    /// Writes down what has expired, as far as that may be done.
    pub(crate) async fn lapse(&self) {
        let gate: Arc<dyn florin_credit::ProjectGate> = Arc::new(florin_project::Gate);
        let horizon: Arc<dyn florin_credit::SettlementHorizon> = Arc::new(florin_invoicing::Horizon);
        for job in &florin_credit::jobs::all(&self.platform, &gate, &horizon) {
            job.run(1000).await.expect("run");
        }
    }

    /// Adds to the catalogue.
    pub(crate) async fn plans(&self, plans: &str) {
        let import = |tx: Tx| async move {
            florin_project::catalogue::import(&tx, at(START), plans).await.expect("plans");
            Ok::<_, DbErr>(())
        };
        self.platform.db.write(import).await.expect("imported");
    }

    /// One of this slice's jobs.
    pub(crate) fn job(&self, name: &str) -> Arc<dyn Job> {
        let all =
            florin_invoicing::jobs::all(&self.platform, self.runs(), &self.payments, DunningRules::default());
        all.into_iter().find(|job| job.name() == name).expect("a job")
    }

    /// Runs the billing job until nothing is left to do.
    pub(crate) async fn bill(&self) {
        let job = BillingRunJob::new(self.platform.clone(), self.runs());
        while job.run(100).await.expect("billed") > 0 {}
    }

    /// Lets time go by until `text`: months are billed, projects end, debts are dunned when it is their time.
    pub(crate) async fn live_until(&self, text: &str) {
        let (target, clock) = (at(text), self.platform.clock);
        let (platform, payments) = (&self.platform, &self.payments);
        let jobs = florin_invoicing::jobs::all(platform, self.runs(), payments, DunningRules::default());
        loop {
            let mut done = 1;
            while done > 0 {
                done = 0;
                for job in &jobs {
                    done += job.run(100).await.expect("run");
                }
            }
            let now = self.now().await;
            let mut next = target;
            for job in &jobs {
                next = job
                    .next_due()
                    .await
                    .expect("due")
                    .filter(|due| *due > now)
                    .map_or(next, |due| due.min(next));
            }
            if now >= target {
                return;
            }
            let moved = platform.db.write(|tx| async move { clock.move_to(&tx, next).await }).await;
            // On a slow machine the clock may have passed it by itself.
            moved.expect("moved");
        }
    }

    pub(crate) fn invoice_rpc(&self) -> InvoiceRpc {
        let limits = Limits::new(1000, Vec::new());
        InvoiceRpc::new(self.platform.clone(), self.payments.clone(), limits)
    }

    /// Finishes what was cut off between Florin and the provider.
    pub(crate) async fn reconcile(&self) {
        let job = florin_payment::jobs::Reconcile::new(self.payments.clone(), self.methods.clone());
        while job.run(100).await.expect("reconciled") > 0 {}
    }

    pub(crate) fn collection(&self) -> CollectionRpc {
        let limits = Limits::new(1000, Vec::new());
        CollectionRpc::new(self.platform.clone(), self.payments.clone(), limits)
    }

    pub(crate) async fn invoices(&self, account: AccountId) -> Vec<wire::Invoice> {
        let rpc = self.invoice_rpc();
        let request =
            wire::ListInvoicesRequest { parent: format!("accounts/{account}"), ..Default::default() };
        rpc.list_invoices(operator(request)).await.expect("invoices").into_inner().invoices
    }

    pub(crate) async fn monthly(&self, account: AccountId) -> Vec<wire::Invoice> {
        let all = self.invoices(account).await.into_iter();
        all.filter(|invoice| invoice.kind() == wire::invoice::Kind::Monthly).collect()
    }

    pub(crate) async fn estimate(&self, project: &str) -> wire::Invoice {
        let rpc = self.invoice_rpc();
        let request = wire::EstimateInvoiceRequest { parent: project.to_owned() };
        let answer = rpc.estimate_invoice(operator(request)).await.expect("an estimate").into_inner();
        answer.invoice.expect("an invoice")
    }

    pub(crate) async fn explain(&self, invoice: &str) -> wire::ExplainSettlementResponse {
        let rpc = self.invoice_rpc();
        let request = wire::ExplainSettlementRequest { name: invoice.to_owned() };
        rpc.explain_settlement(operator(request)).await.expect("an explanation").into_inner()
    }
}

/// What an estimate does not have.
pub(crate) fn as_estimated(invoice: &wire::Invoice) -> wire::Invoice {
    wire::Invoice {
        name: String::new(),
        number: String::new(),
        state: 0,
        amount_paid_incl_tax: None,
        issue_time: None,
        pay_time: None,
        payment: String::new(),
        ..invoice.clone()
    }
}

/// A request of an operator with every role.
pub(crate) fn operator<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Call {
        principal: Principal::Service { name: "test".to_owned(), roles: Role::ALL.to_vec() },
        method: "test".to_owned(),
        trace: String::new(),
        by_role: true,
        shared: &[],
    });
    request
}

/// A request of a customer's own session.
pub(crate) fn customer<T>(account: AccountId, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Call {
        principal: Principal::Customer { account, session: Id::from_u128(1) },
        method: "test".to_owned(),
        trace: String::new(),
        by_role: false,
        shared: &[],
    });
    request
}
