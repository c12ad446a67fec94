//! The sandbox's provider keeps the contract of every provider, and does what its tokens say (R3.7).

use std::time::Duration;

use florin_payment::{
    CustomerDecisions, Decided, Decision, Finality, Initiator, MethodKind, PaymentId, PaymentMethodId,
    Provider,
    provider::{
        Charge, ChargeKey, ChargeOutcome, MethodKey, Register, Registration, Source,
        contract::{self, Script},
    },
};
use florin_platform::{Platform, clock::Clock, db::Db, id::AccountId, secret::ServerKey};
use florin_server::provider::sandbox::{
    SandboxProvider,
    test_means::{Registering, TEST_MEANS},
};
use florin_settlement::{Currency, Instant, Money};
use florin_testbed::on_both_backends;
use sea_orm::DbErr;

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
        let means = TEST_MEANS.into_iter().find(|means| means.token == token).expect("a documented token");
        let method = PaymentMethodId::generate(now(&self.platform).await);
        let key = MethodKey { account: self.account, method };
        let register = Register { key, kind: means.kind, token: token.into() };
        (key, self.provider.register(&register).await.expect("an answer"))
    }

    /// Registers `token`, approving whatever has to be approved, and charges it.
    async fn charge(&self, token: &str) -> (ChargeKey, ChargeOutcome) {
        let (key, _) = self.register(token).await;
        self.provider.decide_method(key, &Decision::Approved).await.expect("an answer");
        let known = self.provider.registration(key).await.expect("an answer").expect("it arrived");
        let Registration::Valid { reference, .. } = known else { panic!("{known:?}") };
        self.charge_on(Source::Registered { reference }, Initiator::Merchant).await
    }

    async fn charge_on(&self, source: Source, initiator: Initiator) -> (ChargeKey, ChargeOutcome) {
        let key =
            ChargeKey { account: self.account, payment: PaymentId::generate(now(&self.platform).await) };
        let description = "a test".to_owned();
        let charge = Charge { key, amount: Self::amount(), source, initiator, description };
        (key, self.provider.charge(&charge).await.expect("an answer"))
    }

    async fn fetch(&self, key: ChargeKey) -> ChargeOutcome {
        self.provider.fetch(key).await.expect("an answer").expect("it arrived")
    }
}

async fn now(platform: &Platform) -> Instant {
    platform.clock.now(platform.db.reader()).await.expect("a clock")
}

fn declined_soft(code: &str) -> ChargeOutcome {
    ChargeOutcome::DeclinedSoft { code: code.into() }
}

on_both_backends! {
    async fn the_sandbox_keeps_the_contract(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let script = Script {
            card_frictionless: "card-frictionless".into(),
            card_with_action: "card-approved".into(),
            card_declined_soft: "card-declined-soft".into(),
            card_declined_final: "card-declined-final".into(),
            card_answer_lost: "card-timeout-approved".into(),
            card_rejected: "card-rejected".into(),
            bank_account: "iban-approved".into(),
            unknown: "card-nobody-knows".into(),
            amount: Bank::amount(),
            at: now(&bank.platform).await,
        };
        let breaches = contract::check(&bank.provider, bank.account, &script).await;
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
                (Registration::ActionRequired { url, details }, Registering::Action) => {
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
        assert_eq!(bank.fetch(charge).await, waiting);
        bank.pass(Duration::from_secs(2)).await;
        assert_eq!(bank.fetch(charge).await, declined_soft("authentication_abandoned"));
        let known = bank.provider.registration(method).await.expect("an answer");
        assert_eq!(known, Some(Registration::Failed { code: "authentication_abandoned".into() }));
        let late = bank.provider.decide_charge(charge, &Decision::Approved).await.expect("an answer");
        assert_eq!(late, Decided::NotAwaited);
    }

    async fn a_bank_takes_three_days_and_then_does_as_the_token_says(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let (good, pending) = bank.charge("iban-approved").await;
        let (bad, _) = bank.charge("iban-declined").await;
        assert_eq!(pending, ChargeOutcome::Pending);
        bank.pass(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(bank.fetch(bad).await, ChargeOutcome::Pending);
        bank.pass(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(bank.fetch(good).await, ChargeOutcome::Succeeded);
        assert_eq!(bank.fetch(bad).await, declined_soft("insufficient_funds"));
    }

    async fn what_was_decided_stands(db: TestDatabase) {
        let bank = Bank::open(&db).await;
        let source = Source::OneOffCard { token: "card-approved".into() };
        let (charge, _) = bank.charge_on(source, Initiator::Customer).await;
        let decline = Decision::Declined { code: "declined_by_test".into(), finality: Finality::Final };
        for _ in 0..2 {
            let approved = bank.provider.decide_charge(charge, &Decision::Approved).await.expect("an answer");
            assert_eq!(approved, Decided::Stands);
        }
        let declined = bank.provider.decide_charge(charge, &decline).await.expect("an answer");
        assert_eq!(declined, Decided::NotAwaited);
        assert_eq!(bank.fetch(charge).await, ChargeOutcome::Succeeded);
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
        let key = ChargeKey { account: bank.account, payment: PaymentId::generate(now(&bank.platform).await) };
        let charge = Charge {
            key,
            amount: Bank::amount(),
            source: Source::Registered { reference },
            initiator: Initiator::Merchant,
            description: "a test".into(),
        };
        assert!(bank.provider.charge(&charge).await.is_err());
        assert_eq!(bank.provider.charge(&charge).await.expect("an answer"), declined_soft("do_not_honor"));
    }
}
