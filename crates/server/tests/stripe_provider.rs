//! Stripe, as far as our peer speaks like it, keeps the contract of every provider (R3.7), and what is Stripe's
//! own: keys that are forgotten, 3-D Secure that was not passed, cards that are renewed.

use std::time::Duration;

use florin_payment::{
    Decision, DisputeStanding, Initiator, MethodKind, PaymentId, PaymentMethodId, Provider,
    provider::{
        Charge, ChargeKey, ChargeOutcome, GiveBack, MethodKey, NoticeSubject, RawNotice, RefundOutcome,
        Register, Registration, Source,
        contract::{self, Actor, Loss, Moved, Stage},
    },
};
use florin_peer::{Fault, Peer, Signed, shapes};
use florin_platform::{Platform, clock::Clock, db::Db, id::AccountId, secret::ServerKey};
use florin_server::{
    config::Secret,
    provider::stripe::{API_VERSION, Settings, StripeProvider},
};
use florin_settlement::{Currency, Instant, Money};
use florin_testbed::{Backend, TestDatabase};
use sea_orm::DbErr;

const SECRET_KEY: &str = "sk_test_peer";
const WEBHOOK_SECRET: &str = "whsec_peer";
const HOUR: Duration = Duration::from_secs(3600);

/// The adapter under test, and the peer it speaks with.
struct Theatre {
    platform: Platform,
    provider: StripeProvider,
    peer: Peer,
    account: AccountId,
    _db: TestDatabase,
}

impl Theatre {
    async fn open() -> Self {
        let db = TestDatabase::create(Backend::Sqlite).await;
        let platform = Platform {
            db: Db::connect(db.url()).await.expect("the database opens"),
            clock: Clock::Sandbox,
            key: ServerKey::try_new(vec![7; 32]).expect("long enough"),
        };
        let peer = Peer::start(SECRET_KEY, WEBHOOK_SECRET).await;
        let settings = Settings {
            url: peer.url().to_owned(),
            secret_key: Secret::new(SECRET_KEY),
            webhook_secrets: vec![Secret::new("whsec_other"), Secret::new(WEBHOOK_SECRET)],
            return_url: "https://florin.example/pay/return".to_owned(),
            answer_max: Duration::from_secs(2),
        };
        let provider = StripeProvider::new(platform.clone(), settings).expect("certificates");
        let now = platform.clock.now(platform.db.reader()).await.expect("a clock");
        let theatre = Self { platform, provider, peer, account: AccountId::generate(now), _db: db };
        theatre.tell_time().await;
        theatre
    }

    async fn tell_time(&self) {
        self.peer.set_now(self.now().await.micros().div_euclid(1_000_000));
    }

    fn payment_intent(&self, key: ChargeKey) -> String {
        self.peer.intent_with("florin_payment", &key.payment.to_string()).expect("it arrived")
    }

    fn setup_intent(&self, key: MethodKey) -> String {
        self.peer.intent_with("florin_method", &key.method.to_string()).expect("it arrived")
    }

    async fn register_of(&self, kind: MethodKind, token: &str) -> Register {
        let begun = self.now().await;
        let key = MethodKey { account: self.account, method: PaymentMethodId::generate(begun) };
        Register { key, kind, token: token.to_owned(), begun }
    }

    async fn charge_of(&self, source: Source, initiator: Initiator) -> Charge {
        let begun = self.now().await;
        Charge {
            key: ChargeKey { account: self.account, payment: PaymentId::generate(begun) },
            amount: self.amount(),
            source,
            initiator,
            description: "accounts/a/creditOrders/o".to_owned(),
            statement: "FLORIN".to_owned(),
            begun,
        }
    }

    /// Registers what becomes VALID at once; a charge on it that Florin initiates.
    async fn registered(&self, kind: MethodKind, token: &str) -> (Register, Charge) {
        let register = self.register_of(kind, token).await;
        let registration = self.provider.register(&register).await.expect("an answer");
        let Registration::Valid { reference, .. } = registration else { panic!("{registration:?}") };
        let charge = self.charge_of(Source::Registered { kind, reference }, Initiator::Merchant).await;
        (register, charge)
    }

