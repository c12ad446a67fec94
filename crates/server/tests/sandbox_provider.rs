//! The sandbox's provider keeps the contract of every provider, and does what its tokens say (R3.7).

use std::{sync::Mutex, time::Duration};

use florin_payment::{
    CustomerDecisions, Decided, Decision, DisputeStanding, Finality, Initiator, MethodKind, PaymentId,
    PaymentMethodId, Provider,
    provider::{
        Capabilities, Charge, ChargeKey, ChargeOutcome, ChargeReport, Forget, GiveBack, MethodKey, Notice,
        NoticeRefused, NoticeSubject, ProviderUnknown, RawNotice, RefundReport, Register, Registration,
        Source,
        contract::{self, Actor, Loss, Moved, Stage},
    },
};
use florin_platform::{
    Platform,
    clock::Clock,
    db::{Db, sql},
    id::AccountId,
    secret::ServerKey,
};
use florin_server::provider::sandbox::{
    SandboxProvider,
    test_means::{Registering, TEST_MEANS},
};
use florin_settlement::{Currency, Instant, Money};
use florin_testbed::on_both_backends;
use sea_orm::{ConnectionTrait, DbErr};

struct Bank {
    platform: Platform,
    provider: SandboxProvider,
    account: AccountId,
}

impl Bank {
    async fn open(database: &florin_testbed::TestDatabase) -> Self {
        let db = Db::connect(database.url()).await.expect("the database opens");
        let key = ServerKey::try_new(vec![7; 32]).expect("long enough");
        let platform = Platform { db, clock: Clock::Sandbox, key };
        let provider = SandboxProvider::new(platform.clone(), "https://florin.example/");
        let account = AccountId::generate(now(&platform).await);
        Self { platform, provider, account }
    }

    fn amount() -> Money {
        Money::new(1200, Currency::parse("EUR").expect("a currency"))
    }

    async fn pass(&self, duration: Duration) {
        let target = now(&self.platform).await.plus(duration);
        let moved = self
            .platform
            .db
            .write(|tx| async move { self.platform.clock.move_to(&tx, target).await.map(|_| ()) });
        moved.await.map_err(|error: DbErr| error).expect("the clock moves");
    }

    async fn register(&self, token: &str) -> (MethodKey, Registration) {
        let method = PaymentMethodId::generate(now(&self.platform).await);
        let key = MethodKey { account: self.account, method };
        (key, self.provider.register(&self.register_of(key, token).await).await.expect("an answer"))
    }

    async fn register_of(&self, key: MethodKey, token: &str) -> Register {
        let means = TEST_MEANS.into_iter().find(|means| means.token == token).expect("a documented token");
        Register { key, kind: means.kind, token: token.into(), begun: now(&self.platform).await }
    }

    /// How the registration of `token` under `key` stands.
    async fn registration(&self, key: MethodKey, token: &str) -> Registration {
        let known = self.provider.registration(&self.register_of(key, token).await, None).await;
        known.expect("an answer").expect("it arrived")
    }

    /// Registers `token`, approving whatever has to be approved, and charges it.
    async fn charge(&self, token: &str) -> (Charge, ChargeOutcome) {
        let (key, _) = self.register(token).await;
        self.provider.decide_method(key, &Decision::Approved).await.expect("an answer");
        let known = self.registration(key, token).await;
        let Registration::Valid { reference, .. } = known else { panic!("{known:?}") };
        let kind = self.register_of(key, token).await.kind;
        self.charge_on(Source::Registered { kind, reference }, Initiator::Merchant).await
    }

    async fn charge_on(&self, source: Source, initiator: Initiator) -> (Charge, ChargeOutcome) {
        let charge = self.charge_of(source, initiator).await;
        let report = self.provider.charge(&charge).await.expect("an answer");
        (charge, report.outcome)
    }

    async fn charge_of(&self, source: Source, initiator: Initiator) -> Charge {
        let begun = now(&self.platform).await;
        Charge {
            key: ChargeKey { account: self.account, payment: PaymentId::generate(begun) },
            amount: Self::amount(),
            source,
            initiator,
            description: "a test".to_owned(),
            statement: "FLORIN".to_owned(),
            begun,
        }
    }

    async fn fetch(&self, charge: &Charge) -> ChargeOutcome {
        self.provider.fetch(charge, None).await.expect("an answer").expect("it arrived").outcome
    }
}

async fn now(platform: &Platform) -> Instant {
    platform.clock.now(platform.db.reader()).await.expect("a clock")
}

fn declined_soft(code: &str) -> ChargeOutcome {
    ChargeOutcome::DeclinedSoft { code: code.into() }
}

/// The sandbox as a stage of the contract: the network in between loses what it is told to.
struct Theatre {
    bank: Bank,
    network: Mutex<Option<Loss>>,
    pushed: Mutex<Vec<(NoticeSubject, String)>>,
}

