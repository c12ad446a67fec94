//! Registering methods, and the one that is the default (R3.1 to R3.4).

use florin_api::payment::v1::{
    ConfirmPaymentMethodRequest, GetPaymentMethodRequest, ListOfferedKindsRequest, ListPaymentMethodsRequest,
    PaymentMethod, PaymentMethodKind, SetDefaultPaymentMethodRequest, payment_method::State,
    payment_method_service_server::PaymentMethodService,
};
use florin_payment::{MethodState, PaymentMethodId, PaymentOutcomeRpc, default_method, find_method};
use florin_platform::call::Principal;
use florin_testbed::on_both_backends;
use tonic::Code;

use crate::{
    scripted::Network,
    world::{World, method_id, reason},
};

async fn get(world: &World, name: &str) -> PaymentMethod {
    let request = GetPaymentMethodRequest { name: name.into() };
    world.method_rpc().get_payment_method(world.request(request)).await.expect("it exists").into_inner()
}

async fn list(world: &World) -> Vec<PaymentMethod> {
    let request =
        ListPaymentMethodsRequest { parent: format!("accounts/{}", world.account), ..Default::default() };
    let listed = world.method_rpc().list_payment_methods(world.request(request)).await.expect("a list");
    listed.into_inner().payment_methods
}

async fn set_default(world: &World, name: &str, etag: &str) -> Result<PaymentMethod, tonic::Status> {
    let request =
        SetDefaultPaymentMethodRequest { name: name.into(), etag: etag.into(), request_id: String::new() };
    world
        .method_rpc()
        .set_default_payment_method(world.request(request))
        .await
        .map(tonic::Response::into_inner)
}