    async fn one_off(&self, token: &str) -> Charge {
        self.charge_of(Source::OneOffCard { token: token.to_owned() }, Initiator::Customer).await
    }

    async fn charged(&self, charge: &Charge) -> ChargeOutcome {
        self.provider.charge(charge).await.expect("an answer").outcome
    }

    /// What the notices since the last time are about.
    async fn told(&self) -> Vec<NoticeSubject> {
        let mut about = Vec::new();
        for raw in self.pushed().await {
            let read = self.provider.read_notice(&raw, self.now().await).await.expect("it can be read");
            about.extend(read.into_iter().map(|notice| notice.about));
        }
        about
    }

    fn creates(&self, path: &str) -> usize {
        self.peer.asked().iter().filter(|asked| **asked == format!("POST {path}")).count()
    }
}

fn raw(Signed { signature, body }: Signed) -> RawNotice {
    RawNotice { headers: vec![("Stripe-Signature".to_owned(), signature)], body: body.into_bytes() }
}

#[async_trait::async_trait]
impl Stage for Theatre {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn account(&self) -> AccountId {
        self.account
    }

    fn amount(&self) -> Money {
        Money::new(1200, Currency::parse("EUR").expect("a currency"))
    }

    async fn now(&self) -> Instant {
        self.platform.clock.now(self.platform.db.reader()).await.expect("a clock")
    }

    async fn pass(&self, duration: Duration) {
        let target = self.now().await.plus(duration);
        let moved = self
            .platform
            .db
            .write(|tx| async move { self.platform.clock.move_to(&tx, target).await.map(|_| ()) });
        moved.await.map_err(|error: DbErr| error).expect("the clock moves");
        self.tell_time().await;
    }

    async fn token(&self, actor: Actor) -> String {
        let token = match actor {
            Actor::Card => "pm_card_visa",
            Actor::CardWithAction => "pm_card_authenticationRequired",
            Actor::CardDeclinedSoft => "pm_peer_declined_soft",
            Actor::CardDeclinedFinal => "pm_peer_declined_final",
            Actor::CardRejected => "pm_peer_rejected",
            Actor::BankAccount => "pm_peer_sepa",
            Actor::Paypal => "pm_peer_paypal",
            Actor::Nobody => "pm_nobody_knows",
        };
        token.to_owned()
    }

    async fn decide_charge(&self, key: ChargeKey, decision: &Decision) {
        match decision {
            Decision::Approved => self.peer.approve(&self.payment_intent(key)),
            Decision::Declined { code, .. } => self.peer.decline(&self.payment_intent(key), code),
        }
    }

    async fn decide_method(&self, key: MethodKey, decision: &Decision) {
        match decision {
            Decision::Approved => self.peer.approve(&self.setup_intent(key)),
            Decision::Declined { code, .. } => self.peer.decline(&self.setup_intent(key), code),
        }
    }

    async fn dispute(&self, key: ChargeKey, amount: Money, standing: DisputeStanding) {
        let can_be_won = standing == DisputeStanding::Open;
        let _ = self.peer.dispute(&self.payment_intent(key), amount.minor(), can_be_won);
    }

    async fn decide_dispute(&self, key: ChargeKey, standing: DisputeStanding) {
        self.peer.decide_dispute(&self.payment_intent(key), standing == DisputeStanding::Won);
    }

    async fn lose(&self, loss: Loss) {
        self.peer.next(match loss {
            Loss::Question => Fault::LoseQuestion,
            Loss::Answer => Fault::LoseAnswer,
        });
    }

    async fn moved(&self, key: ChargeKey) -> Moved {
        let moved = self.peer.moved("florin_payment", &key.payment.to_string());
        Moved { captured: moved.captured, refunded: moved.refunded }
    }