impl Theatre {
    fn push(&self, about: NoticeSubject) {
        let mut pushed = self.pushed.lock().expect("nobody panicked");
        let event = format!("event-{}", pushed.len());
        pushed.push((about, event));
    }

    /// What the network does to the next exchange.
    fn loss(&self) -> Option<Loss> {
        self.network.lock().expect("nobody panicked").take()
    }
}

fn lost() -> ProviderUnknown {
    ProviderUnknown::new("timeout")
}

/// `change` over the network, which may lose the question or the answer.
macro_rules! over_network {
    ($self:ident, $change:expr) => {
        match $self.loss() {
            None => $change.await,
            Some(Loss::Question) => Err(lost()),
            Some(Loss::Answer) => $change.await.and_then(|_| Err(lost())),
        }
    };
}

#[async_trait::async_trait]
impl Provider for Theatre {
    fn capabilities(&self) -> Capabilities {
        self.bank.provider.capabilities()
    }

    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        self.bank.provider.recognise(token).await
    }

    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown> {
        over_network!(self, self.bank.provider.register(method))
    }

    async fn registration(
        &self,
        method: &Register,
        reference: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        self.bank.provider.registration(method, reference).await
    }

    async fn forget(&self, method: &Forget) -> Result<(), ProviderUnknown> {
        over_network!(self, self.bank.provider.forget(method))
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        over_network!(self, self.bank.provider.charge(charge))
    }

    async fn fetch(
        &self,
        charge: &Charge,
        reference: Option<&str>,
    ) -> Result<Option<ChargeReport>, ProviderUnknown> {
        self.bank.provider.fetch(charge, reference).await
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        over_network!(self, self.bank.provider.refund(refund))
    }

    async fn fetch_refund(
        &self,
        refund: &GiveBack,
        reference: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown> {
        self.bank.provider.fetch_refund(refund, reference).await
    }

    async fn read_notice(&self, raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused> {
        self.bank.provider.read_notice(raw, now).await
    }
}

#[async_trait::async_trait]
impl Stage for Theatre {
    fn provider(&self) -> &dyn Provider {
        self
    }

    fn account(&self) -> AccountId {
        self.bank.account
    }

    fn amount(&self) -> Money {
        Bank::amount()
    }

    async fn now(&self) -> Instant {
        now(&self.bank.platform).await
    }

    async fn pass(&self, duration: Duration) {
        self.bank.pass(duration).await;
    }

    async fn token(&self, actor: Actor) -> String {
        let token = match actor {
            Actor::Card => "card-frictionless",
            Actor::CardWithAction => "card-approved",
            Actor::CardDeclinedSoft => "card-declined-soft",
            Actor::CardDeclinedFinal => "card-declined-final",
            Actor::CardRejected => "card-rejected",
            Actor::BankAccount => "iban-approved",
            Actor::Paypal => "paypal-approved",
            Actor::Nobody => "card-nobody-knows",
        };
        token.to_owned()
    }

    async fn decide_charge(&self, key: ChargeKey, decision: &Decision) {
        self.bank.provider.decide_charge(key, decision).await.expect("an answer");
        self.push(NoticeSubject::Charge(key));
    }

    async fn decide_method(&self, key: MethodKey, decision: &Decision) {
        self.bank.provider.decide_method(key, decision).await.expect("an answer");
        self.push(NoticeSubject::Method(key));
    }

    async fn dispute(&self, key: ChargeKey, amount: Money, standing: DisputeStanding) {
        let tx = self.bank.platform.db.begin_write().await.expect("a transaction");
        let decided = self.bank.provider.dispute_charge(&tx, key, Some(amount), standing).await;
        tx.commit().await.expect("it is booked");
        assert_eq!(decided.expect("an answer"), Decided::Stands);
        self.push(NoticeSubject::Charge(key));
    }

    async fn decide_dispute(&self, key: ChargeKey, standing: DisputeStanding) {
        let tx = self.bank.platform.db.begin_write().await.expect("a transaction");
        let decided = self.bank.provider.decide_dispute(&tx, key, standing).await;
        tx.commit().await.expect("it is booked");
        assert_eq!(decided.expect("an answer"), Decided::Stands);
        self.push(NoticeSubject::Charge(key));
    }

    async fn lose(&self, loss: Loss) {
        *self.network.lock().expect("nobody panicked") = Some(loss);
    }

    async fn moved(&self, key: ChargeKey) -> Moved {
        let reader = self.bank.platform.db.reader();
        let text = "SELECT CAST(CASE WHEN state = 'CAPTURED' THEN amount ELSE 0 END AS bigint), refunded \
                    FROM sandbox_provider_charge WHERE account_id = $1 AND payment_id = $2";
        let values = [key.account.into(), key.payment.into()];
        let row = reader.query_one_raw(sql(reader, text, values)).await.expect("a query");
        row.map_or_else(Moved::default, |row| Moved {
            captured: row.try_get_by_index(0).expect("an amount"),
            refunded: row.try_get_by_index(1).expect("an amount"),
        })
    }

    async fn pushed(&self) -> Vec<RawNotice> {
        let at = now(&self.bank.platform).await;
        let pushed = std::mem::take(&mut *self.pushed.lock().expect("nobody panicked"));
        pushed.into_iter().map(|(about, event)| self.bank.provider.notice(about, &event, at)).collect()
    }
}

on_both_backends! {
    async fn the_sandbox_keeps_the_contract(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let theatre = Theatre { bank, network: Mutex::new(None), pushed: Mutex::new(Vec::new()) };
        let breaches = contract::check(&theatre).await;
        assert!(breaches.is_empty(), "{breaches:#?}");
    }

    async fn every_documented_token_registers_as_documented(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        for means in TEST_MEANS {
            let (_, registration) = bank.register(means.token).await;
            let as_documented = match (&registration, means.registering) {
                (Registration::Valid { details, .. }, Registering::Valid) => {
                    details.three_d_secure == (means.kind == MethodKind::Card)
                }
                (Registration::ActionRequired { url, details, .. }, Registering::Action) => {
                    url.starts_with("https://florin.example/sandbox/accounts/acct_") && !details.three_d_secure
                }
                (Registration::Failed { code }, Registering::Fails(expected))
                | (Registration::Rejected { code }, Registering::Rejected(expected)) => code == expected,
                _ => false,
            };
            assert!(as_documented, "{}: {registration:?}", means.token);
        }
    }

    async fn a_page_nobody_visits_lapses_after_an_hour(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let (method, _) = bank.register("card-approved").await;
        let source = Source::OneOffCard { token: "card-approved".into() };
        let (charge, waiting) = bank.charge_on(source, Initiator::Customer).await;
        assert!(matches!(&waiting, ChargeOutcome::ActionRequired { url } if url.contains("/payments/pay_")), "{waiting:?}");
        bank.pass(Duration::from_secs(3599)).await;
        assert_eq!(bank.fetch(&charge).await, waiting);
        bank.pass(Duration::from_secs(2)).await;
        assert_eq!(bank.fetch(&charge).await, declined_soft("authentication_abandoned"));
        let known = bank.registration(method, "card-approved").await;
        assert_eq!(known, Registration::Failed { code: "authentication_abandoned".into() });
        let late = bank.provider.decide_charge(charge.key, &Decision::Approved).await.expect("an answer");
        assert_eq!(late, Decided::NotAwaited);
    }

    async fn a_bank_takes_three_days_and_then_does_as_the_token_says(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let (good, pending) = bank.charge("iban-approved").await;
        let (bad, _) = bank.charge("iban-declined").await;
        assert_eq!(pending, ChargeOutcome::Pending);
        bank.pass(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(bank.fetch(&bad).await, ChargeOutcome::Pending);
        bank.pass(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(bank.fetch(&good).await, ChargeOutcome::Succeeded);
        assert_eq!(bank.fetch(&bad).await, declined_soft("insufficient_funds"));
    }

    async fn what_was_decided_stands(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let source = Source::OneOffCard { token: "card-approved".into() };
        let (charge, _) = bank.charge_on(source, Initiator::Customer).await;
        let decline = Decision::Declined { code: "declined_by_test".into(), finality: Finality::Final };
        for _ in 0..2 {
            let approved = bank.provider.decide_charge(charge.key, &Decision::Approved).await.expect("an answer");
            assert_eq!(approved, Decided::Stands);
        }
        let declined = bank.provider.decide_charge(charge.key, &decline).await.expect("an answer");
        assert_eq!(declined, Decided::NotAwaited);
        assert_eq!(bank.fetch(&charge).await, ChargeOutcome::Succeeded);
    }

    async fn paypal_is_charged_as_its_token_says(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        assert_eq!(bank.charge("paypal-approved").await.1, ChargeOutcome::Succeeded);
        let declined = ChargeOutcome::DeclinedFinal { code: "payer_account_restricted".into() };
        assert_eq!(bank.charge("paypal-declined").await.1, declined);
    }

    async fn only_the_first_answer_is_lost(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let (_, registration) = bank.register("card-timeout-declined").await;
        let Registration::Valid { reference, .. } = registration else { panic!("{registration:?}") };
        let source = Source::Registered { kind: MethodKind::Card, reference };
        let charge = bank.charge_of(source, Initiator::Merchant).await;
        assert!(bank.provider.charge(&charge).await.is_err());
        let again = bank.provider.charge(&charge).await.expect("an answer");
        assert_eq!(again.outcome, declined_soft("do_not_honor"));
    }
}