on_both_backends! {
    /// R3.2, R3.4
    async fn a_card_is_valid_after_three_d_secure_and_the_first_valid_one_is_the_default(db: TestDatabase) {
        let world = World::new(&db).await;
        let created = world.register(PaymentMethodKind::Card, "card-approved").await.expect("a card");
        assert_eq!(created.state(), State::Validating);
        assert!(created.action_url.starts_with("https://"));
        assert!(!created.is_default && !created.three_d_secure);

        world.approve(&created.name).await.expect("the customer approves");
        let valid = get(&world, &created.name).await;
        assert_eq!(valid.state(), State::Valid);
        assert!(valid.is_default && valid.three_d_secure && valid.action_url.is_empty());
        assert_eq!(valid.masked_details, "VISA **** 4242");
        assert_ne!(valid.etag, created.etag);
        assert_eq!(world.told(method_id(&created.name)).await, ["valid"]);

        let again = world.approve(&created.name).await.expect_err("nothing is awaited any more");
        assert_eq!((again.code(), reason(&again)), (Code::FailedPrecondition, "NO_ACTION_AWAITED".to_owned()));
        let second = world.card("card-frictionless").await;
        let default = default_method(world.platform.db.reader(), world.account).await.expect("a query");
        assert_ne!(default.map(|method| method.id), Some(second), "the first one stays the default");
    }

    /// R3.2
    async fn confirming_asks_how_the_action_ended(db: TestDatabase) {
        let world = World::new(&db).await;
        let created = world.register(PaymentMethodKind::Card, "card-approved").await.expect("a card");
        let confirm = || {
            let request = ConfirmPaymentMethodRequest { name: created.name.clone(), request_id: String::new() };
            async { world.method_rpc().confirm_payment_method(world.request(request)).await }
        };
        assert_eq!(confirm().await.expect("still waiting").get_ref().state(), State::Validating);
        world.approve(&created.name).await.expect("the customer approves");
        let over = confirm().await.expect_err("it is VALID");
        assert_eq!(reason(&over), "NO_ACTION_AWAITED");
    }

    async fn a_rejected_card_is_kept_as_rejected_and_told(db: TestDatabase) {
        let world = World::new(&db).await;
        let rejected = world.register(PaymentMethodKind::Card, "card-rejected").await.expect("an answer");
        assert_eq!(rejected.state(), State::Rejected);
        assert_eq!(world.told(method_id(&rejected.name)).await, ["refused"]);
        assert_eq!(default_method(world.platform.db.reader(), world.account).await.expect("a query"), None);
        let refused = set_default(&world, &rejected.name, "").await.expect_err("it cannot pay");
        assert_eq!(reason(&refused), "PAYMENT_METHOD_NOT_VALID");
    }

    /// R3.2
    async fn a_customer_who_does_not_pass_the_check_has_no_method(db: TestDatabase) {
        use florin_api::sandbox::v1::{
            DeclinePaymentRequest, decline_payment_response::Subject, payment_outcome_service_server::PaymentOutcomeService,
        };
        let world = World::new(&db).await;
        let created = world.register(PaymentMethodKind::Card, "card-approved").await.expect("a card");
        let request = DeclinePaymentRequest { name: created.name.clone(), ..DeclinePaymentRequest::default() };
        let answer = world.outcome_rpc().decline_payment(world.request(request.clone())).await.expect("declined");
        let Some(Subject::PaymentMethod(failed)) = answer.into_inner().subject else { panic!("a method was declined") };
        assert_eq!((failed.state(), failed.action_url.as_str()), (State::Failed, ""));
        assert_eq!(world.told(method_id(&created.name)).await, ["refused"]);
        let loud = DeclinePaymentRequest { decline_code: "Not A Code".into(), ..request };
        let refused = world.outcome_rpc().decline_payment(world.request(loud)).await.expect_err("not a code");
        assert_eq!(reason(&refused), "INVALID_ARGUMENT_VIOLATIONS");
    }

    /// R3.1, R3.3
    async fn nothing_but_a_card_may_be_the_first(db: TestDatabase) {
        let world = World::new(&db).await;
        let offers = || async {
            let request = ListOfferedKindsRequest { parent: format!("accounts/{}", world.account) };
            let offered = world.method_rpc().list_offered_kinds(world.request(request)).await.expect("offers");
            offered.into_inner().offered_kinds.iter().map(|kind| (kind.kind(), kind.available)).collect::<Vec<_>>()
        };
        let (card, bank) = (PaymentMethodKind::Card, PaymentMethodKind::BankAccount);
        assert_eq!(offers().await, [(card, true), (bank, false)]);
        let early = world.register(bank, "iban-approved").await.expect_err("not the first");
        assert_eq!(reason(&early), "FIRST_PAYMENT_NEEDS_CARD");
        let elsewhere = world.register(PaymentMethodKind::Paypal, "paypal-approved").await.expect_err("in Belgium");
        assert_eq!(reason(&elsewhere), "PAYMENT_METHOD_KIND_NOT_OFFERED");

        let method = world.card("card-frictionless").await;
        world.collect("invoices/1", method).await;
        assert_eq!(offers().await, [(card, true), (bank, true)]);
        assert_eq!(world.register(bank, "iban-approved").await.expect("a mandate").state(), State::Validating);
    }

    async fn a_token_nobody_knows_stores_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let unknown = world.register(PaymentMethodKind::Card, "nothing").await.expect_err("unknown");
        assert_eq!((unknown.code(), reason(&unknown)), (Code::InvalidArgument, "PROVIDER_TOKEN_INVALID".to_owned()));
        let other = world.register(PaymentMethodKind::Card, "iban-approved").await.expect_err("not a card");
        assert_eq!(reason(&other), "INVALID_ARGUMENT_VIOLATIONS");
        assert_eq!(list(&world).await.len(), 0);
    }

    async fn every_violation_of_a_new_method_is_named(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut request = world.new_method(PaymentMethodKind::Unspecified, "");
        request.payment_method.as_mut().expect("given").label = "x".repeat(256);
        let refused = world.method_rpc().create_payment_method(world.request(request)).await.expect_err("invalid");
        let details = tonic_types::StatusExt::get_error_details(&refused);
        let fields: Vec<_> = details
            .bad_request()
            .expect("violations")
            .field_violations
            .iter()
            .map(|violation| violation.field.clone())
            .collect();
        assert_eq!(fields, ["payment_method.kind", "payment_method.label", "provider_token"]);
    }

    async fn the_same_request_registers_once_and_gets_the_same_answer(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut request = world.new_method(PaymentMethodKind::Card, "card-approved");
        request.request_id = "once".into();
        let create = |request| async { world.method_rpc().create_payment_method(world.request(request)).await };
        let first = create(request.clone()).await.expect("a card").into_inner();
        assert_eq!(create(request.clone()).await.expect("the same").into_inner(), first);
        assert_eq!(list(&world).await.len(), 1);
        request.provider_token = "card-frictionless".into();
        assert_eq!(reason(&create(request).await.expect_err("another")), "REQUEST_ID_REUSED");
    }

    /// R3.6
    async fn a_lost_registration_is_finished_by_the_job(db: TestDatabase) {
        let world = World::new(&db).await;
        world.provider.network(Network::AnswersLost);
        let lost = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect_err("no answer");
        assert_eq!((lost.code(), reason(&lost)), (Code::Unavailable, "PAYMENT_PROVIDER_UNAVAILABLE".to_owned()));
        let creating = list(&world).await.pop().expect("it was stored before the provider was called");
        assert_eq!(creating.state(), State::Creating);

        world.pass_seconds(60).await;
        assert_eq!(get(&world, &creating.name).await.state(), State::Valid);
        assert_eq!(world.told(method_id(&creating.name)).await, ["valid"]);
    }

    /// R3.6
    async fn a_lost_registration_is_finished_by_the_same_request_again(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut request = world.new_method(PaymentMethodKind::Card, "card-frictionless");
        request.request_id = "once".into();
        let create = || async { world.method_rpc().create_payment_method(world.request(request.clone())).await };
        world.provider.network(Network::Down);
        assert!(create().await.is_err());
        assert_eq!(list(&world).await.len(), 0, "what is not recognised is not stored");
        world.provider.network(Network::AnswersLost);
        assert!(create().await.is_err());
        world.provider.network(Network::Up);
        assert_eq!(create().await.expect("a card").get_ref().state(), State::Valid);
        assert_eq!(list(&world).await.len(), 1);
    }

    /// R3.4
    async fn twenty_at_once_leave_exactly_one_default(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut names = Vec::new();
        for _ in 0..20 {
            names.push(world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card").name);
        }
        let set = futures::future::join_all(names.iter().map(|name| set_default(&world, name, ""))).await;
        assert!(set.iter().all(Result::is_ok), "{set:?}");
        let defaults = list(&world).await.into_iter().filter(|method| method.is_default).count();
        assert_eq!(defaults, 1);
        let rows = world.count(
            "SELECT CAST(count(*) AS bigint) FROM default_payment_method WHERE account_id = $1",
            [world.account.into()],
        );
        assert_eq!(rows.await, 1);
    }

    async fn a_stale_etag_moves_no_default(db: TestDatabase) {
        let world = World::new(&db).await;
        let first = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card");
        let second = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card");
        let moved = set_default(&world, &second.name, &second.etag).await.expect("the etag is current");
        assert!(moved.is_default);
        let stale = set_default(&world, &first.name, &first.etag).await.expect_err("it was the default when read");
        assert_eq!((stale.code(), reason(&stale)), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    }

    /// R12.1
    async fn anothers_method_does_not_exist(db: TestDatabase) {
        let world = World::new(&db).await;
        let method = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card");
        let other = world.new_account().await;
        let session = florin_platform::id::Id::generate(world.now().await);
        let stranger = Principal::Customer { account: other, session };
        let request = GetPaymentMethodRequest { name: method.name.clone() };
        let seen = world.method_rpc().get_payment_method(world.request_by(stranger, request)).await;
        let nothing = PaymentMethodId::generate(world.now().await);
        let missing = format!("accounts/{}/paymentMethods/{nothing}", world.account);
        let request = GetPaymentMethodRequest { name: missing.clone() };
        let absent = world.method_rpc().get_payment_method(world.request(request)).await;
        let (seen, absent) = (seen.expect_err("foreign"), absent.expect_err("absent"));
        assert_eq!((seen.code(), reason(&seen)), (absent.code(), reason(&absent)));
        assert_eq!(seen.message().replace(&method.name, &missing), absent.message());
        let foreign = world.execute(
            "INSERT INTO default_payment_method (account_id, method_id) VALUES ($1, $2)",
            [other.into(), method_id(&method.name).into()],
        );
        assert!(foreign.await.is_err(), "the default is a method of the same account");
    }

    /// R3.2, R3.4
    async fn an_expired_card_hands_the_default_on(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        world.collect("invoices/1", card).await;
        let bank = world.register(PaymentMethodKind::BankAccount, "iban-approved").await.expect("a mandate");
        world.approve(&bank.name).await.expect("the mandate is given");
        world.pass_seconds(200 * 86_400).await;
        let found = find_method(world.platform.db.reader(), world.account, card).await.expect("a query");
        assert_eq!(found.expect("it exists").state, MethodState::Expired);
        let default = default_method(world.platform.db.reader(), world.account).await.expect("a query");
        assert_eq!(default.map(|method| method.id), Some(method_id(&bank.name)));
    }

    /// R3.7
    async fn outside_the_sandbox_nobody_plays_the_customer(db: TestDatabase) {
        use florin_api::sandbox::v1::{
            ApprovePaymentRequest, payment_outcome_service_server::PaymentOutcomeService,
        };
        let world = World::new(&db).await;
        let rpc = PaymentOutcomeRpc::outside_sandbox(world.payments.clone(), world.methods.clone());
        let refused = rpc.approve_payment(world.request(ApprovePaymentRequest::default())).await;
        let refused = refused.expect_err("not a sandbox");
        assert_eq!((refused.code(), reason(&refused)), (Code::Unimplemented, "NOT_A_SANDBOX".to_owned()));
    }
}
