//! What Florin initiates: announced debits, customers who have to act, and declines that stop what follows
//! (R3.6).

use florin_api::payment::v1::{
    GetPaymentRequest, ListPaymentsRequest, payment::State, payment_service_server::PaymentService,
};
use florin_payment::{
    Error, Finality, Initiator, Means, PaymentRpc, PaymentState, automatic_attempts, default_method,
    methods_valid, payment_name,
};
use florin_testbed::on_both_backends;

use crate::{scripted::Network, world::World};

const DAY: u64 = 86_400;

on_both_backends! {
    /// R3.6: the mandate's notice period.
    async fn a_bank_account_is_debited_two_days_after_its_holder_was_told(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        world.collect("orders/1", card).await;
        let bank = world.bank_account().await;
        let begun = world.now().await;
        let charges = world.provider.charges();
        let payment = world.collect("invoices/1", bank).await;
        let collect = payment.collect.expect("a bank debit has a day");
        assert_eq!(payment.state.as_str(), "SCHEDULED");
        assert!(begun.plus_days(2) <= collect && collect < begun.plus_days(2).plus_seconds(60), "{collect}");
        assert_eq!(world.notices("payment.announced").await, 1);

        let rpc = PaymentRpc::new(world.platform.clone());
        let name = payment_name(world.account, payment.id);
        let shown = rpc.get_payment(world.request(GetPaymentRequest { name })).await.expect("shown").into_inner();
        assert_eq!(shown.state(), State::Scheduled);
        assert!(shown.collect_time.is_some());
        for (states, count) in [(State::Scheduled, 1), (State::Pending, 0), (State::Processing, 0)] {
            let parent = format!("accounts/{}", world.account);
            let request = ListPaymentsRequest { parent, states: vec![states.into()], ..Default::default() };
            let listed = rpc.list_payments(world.request(request)).await.expect("a page").into_inner();
            assert_eq!(listed.payments.len(), count, "{states:?}");
        }

        world.pass_seconds(2 * DAY - 10).await;
        world.drive(payment.id).await;
        assert_eq!(world.provider.charges(), charges, "nobody asks the bank before its day");
        let again = world.begin(world.new_payment("invoices/1", Means::Method(card), Initiator::Customer)).await;
        assert!(matches!(again, Err(Error::InProgress { .. })), "{again:?}");
        world.pass_seconds(20).await;
        assert_eq!(world.provider.charges(), charges + 1);
        assert_eq!(world.payment(payment.id).await.state.as_str(), "PENDING");
    }

    /// R3.6: also for what the customer pays themselves.
    async fn a_debit_the_customer_asks_for_is_announced_too(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        world.collect("orders/1", card).await;
        let bank = world.bank_account().await;
        let id = world.begin(world.new_payment("orders/2", Means::Method(bank), Initiator::Customer)).await;
        let payment = world.drive(id.expect("it begins")).await;
        assert_eq!(payment.state.as_str(), "SCHEDULED");
    }

    /// R3.6
    async fn a_customer_who_has_to_act_on_an_automatic_charge_gets_a_link(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-action").await;
        let payment = world.collect("invoices/1", card).await;
        assert_eq!(payment.state.as_str(), "ACTION_REQUIRED");
        assert_eq!(world.notices("payment.action_required").await, 1);
        let links = "SELECT CAST(count(*) AS bigint) FROM notice WHERE body LIKE $1";
        assert_eq!(world.count(links, ["%https://provider.test/act%".into()]).await, 1);
        world.drive(payment.id).await;
        assert_eq!(world.notices("payment.action_required").await, 1, "one link is enough");
        world.approve(&payment_name(world.account, payment.id)).await.expect("the customer acts");
        assert_eq!(world.payment(payment.id).await.state.as_str(), "SUCCEEDED");
    }

    /// R3.6: payments begun in the same breath on a method that is declined for good, and driven at once.
    async fn payments_at_once_on_a_method_declined_for_good_are_each_declined_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let stolen = world.card("card-declined-final").await;
        let mut begun = Vec::new();
        for n in 0..4 {
            let reference = format!("invoices/{n}");
            let new = world.new_payment(&reference, Means::Method(stolen), Initiator::Merchant);
            begun.push(world.begin(new).await.expect("it begins"));
        }
        futures::future::join_all(begun.iter().map(|id| world.drive(*id))).await;
        world.pass_seconds(60).await;
        for id in &begun {
            let PaymentState::Declined { finality, .. } = world.payment(*id).await.state else { panic!("{id}") };
            assert_eq!(finality, Finality::Final);
            assert_eq!(world.told(id).await, ["failed"], "each invoice is told once");
        }
        assert_eq!(world.provider.captured(), 0);
        assert_eq!(world.events("PaymentMethodDeclinedForGood").await, 1);
    }

    /// R3.6, one after the other, as a batch is: exactly the first is asked.
    async fn a_final_decline_stops_what_was_begun_on_the_method_with_it(db: TestDatabase) {
        let world = World::new(&db).await;
        let stolen = world.card("card-declined-final").await;
        let mut begun = Vec::new();
        for n in 0..3 {
            let reference = format!("invoices/{n}");
            let new = world.new_payment(&reference, Means::Method(stolen), Initiator::Merchant);
            begun.push(world.begin(new).await.expect("it begins"));
        }
        for id in begun {
            world.drive(id).await;
        }
        assert_eq!(world.provider.charges(), 1);
    }

    /// R3.6: a debit announced for the day after tomorrow is stopped as soon as the method is.
    async fn an_announced_debit_is_stopped_when_its_method_no_longer_pays(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        world.collect("orders/1", card).await;
        let bank = world.bank_account().await;
        let payment = world.collect("invoices/1", bank).await;
        let key = florin_payment::provider::MethodKey { account: world.account, method: bank };
        let code = "mandate_withdrawn".to_owned();
        world.provider.says_of_method(key, florin_payment::provider::Registration::Revoked { code });
        let revoked = world.methods.noticed(&world.call, world.account, bank).await.expect("it is looked at");
        assert_eq!(revoked.state.as_str(), "CANCELED");
        assert_eq!(world.notices("payment.method_revoked").await, 1);
        let charges = world.provider.charges();
        world.pass_seconds(60).await;
        assert_eq!(world.payment(payment.id).await.state.as_str(), "DECLINED");
        assert_eq!(world.told(payment.id).await, ["failed"]);
        assert_eq!(world.provider.charges(), charges);
    }

    /// R3.6: declined for good, a method is VALID to look at, and neither pays nor counts.
    async fn a_method_declined_for_good_no_longer_counts_and_hands_the_default_on(db: TestDatabase) {
        let world = World::new(&db).await;
        let stolen = world.card("card-declined-final").await;
        let good = world.card("card-frictionless").await;
        let reader = world.platform.db.reader();
        assert_eq!(default_method(reader, world.account).await.expect("a query").map(|m| m.id), Some(stolen));
        world.collect("invoices/1", stolen).await;
        assert_eq!(default_method(reader, world.account).await.expect("a query").map(|m| m.id), Some(good));
        let able = methods_valid(reader, world.account).await.expect("a query");
        assert_eq!(able.iter().map(|method| method.id).collect::<Vec<_>>(), [good]);
        let known = florin_payment::find_method(reader, world.account, stolen).await.expect("a query");
        let known = known.expect("it is kept");
        assert_eq!((known.state.as_str(), known.declined_for_good.as_deref()), ("VALID", Some("stolen_card")));
    }

    /// R3.6: a ceiling of automatic attempts per method and day.
    async fn automatic_attempts_stop_after_four_declines_a_day(db: TestDatabase) {
        let world = World::new(&db).await;
        let poor = world.card("card-declined-soft").await;
        let mut begun = Vec::new();
        for n in 0..6 {
            let reference = format!("invoices/{n}");
            let new = world.new_payment(&reference, Means::Method(poor), Initiator::Merchant);
            begun.push(world.begin(new).await.expect("it begins"));
        }
        for id in &begun {
            world.drive(*id).await;
        }
        assert_eq!(world.provider.charges(), 4, "the fifth is not made");
        let PaymentState::Declined { code, finality, .. } = world.payment(begun[5]).await.state else { panic!() };
        assert_eq!((code.as_str(), finality), ("too_many_declines_today", Finality::Soft));
        let new = || world.new_payment("invoices/9", Means::Method(poor), Initiator::Merchant);
        assert!(matches!(world.begin(new()).await, Err(Error::AttemptsLimited { .. })));
        let attempts = automatic_attempts(world.platform.db.reader(), world.account, poor, world.now().await).await;
        let attempts = attempts.expect("a query");
        assert_eq!((attempts.today, attempts.declined_today, attempts.last_declined), (6, 4, true));
        let by_customer = world.new_payment("invoices/8", Means::Method(poor), Initiator::Customer);
        world.begin(by_customer).await.expect("the customer may try");
        world.pass_seconds(DAY + 1).await;
        world.begin(new()).await.expect("the next day it may be tried again");
    }

    /// R3.6, R6.4: fifty confirmations at once are one outcome.
    async fn fifty_confirmations_at_once_are_one_outcome(db: TestDatabase) {
        let world = World::new(&db).await;
        let link = Means::OneOff { provider_token: "card-approved".into() };
        let id = world.begin(world.new_payment("orders/1", link, Initiator::Customer)).await.expect("begun");
        world.drive(id).await;
        let name = payment_name(world.account, id);
        let confirmations = (0..50).map(|n| {
            let name = &name;
            let world = &world;
            async move {
                match n % 3 {
                    0 => drop(world.approve(name).await),
                    1 => drop(world.drive(id).await),
                    _ => drop(world.payments.noticed(&world.call, world.account, id).await),
                }
            }
        });
        futures::future::join_all(confirmations).await;
        assert_eq!(world.payment(id).await.state.as_str(), "SUCCEEDED");
        assert_eq!(world.told(id).await, ["accepted"]);
        assert_eq!(world.events("PaymentSucceeded").await, 1);
        assert_eq!((world.provider.charges(), world.provider.captured()), (1, 1));
    }

    /// R3.6: also while methods are forgotten, debits released and notices taken in.
    async fn no_transaction_is_open_while_the_provider_is_called_on_any_way(db: TestDatabase) {
        let world = World::watched(&db).await;
        let card = world.card("card-frictionless").await;
        world.collect("orders/1", card).await;
        let bank = world.bank_account().await;
        let debit = world.collect("invoices/1", bank).await;
        world.pass_seconds(2 * DAY).await;
        world.approve(&payment_name(world.account, debit.id)).await.expect("the bank pays");
        world.deliver(1).await;
        let other = world.card("card-frictionless").await;
        let name = florin_payment::method_name(world.account, other);
        crate::life::delete(&world, &name, "").await.expect("it is removed");
        world.provider.network(Network::AnswersLost);
        let lost = world.collect("invoices/2", card).await;
        world.provider.network(Network::Up);
        world.pass_seconds(120).await;
        assert_eq!(world.payment(lost.id).await.state.as_str(), "SUCCEEDED");
        assert!(world.provider.calls() >= 14, "the provider was called {} times", world.provider.calls());
    }
}
