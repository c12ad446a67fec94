//! An account in a database of its own, a provider, and the services over them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use florin_account::AccountRpc;
use florin_api::{
    account::v1::{
        Account, Address, CreateAccountRequest, LegalForm, account_service_server::AccountService,
    },
    payment::v1::{
        CreatePaymentMethodRequest, PaymentMethod, PaymentMethodKind,
        payment_method_service_server::PaymentMethodService,
    },
    sandbox::v1::{ApprovePaymentRequest, payment_outcome_service_server::PaymentOutcomeService},
};
use florin_payment::{
    Error, Initiator, Means, Methods, NewPayment, Payment, PaymentId, PaymentMethodId, PaymentMethodRpc,
    PaymentOutcomeRpc, Payments, begin, jobs::Reconcile, take_notice,
};
use florin_platform::{
    Platform,
    call::{Call, Principal, Role},
    clock::Clock,
    db::{Db, sql},
    id::AccountId,
    job::Job,
    secret::ServerKey,
    wire::parse_account,
};
use florin_settlement::{Currency, Instant, Money};
use florin_testbed::{Books, TestDatabase};
use sea_orm::{ConnectionTrait, DbErr, Value};
use tonic::{Request, Status};

use crate::{books::books, ledger::Ledger, scripted::Scripted};

const ISSUERS: &str = "
issuers:
  - { id: fr, legal_name: Florin SAS, street: 2 rue Kellermann, postal_code: '59100', city: Roubaix, country: FR,
      vat_number: FR40303265045, currency: EUR, series_prefix: FR, billing_delay_seconds: 21600,
      initial_credit_minimum_minor: 3000, loyalty_rate: '1' }
countries: [{ country: FR, issuer: fr, in_eu: true }]
vat_rates: [{ country: FR, effective: '2014-01-01T00:00:00Z', rate: '20' }]
required_fields: []
terms: []
";
const OFFERS: &str = "
offered_payment_methods:
  - { issuer: fr, country: '*', kind: CARD }
  - { issuer: fr, country: FR, kind: BANK_ACCOUNT }
  - { issuer: fr, country: BE, kind: PAYPAL }
";

pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) provider: Arc<Scripted>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) payments: Payments,
    pub(crate) methods: Methods,
    pub(crate) job: Reconcile,
    pub(crate) account: AccountId,
    pub(crate) call: Call,
    numbers: AtomicU32,
    pub(crate) books: Books,
}