    async fn pushed(&self) -> Vec<RawNotice> {
        self.peer.take_events().into_iter().map(raw).collect()
    }
}

#[tokio::test]
async fn stripe_keeps_the_contract() {
    let theatre = Theatre::open().await;
    let breaches = contract::check(&theatre).await;
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// The peer is no better than its likeness: whatever it made while the contract was played has Stripe's shape.
#[tokio::test]
async fn the_peer_answers_in_the_shapes_stripe_publishes() {
    assert_eq!(shapes::version(), API_VERSION, "the extract is of the version that is spoken");
    let theatre = Theatre::open().await;
    let (sepa, _) = theatre.registered(MethodKind::BankAccount, "pm_peer_sepa").await;
    let _ = theatre.registered(MethodKind::Card, "pm_peer_no_three_d_secure").await;
    assert!(sepa.begun <= theatre.now().await);
    contract::check(&theatre).await;
    let objects = theatre.peer.objects();
    for kind in [
        "customer",
        "payment_method",
        "setup_intent",
        "setup_attempt",
        "payment_intent",
        "charge",
        "refund",
        "dispute",
        "mandate",
        "event",
    ] {
        assert!(objects.iter().any(|object| object["object"] == kind), "no {kind} was made");
    }
    for object in objects {
        let differences = shapes::differences(&object);
        assert!(differences.is_empty(), "{differences:#?}\nof {object:#}");
    }
}

#[tokio::test]
async fn no_create_is_sent_again_once_stripe_may_have_forgotten_its_key() {
    let theatre = Theatre::open().await;
    let (_, charge) = theatre.registered(MethodKind::Card, "pm_card_visa").await;
    theatre.peer.next(Fault::LoseAnswer);
    theatre.provider.charge(&charge).await.expect_err("the answer is lost");
    let (_, never) = theatre.registered(MethodKind::Card, "pm_card_visa").await;
    theatre.peer.next(Fault::LoseQuestion);
    theatre.provider.charge(&never).await.expect_err("the question is lost");
    theatre.pass(23 * HOUR).await;
    let creates = theatre.creates("/v1/payment_intents");
    assert_eq!(theatre.charged(&charge).await, ChargeOutcome::Succeeded);
    let lapsed = ChargeOutcome::DeclinedSoft { code: "never_received".to_owned() };
    assert_eq!(theatre.charged(&never).await, lapsed);
    assert_eq!(theatre.creates("/v1/payment_intents"), creates, "nothing was created");
    assert_eq!(Stage::moved(&theatre, charge.key).await.captured, 1200);
    assert_eq!(Stage::moved(&theatre, never.key).await.captured, 0);
}

#[tokio::test]
async fn who_never_answers_is_not_waited_for_and_found_later() {
    let theatre = Theatre::open().await;
    for (fault, found) in [(Fault::NeverAnswer, true), (Fault::NeverDo, false)] {
        let (_, charge) = theatre.registered(MethodKind::Card, "pm_card_visa").await;
        theatre.peer.next(fault);
        theatre.provider.charge(&charge).await.expect_err("no answer in time");
        let known = theatre.provider.fetch(&charge, None).await.expect("an answer");
        assert_eq!(known.is_some(), found);
        assert_eq!(theatre.charged(&charge).await, ChargeOutcome::Succeeded);
        assert_eq!(Stage::moved(&theatre, charge.key).await.captured, 1200);
    }
}

#[tokio::test]
async fn what_is_too_busy_is_asked_again_a_few_times_and_a_failure_is_not_an_answer() {
    let theatre = Theatre::open().await;
    let (_, charge) = theatre.registered(MethodKind::Card, "pm_card_visa").await;
    for _ in 0..2 {
        theatre.peer.next(Fault::Status(429));
    }
    assert_eq!(theatre.charged(&charge).await, ChargeOutcome::Succeeded);
    let (_, other) = theatre.registered(MethodKind::Card, "pm_card_visa").await;
    for status in [500, 401] {
        theatre.peer.next(Fault::Status(status));
        theatre.provider.charge(&other).await.expect_err("what happened is not known");
    }
    assert_eq!(theatre.charged(&other).await, ChargeOutcome::Succeeded);
}

/// R3.3: a card given for once that did not pass 3-D Secure takes no money.
#[tokio::test]
async fn a_card_given_for_once_is_captured_only_after_three_d_secure() {
    let theatre = Theatre::open().await;
    let passed = theatre.one_off("pm_card_visa").await;
    assert_eq!(theatre.charged(&passed).await, ChargeOutcome::Succeeded);
    let not_passed = theatre.one_off("pm_peer_no_three_d_secure").await;
    let refused = ChargeOutcome::DeclinedFinal { code: "three_d_secure_not_passed".to_owned() };
    assert_eq!(theatre.charged(&not_passed).await, refused);
    assert_eq!(
        theatre.provider.fetch(&not_passed, None).await.expect("an answer").expect("known").outcome,
        refused
    );
    assert_eq!(Stage::moved(&theatre, not_passed.key).await.captured, 0);
}

#[tokio::test]
async fn a_customer_who_leaves_loses_the_attempt_after_an_hour() {
    let theatre = Theatre::open().await;
    let charge = theatre.one_off("pm_card_authenticationRequired").await;
    assert!(matches!(theatre.charged(&charge).await, ChargeOutcome::ActionRequired { .. }));
    let register = theatre.register_of(MethodKind::Card, "pm_card_authenticationRequired").await;
    theatre.provider.register(&register).await.expect("an answer");
    theatre.pass(HOUR).await;
    let gone = ChargeOutcome::DeclinedSoft { code: "authentication_abandoned".to_owned() };
    for _ in 0..2 {
        let known = theatre.provider.fetch(&charge, None).await.expect("an answer").expect("known");
        assert_eq!(known.outcome, gone);
        let known = theatre.provider.registration(&register, None).await.expect("an answer");
        assert_eq!(known, Some(Registration::Failed { code: "authentication_abandoned".to_owned() }));
    }
    theatre.decide_charge(charge.key, &Decision::Approved).await;
    assert_eq!(Stage::moved(&theatre, charge.key).await.captured, 0, "who comes back too late pays nothing");
}

#[tokio::test]
async fn a_bank_that_asks_again_while_the_customer_is_away_declines_for_now() {
    let theatre = Theatre::open().await;
    let (_, away) = theatre.registered(MethodKind::Card, "pm_peer_asks_again").await;
    let declined = ChargeOutcome::DeclinedSoft { code: "authentication_required".to_owned() };
    assert_eq!(theatre.charged(&away).await, declined);
    let there = theatre.charge_of(away.source.clone(), Initiator::Customer).await;
    assert!(matches!(theatre.charged(&there).await, ChargeOutcome::ActionRequired { .. }));
    theatre.decide_charge(there.key, &Decision::Approved).await;
    let known = theatre.provider.fetch(&there, None).await.expect("an answer").expect("known");
    assert_eq!(known.outcome, ChargeOutcome::Succeeded);
}

#[tokio::test]
async fn a_renewed_card_and_a_mandate_that_ended_are_told_of() {
    let theatre = Theatre::open().await;
    let (card, charge) = theatre.registered(MethodKind::Card, "pm_card_visa").await;
    let Source::Registered { reference, .. } = &charge.source else { panic!("{charge:?}") };
    theatre.told().await;
    theatre.peer.renew_card(reference.split_once('/').expect("two parts").1, 2065, 3);
    assert_eq!(theatre.told().await, [NoticeSubject::Method(card.key)]);
    let renewed = theatre.provider.registration(&card, Some(reference)).await.expect("an answer");
    let Some(Registration::Valid { details, .. }) = renewed else { panic!("{renewed:?}") };
    assert_eq!(details.expiry.map(|expiry| (expiry.year, expiry.month)), Some((2065, 3)));

    let (debit, charge) = theatre.registered(MethodKind::BankAccount, "pm_peer_sepa").await;
    let Source::Registered { reference, .. } = &charge.source else { panic!("{charge:?}") };
    theatre.told().await;
    theatre.peer.revoke_mandate(reference.split_once('/').expect("two parts").1);
    assert_eq!(theatre.told().await, [NoticeSubject::Method(debit.key)]);
    let revoked = theatre.provider.registration(&debit, Some(reference)).await.expect("an answer");
    assert_eq!(revoked, Some(Registration::Revoked { code: "mandate_inactive".to_owned() }));
}

#[tokio::test]
async fn one_account_is_one_customer_however_many_ask_at_once_and_whatever_is_forgotten() {
    let theatre = &Theatre::open().await;
    let many = (0..8).map(|_| async move {
        theatre.provider.register(&theatre.register_of(MethodKind::Card, "pm_card_visa").await).await
    });
    for answer in futures::future::join_all(many).await {
        answer.expect("an answer");
    }
    theatre.pass(25 * HOUR).await;
    let settings = Settings {
        url: theatre.peer.url().to_owned(),
        secret_key: Secret::new(SECRET_KEY),
        webhook_secrets: vec![Secret::new(WEBHOOK_SECRET)],
        return_url: "https://florin.example/pay/return".to_owned(),
        answer_max: Duration::from_secs(2),
    };
    let restarted = StripeProvider::new(theatre.platform.clone(), settings).expect("certificates");
    restarted
        .register(&theatre.register_of(MethodKind::Card, "pm_card_visa").await)
        .await
        .expect("an answer");
    let customers = theatre.peer.objects();
    assert_eq!(customers.iter().filter(|object| object["object"] == "customer").count(), 1);
}

#[tokio::test]
async fn a_refund_whose_key_is_forgotten_is_looked_up() {
    let theatre = Theatre::open().await;
    let (_, charge) = theatre.registered(MethodKind::Card, "pm_card_visa").await;
    theatre.charged(&charge).await;
    let key = contract_refund(&theatre, &charge).await;
    theatre.peer.next(Fault::LoseAnswer);
    theatre.provider.refund(&key).await.expect_err("the answer is lost");
    theatre.pass(25 * HOUR).await;
    let creates = theatre.creates("/v1/refunds");
    assert_eq!(theatre.provider.refund(&key).await.expect("an answer").outcome, RefundOutcome::Done);
    assert_eq!(theatre.creates("/v1/refunds"), creates);
    assert_eq!(Stage::moved(&theatre, charge.key).await.refunded, 1200);
}

async fn contract_refund(theatre: &Theatre, charge: &Charge) -> GiveBack {
    let begun = theatre.now().await;
    GiveBack {
        key: florin_payment::RefundId::generate(begun),
        charge: charge.key,
        charge_reference: None,
        amount: charge.amount,
        begun,
    }
}

#[tokio::test]
async fn what_is_not_florins_is_passed_over() {
    let theatre = Theatre::open().await;
    for object in [
        r#"{"id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","metadata":null}}}"#,
        r#"{"id":"evt_2","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","metadata":{"florin_account":"nobody"}}}}"#,
        r#"{"id":"evt_3","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1"}}}"#,
        r#"{"id":"evt_4","object":"event","type":"balance.available","data":{"object":{"object":"balance"}}}"#,
    ] {
        let read = theatre.provider.read_notice(&raw(theatre.peer.sign(object)), theatre.now().await).await;
        assert_eq!(read.expect("it can be read"), [], "{object}");
    }
    let odd = theatre.provider.read_notice(&raw(theatre.peer.sign("[]")), theatre.now().await).await;
    assert!(matches!(odd, Err(florin_payment::provider::NoticeRefused::Unreadable(_))), "{odd:?}");
}
