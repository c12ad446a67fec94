//! The later life of a method: changed, removed, replaced, warned of and expired (R3.2, R3.4, R3.5).

use florin_api::payment::v1::{
    CreatePaymentMethodRequest, DeletePaymentMethodRequest, GetPaymentMethodRequest, PaymentMethod,
    PaymentMethodKind, UpdatePaymentMethodRequest, payment_method::State,
    payment_method_service_server::PaymentMethodService,
};
use florin_payment::{
    Initiator, Means, default_method, fallbacks, method_name,
    provider::{MethodKey, Registration},
};
use florin_testbed::on_both_backends;
use tonic::Status;

use crate::{
    scripted::Network,
    world::{World, method_id, reason},
};

const DAY: u64 = 86_400;
const METHODS: usize = 8;

pub(crate) async fn delete(world: &World, name: &str, etag: &str) -> Result<PaymentMethod, Status> {
    let request =
        DeletePaymentMethodRequest { name: name.into(), etag: etag.into(), request_id: String::new() };
    world.method_rpc().delete_payment_method(world.request(request)).await.map(tonic::Response::into_inner)
}

async fn get(world: &World, name: &str) -> PaymentMethod {
    let request = GetPaymentMethodRequest { name: name.into() };
    world.method_rpc().get_payment_method(world.request(request)).await.expect("a method").into_inner()
}

async fn update(world: &World, method: PaymentMethod, paths: &[&str]) -> Result<PaymentMethod, Status> {
    let request = UpdatePaymentMethodRequest {
        payment_method: Some(method),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        request_id: String::new(),
    };
    world.method_rpc().update_payment_method(world.request(request)).await.map(tonic::Response::into_inner)
}

async fn default(world: &World) -> Option<String> {
    let found = default_method(world.platform.db.reader(), world.account).await.expect("a query");
    found.map(|method| method_name(world.account, method.id))
}

fn needs(world: &World, names: &[&str]) {
    *world.ledger.needs.lock().expect("nobody panicked") =
        names.iter().map(|name| (*name).to_owned()).collect();
}