impl World {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let db = Db::connect(database.url()).await.expect("the database opens");
        Self::with(db, Scripted::default(), books(database.url())).await
    }

    /// A world whose provider proves at each call that no transaction is open.
    pub(crate) async fn watched(database: &TestDatabase) -> Self {
        let db = Db::connect(database.url()).await.expect("the database opens");
        let provider = Scripted::watching(&db);
        Self::with(db, provider, books(database.url())).await
    }

    async fn with(db: Db, provider: Scripted, books: Books) -> Self {
        let key = ServerKey::try_new(vec![7; 32]).expect("long enough");
        let platform = Platform { db, clock: Clock::Sandbox, key };
        Ledger::prepare(platform.db.migrator()).await;
        let issuers = &florin_account::seed::Seed::parse(ISSUERS).expect("a seed");
        let offers = &florin_payment::seed::Seed::parse(OFFERS).expect("a seed");
        let start = Instant::midnight(2026, 1, 1).expect("a day");
        let seeded = platform.db.write(|tx| async move {
            Clock::begin_sandbox(&tx, Some(start)).await?;
            issuers.load(&tx).await?;
            offers.load(&tx).await
        });
        seeded.await.expect("the seeds load");
        let (provider, ledger) = (Arc::new(provider), Arc::new(Ledger::default()));
        let payments = Payments::new(platform.clone(), provider.clone(), ledger.clone());
        let methods = Methods::new(platform.clone(), provider.clone(), ledger.clone(), ledger.clone());
        let job = Reconcile::new(payments.clone(), methods.clone());
        let mut world = Self {
            platform,
            provider,
            ledger,
            payments,
            methods,
            job,
            account: AccountId::NONE,
            call: Call::by_job("test"),
            numbers: AtomicU32::new(0),
            books,
        };
        world.account = world.new_account().await;
        world
    }

    /// One more ACTIVE account.
    pub(crate) async fn new_account(&self) -> AccountId {
        let number = self.number();
        let request = CreateAccountRequest {
            account: Some(Account {
                email: format!("ada{number}@example.com"),
                country: "FR".into(),
                legal_form: LegalForm::Individual.into(),
                given_name: "Ada".into(),
                family_name: "Lovelace".into(),
                address: Some(Address {
                    street: "1 rue de la Paix".into(),
                    postal_code: "75002".into(),
                    city: "Paris".into(),
                    region: String::new(),
                }),
                language: "fr".into(),
                ..Account::default()
            }),
            password: "correct horse battery staple".into(),
            ..CreateAccountRequest::default()
        };
        let created = AccountRpc::new(self.platform.clone()).create_account(Request::new(request)).await;
        let account = parse_account(&created.expect("an account").get_ref().name).expect("its name");
        let text = "UPDATE account SET state = 'ACTIVE' WHERE account_id = $1";
        self.execute(text, [account.into()]).await.expect("the account becomes active");
        account
    }

    fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    /// A request by an operator.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        self.request_by(Principal::Service { name: "tests".into(), roles: Role::ALL.to_vec() }, message)
    }

    pub(crate) fn request_by<T>(&self, principal: Principal, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(Call {
            principal,
            method: "test".into(),
            trace: String::new(),
            by_role: true,
            shared: &[],
        });
        request
    }

    pub(crate) fn method_rpc(&self) -> PaymentMethodRpc {
        PaymentMethodRpc::new(self.methods.clone())
    }

    pub(crate) fn outcome_rpc(&self) -> PaymentOutcomeRpc {
        PaymentOutcomeRpc::in_sandbox(self.payments.clone(), self.methods.clone(), self.provider.clone())
    }

    /// Registers `token` through the API.
    pub(crate) async fn register(
        &self,
        kind: PaymentMethodKind,
        token: &str,
    ) -> Result<PaymentMethod, Status> {
        let request = self.new_method(kind, token);
        self.method_rpc().create_payment_method(self.request(request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) fn new_method(&self, kind: PaymentMethodKind, token: &str) -> CreatePaymentMethodRequest {
        CreatePaymentMethodRequest {
            parent: format!("accounts/{}", self.account),
            payment_method: Some(PaymentMethod {
                kind: kind.into(),
                label: "mine".into(),
                ..PaymentMethod::default()
            }),
            provider_token: token.into(),
            request_id: String::new(),
            replaces: String::new(),
        }
    }

    /// Registers a card that is VALID at once.
    pub(crate) async fn card(&self, token: &str) -> PaymentMethodId {
        let method = self.register(PaymentMethodKind::Card, token).await.expect("a card");
        method_id(&method.name)
    }

    /// A card whose 3-D Secure is still to be passed.
    pub(crate) async fn validating_card(&self) -> PaymentMethodId {
        let method = self.register(PaymentMethodKind::Card, "card-approved").await.expect("a card");
        method_id(&method.name)
    }

    /// A bank account with its mandate; needs a captured payment first.
    pub(crate) async fn bank_account(&self) -> PaymentMethodId {
        let method =
            self.register(PaymentMethodKind::BankAccount, "iban-approved").await.expect("a bank account");
        self.approve(&method.name).await.expect("the mandate is given");
        method_id(&method.name)
    }

    /// Approves the payment or method of this name, as its customer.
    pub(crate) async fn approve(&self, name: &str) -> Result<(), Status> {
        let request = ApprovePaymentRequest { name: name.into(), request_id: String::new() };
        self.outcome_rpc().approve_payment(self.request(request)).await.map(|_| ())
    }

    /// 36 euros by `means`, for `reference`.
    pub(crate) fn new_payment(&self, reference: &str, means: Means, initiator: Initiator) -> NewPayment {
        let amount = Money::new(3600, Currency::parse("EUR").expect("a currency"));
        NewPayment { amount, reference: reference.into(), means, initiator }
    }

    pub(crate) async fn begin(&self, new: NewPayment) -> Result<PaymentId, Error> {
        let new = &new;
        let begun = self.platform.db.write(|tx| async move {
            let at = self.platform.clock.now(&tx).await?;
            florin_account::lock(&tx, &[self.account]).await?;
            begin(&tx, at, &self.call, self.account, new.clone()).await
        });
        begun.await
    }

    /// Begins and drives a payment on a registered method, for an invoice.
    pub(crate) async fn collect(&self, reference: &str, method: PaymentMethodId) -> Payment {
        let new = self.new_payment(reference, Means::Method(method), Initiator::Merchant);
        let id = self.begin(new).await.expect("it begins");
        self.drive(id).await
    }

    pub(crate) async fn drive(&self, id: PaymentId) -> Payment {
        self.payments.drive(&self.call, self.account, id).await.expect("it is driven")
    }

    pub(crate) async fn payment(&self, id: PaymentId) -> Payment {
        let found = florin_payment::find(self.platform.db.reader(), self.account, id).await;
        let payment = found.expect("a query").expect("a payment");
        let captured = if payment.was_captured() { payment.amount.minor() } else { 0 };
        let there = captured - payment.refunded.minor() - payment.disputed.minor();
        let told = Ledger::moved(self.platform.db.reader(), id).await;
        assert_eq!(told, there, "every movement of money is told once: {payment:?}");
        payment
    }

    /// Lets so much time pass, running what becomes due on the way, in order.
    pub(crate) async fn pass_seconds(&self, seconds: u64) {
        let target = self.now().await.plus_seconds(seconds);
        while let Some(due) = self.job.next_due().await.expect("a query").filter(|due| *due <= target) {
            self.move_to(due.max(self.now().await)).await;
            assert!(self.job.run(100).await.expect("the job runs") > 0, "what is due is done");
        }
        self.move_to(target).await;
    }

    pub(crate) async fn now(&self) -> Instant {
        self.platform.clock.now(self.platform.db.reader()).await.expect("a clock")
    }

    async fn move_to(&self, target: Instant) {
        let moved =
            self.platform.db.write(|tx| async move { self.platform.clock.move_to(&tx, target).await });
        moved
            .await
            .map(|_: florin_platform::clock::Moved| ())
            .map_err(|error: DbErr| error)
            .expect("the clock moves");
    }

    pub(crate) async fn execute<const N: usize>(&self, text: &str, values: [Value; N]) -> Result<u64, DbErr> {
        let connection = self.platform.db.migrator();
        connection.execute_raw(sql(connection, text, values)).await.map(|done| done.rows_affected())
    }

    /// How many notices of this kind were raised.
    pub(crate) async fn notices(&self, kind: &str) -> i64 {
        self.count("SELECT CAST(count(*) AS bigint) FROM notice WHERE kind = $1", [kind.into()]).await
    }

    /// How many events of this name were recorded.
    pub(crate) async fn events(&self, name: &str) -> i64 {
        let kind = format!("florin.event.v1.{name}");
        self.count("SELECT CAST(count(*) AS bigint) FROM event WHERE kind = $1", [kind.into()]).await
    }

    /// Delivers what the provider has pushed since the last time: each notice `times`, the last one first.
    pub(crate) async fn deliver(&self, times: usize) -> usize {
        let pushed = self.provider.pushed(self.now().await);
        let mut looked = 0;
        for raw in pushed.iter().rev() {
            for _ in 0..times {
                let taken = take_notice(&self.payments, &self.methods, &self.call, raw).await;
                looked += taken.expect("the notice is taken in");
            }
        }
        looked
    }

    /// The number a query of one bigint gives.
    pub(crate) async fn count<const N: usize>(&self, text: &str, values: [Value; N]) -> i64 {
        let connection = self.platform.db.reader();
        let row =
            connection.query_one_raw(sql(connection, text, values)).await.expect("a query").expect("a row");
        row.try_get_by_index(0).expect("a number")
    }

    pub(crate) async fn told(&self, subject: impl ToString) -> Vec<String> {
        Ledger::told(self.platform.db.reader(), &subject.to_string()).await
    }
}

/// The id at the end of a method's name.
pub(crate) fn method_id(name: &str) -> PaymentMethodId {
    PaymentMethodId::parse(name.rsplit('/').next().unwrap_or_default()).expect("a method's name")
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    use tonic_types::StatusExt;
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}