on_both_backends! {
    /// R3.4
    async fn the_last_method_stays_while_something_needs_it(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card");
        needs(&world, &["accounts/a/projects/p", "accounts/a/invoices/i"]);
        let refused = delete(&world, &card.name, "").await.expect_err("it is needed");
        assert_eq!(reason(&refused), "PAYMENT_METHOD_NEEDED");
        assert!(refused.message().contains("accounts/a/projects/p"), "{refused}");
        assert_eq!(get(&world, &card.name).await.state(), State::Valid);

        let other = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card");
        let removed = delete(&world, &card.name, &card.etag).await.expect("it is not the last");
        assert_eq!((removed.state(), removed.is_default), (State::Canceled, false));
        assert_eq!(default(&world).await, Some(other.name.clone()), "the other one is the default now");
        assert_eq!(reason(&delete(&world, &other.name, "").await.expect_err("the last")), "PAYMENT_METHOD_NEEDED");
        needs(&world, &[]);
        delete(&world, &other.name, "").await.expect("nothing needs it");
        assert_eq!(default(&world).await, None);
        assert_eq!(world.events("PaymentMethodRemoved").await, 2);
        assert_eq!(reason(&delete(&world, &other.name, "").await.expect_err("gone")), "PAYMENT_METHOD_NOT_VALID");
    }

    /// R3.6: a method declined for good is no method to keep the last one for.
    async fn what_was_declined_for_good_does_not_stand_in_for_the_last(db: TestDatabase) {
        let world = World::new(&db).await;
        let stolen = world.card("card-declined-final").await;
        world.collect("invoices/1", stolen).await;
        let good = world.card("card-frictionless").await;
        needs(&world, &["accounts/a/projects/p"]);
        let refused = delete(&world, &method_name(world.account, good), "").await.expect_err("the last that pays");
        assert_eq!(reason(&refused), "PAYMENT_METHOD_NEEDED");
        delete(&world, &method_name(world.account, stolen), "").await.expect("it pays nothing anyway");
    }

    /// R3.4: the provider forgets what was removed, sooner or later.
    async fn the_provider_forgets_a_removed_method_also_if_it_could_not_be_reached(db: TestDatabase) {
        let world = World::new(&db).await;
        let (first, second) = (world.card("card-frictionless").await, world.card("card-frictionless").await);
        let key = |method| MethodKey { account: world.account, method };
        delete(&world, &method_name(world.account, first), "").await.expect("removed");
        assert!(world.provider.forgot(key(first)));
        world.provider.network(Network::Down);
        delete(&world, &method_name(world.account, second), "").await.expect("removed all the same");
        assert!(!world.provider.forgot(key(second)));
        world.pass_seconds(120).await;
        world.provider.network(Network::Up);
        world.pass_seconds(3600).await;
        assert!(world.provider.forgot(key(second)));
        let left = world.count("SELECT CAST(count(*) AS bigint) FROM payment_method_forgetting", []).await;
        assert_eq!(left, 0);
    }

    /// R3.6: what is on its way needs its method.
    async fn a_method_with_a_payment_on_its_way_is_not_removed(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        world.collect("orders/1", card).await;
        let bank = world.bank_account().await;
        world.collect("invoices/1", bank).await;
        let refused = delete(&world, &method_name(world.account, bank), "").await.expect_err("a debit is announced");
        assert_eq!(reason(&refused), "PAYMENT_IN_PROGRESS");
    }

    async fn a_method_being_registered_can_be_given_up(db: TestDatabase) {
        let world = World::new(&db).await;
        let waiting = world.validating_card().await;
        let removed = delete(&world, &method_name(world.account, waiting), "").await.expect("given up");
        assert_eq!((removed.state(), removed.action_url.as_str()), (State::Canceled, ""));
        assert_eq!(world.told(waiting).await, ["refused"], "who waits for it is told");
        let late = world.methods.noticed(&world.call, world.account, waiting).await.expect("a late notice");
        assert_eq!(late.state.as_str(), "CANCELED");
    }

    /// R9.1
    async fn label_and_fallback_order_are_changed_by_mask(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut methods = Vec::new();
        for _ in 0..4 {
            methods.push(world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card"));
        }
        for (n, order) in [(1, 7), (2, 0), (3, 2)] {
            let edited = PaymentMethod { label: "spare".into(), fallback_order: order, ..methods[n].clone() };
            let shown = update(&world, edited, &["*"]).await.expect("changed");
            assert_eq!((shown.label.as_str(), shown.fallback_order), ("spare", order));
        }
        let able = fallbacks(world.platform.db.reader(), world.account).await.expect("a query");
        let names = able.iter().map(|method| method_name(world.account, method.id)).collect::<Vec<_>>();
        assert_eq!(names, [methods[3].name.clone(), methods[1].name.clone()], "in the customer's order");

        let stale = PaymentMethod { label: "late".into(), ..methods[1].clone() };
        assert_eq!(reason(&update(&world, stale, &["label"]).await.expect_err("stale")), "ETAG_MISMATCH");
        let wrong = PaymentMethod { fallback_order: -1, label: "a\nb".into(), etag: String::new(), ..methods[1].clone() };
        let refused = update(&world, wrong, &["kind"]).await.expect_err("all of it is wrong");
        let fields = tonic_types::StatusExt::get_error_details(&refused).bad_request().map_or(0, |b| b.field_violations.len());
        assert_eq!(fields, 3, "{refused:?}");
        let only = PaymentMethod { label: String::new(), etag: String::new(), ..methods[3].clone() };
        let shown = update(&world, only, &["label"]).await.expect("the order stays");
        assert_eq!((shown.label.as_str(), shown.fallback_order), ("", 2));
        delete(&world, &methods[0].name, "").await.expect("removed");
        assert_eq!(default(&world).await, Some(methods[3].name.clone()), "the first fallback is the default now");
    }

    /// R3.2
    async fn a_new_method_takes_the_place_of_an_old_one(db: TestDatabase) {
        let world = World::new(&db).await;
        let old = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card");
        let other = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect("a card");
        let replacing = |token: &str, replaces: &str| CreatePaymentMethodRequest {
            replaces: replaces.into(),
            ..world.new_method(PaymentMethodKind::Card, token)
        };
        let rpc = world.method_rpc();
        let create = |request| rpc.create_payment_method(world.request(request));
        let new = create(replacing("card-approved", &old.name)).await.expect("a card").into_inner();
        assert_eq!(get(&world, &old.name).await.state(), State::Valid, "until the new one is VALID");
        world.approve(&new.name).await.expect("3-D Secure");
        assert_eq!(get(&world, &old.name).await.state(), State::Replaced);
        assert_eq!(default(&world).await, Some(new.name.clone()), "and the default is the new one");
        world.pass_seconds(60).await;
        assert!(world.provider.forgot(MethodKey { account: world.account, method: method_id(&old.name) }));
        let refused = create(replacing("card-frictionless", &old.name)).await.expect_err("it is gone");
        assert_eq!(reason(&refused), "PAYMENT_METHOD_NOT_VALID");
        assert_eq!(get(&world, &other.name).await.state(), State::Valid);
    }

    /// R3.5: thirty and seven days before its end, once each.
    async fn a_card_near_its_end_raises_two_notices_and_then_expires(db: TestDatabase) {
        let world = World::new(&db).await;
        // Registered on 1 January; its last month is June 2026.
        let card = world.card("card-frictionless").await;
        let days_to_end = 31 + 28 + 31 + 30 + 31 + 30;
        world.pass_seconds((days_to_end - 30) * DAY - 10).await;
        assert_eq!(world.notices("payment.method_expires").await, 0);
        world.pass_seconds(20).await;
        assert_eq!(world.notices("payment.method_expires").await, 1);
        world.pass_seconds(20 * DAY).await;
        assert_eq!(world.notices("payment.method_expires").await, 1);
        world.pass_seconds(3 * DAY).await;
        assert_eq!(world.notices("payment.method_expires").await, 2);
        let french = "SELECT CAST(count(*) AS bigint) FROM notice WHERE language = 'fr' AND kind = $1";
        assert_eq!(world.count(french, ["payment.method_expires".into()]).await, 2);
        world.pass_seconds(7 * DAY).await;
        assert_eq!(world.notices("payment.method_expires").await, 2);
        let name = method_name(world.account, card);
        assert_eq!(get(&world, &name).await.state(), State::Expired);
        assert_eq!(default(&world).await, None);
        delete(&world, &name, "").await.expect("what is over can be cleared away");
    }

    /// R3.5: the network's updater has a new date before the card ends.
    async fn a_renewed_card_is_not_warned_of(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let details = florin_payment::MethodDetails {
            masked: "VISA **** 4243".into(),
            expiry: Some(florin_payment::CardExpiry { year: 2031, month: 1 }),
            three_d_secure: true,
            country: None,
        };
        let key = MethodKey { account: world.account, method: card };
        let reference = format!("ref/{card}/card-frictionless");
        world.provider.says_of_method(key, Registration::Valid { reference, details });
        world.methods.noticed(&world.call, world.account, card).await.expect("it is looked at");
        let shown = get(&world, &method_name(world.account, card)).await;
        assert_eq!((shown.masked_details.as_str(), shown.state()), ("VISA **** 4243", State::Valid));
        world.pass_seconds(200 * DAY).await;
        assert_eq!(world.notices("payment.method_expires").await, 0);
        assert_eq!(world.collect("invoices/1", card).await.state.as_str(), "SUCCEEDED");
    }

    /// R3.4: whatever many clients do at once, exactly one VALID method is the default.
    async fn removing_declining_and_choosing_at_once_leave_exactly_one_default(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut names = Vec::new();
        for n in 0..METHODS {
            let token = if n % 4 == 3 { "card-declined-final" } else { "card-frictionless" };
            names.push(world.register(PaymentMethodKind::Card, token).await.expect("a card").name);
        }
        let acts = (0..3 * METHODS).map(|n| {
            let (world, name) = (&world, &names[n % METHODS]);
            async move {
                match n / METHODS {
                    0 => {
                        let method = method_id(name);
                        let new = world.new_payment(&format!("invoices/{n}"), Means::Method(method), Initiator::Merchant);
                        if let Ok(id) = world.begin(new).await {
                            drop(world.payments.drive(&world.call, world.account, id).await);
                        }
                    }
                    1 if n % 2 == 0 => drop(delete(world, name, "").await),
                    _ => {
                        let request = florin_api::payment::v1::SetDefaultPaymentMethodRequest {
                            name: name.clone(),
                            ..Default::default()
                        };
                        drop(world.method_rpc().set_default_payment_method(world.request(request)).await);
                    }
                }
            }
        });
        futures::future::join_all(acts).await;
        let able = florin_payment::methods_valid(world.platform.db.reader(), world.account).await.expect("a query");
        let default = default(&world).await.expect("there is a default while one can pay");
        assert!(able.iter().any(|method| method_name(world.account, method.id) == default), "{default}: {able:#?}");
        let rows = world.count("SELECT CAST(count(*) AS bigint) FROM default_payment_method WHERE account_id = $1",
            [world.account.into()]);
        assert_eq!(rows.await, 1);
    }
}
