//! Attempts, their outcomes, and what is told of them (R3.3, R3.6).

use florin_api::payment::v1::{
    GetPaymentRequest, ListPaymentsRequest, payment::State, payment_service_server::PaymentService,
};
use florin_payment::{
    Error, Finality, Initiator, Means, NewPayment, PaymentRpc, PaymentState, find_method, has_captured,
    payment_name,
};
use florin_settlement::{Currency, Money};
use florin_testbed::on_both_backends;
use std::sync::atomic::Ordering;
use tonic::Code;

use crate::{
    scripted::Network,
    world::{World, reason},
};

const ORDER: &str = "accounts/a/creditOrders/o";

fn link(token: &str) -> Means {
    Means::OneOff { provider_token: token.into() }
}

on_both_backends! {
    /// R3.6
    async fn driving_twice_and_sixteen_times_at_once_is_one_charge_and_one_outcome(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let id = world.begin(world.new_payment(ORDER, Means::Method(card), Initiator::Customer)).await.expect("begun");
        let driven = futures::future::join_all((0..16).map(|_| world.drive(id))).await;
        assert!(driven.iter().all(|payment| payment.state.as_str() == "SUCCEEDED"), "{driven:?}");
        let again = world.drive(id).await;
        assert_eq!(again, driven[0]);
        assert_eq!(world.told(id).await, ["accepted"]);
        assert_eq!(world.provider.charges(), 1);
        let events = world.count("SELECT CAST(count(*) AS bigint) FROM event WHERE kind = $1",
            ["florin.event.v1.PaymentSucceeded".into()]);
        assert_eq!(events.await, 1);
    }

    /// R3.6
    async fn a_lost_answer_is_reconciled_and_charged_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-answer-lost").await;
        let payment = world.collect(ORDER, card).await;
        assert_eq!(payment.state.as_str(), "PROCESSING");
        assert_eq!(world.provider.captured(), 1, "the provider took the money");
        assert_eq!(world.told(payment.id).await, [""; 0]);

        world.pass_seconds(120).await;
        assert_eq!(world.payment(payment.id).await.state.as_str(), "SUCCEEDED");
        assert_eq!(world.provider.charges(), 1);
        assert_eq!(world.told(payment.id).await, ["accepted"]);
    }

    /// R3.6
    async fn a_charge_that_never_arrived_is_made_later_under_its_key(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        world.provider.network(Network::Down);
        let payment = world.collect(ORDER, card).await;
        world.pass_seconds(600).await;
        assert_eq!(world.payment(payment.id).await.state.as_str(), "PROCESSING");
        assert_eq!(world.provider.charges(), 0);
        world.provider.network(Network::Up);
        world.pass_seconds(3600).await;
        assert_eq!(world.payment(payment.id).await.state.as_str(), "SUCCEEDED");
        assert_eq!(world.provider.charges(), 1);
    }

    /// R12.3: the server dies between the attempt and the provider.
    async fn an_attempt_nobody_drove_is_driven_by_the_job(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let id = world.begin(world.new_payment(ORDER, Means::Method(card), Initiator::Merchant)).await.expect("begun");
        world.pass_seconds(30).await;
        assert_eq!(world.payment(id).await.state.as_str(), "SUCCEEDED");
    }

    /// R3.6
    async fn no_transaction_is_open_while_the_provider_is_called(db: TestDatabase) {
        let world = World::watched(&db).await;
        let card = world.card("card-frictionless").await;
        let paid = world.collect(ORDER, card).await;
        assert_eq!(paid.state.as_str(), "SUCCEEDED");
        let twice = world.collect(ORDER, card).await;
        assert_eq!(twice.state.as_str(), "REFUNDED");
        let lost = world.card("card-answer-lost").await;
        world.collect("invoices/2", lost).await;
        world.pass_seconds(60).await;
        assert!(world.provider.calls() >= 8, "the provider was called {} times", world.provider.calls());
    }

    /// R3.6: whoever is told cannot take it in.
    async fn an_outcome_that_cannot_be_told_is_not_recorded_and_told_later(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let id = world.begin(world.new_payment(ORDER, Means::Method(card), Initiator::Merchant)).await.expect("begun");
        world.ledger.fails.store(true, Ordering::SeqCst);
        let failed = world.payments.drive(&world.call, world.account, id).await;
        assert!(matches!(failed, Err(Error::Outcome(_))), "{failed:?}");
        assert_eq!(world.payment(id).await.state.as_str(), "PROCESSING");
        assert!(!has_captured(world.platform.db.reader(), world.account).await.expect("a query"));
        world.pass_seconds(100).await;
        assert_eq!(world.payment(id).await.state.as_str(), "PROCESSING", "put off again and again");

        world.ledger.fails.store(false, Ordering::SeqCst);
        world.pass_seconds(3600).await;
        assert_eq!(world.payment(id).await.state.as_str(), "SUCCEEDED");
        assert_eq!(world.told(id).await, ["accepted"]);
        assert_eq!(world.provider.charges(), 1);
    }

    async fn a_decline_is_final_for_the_attempt_and_raises_a_notice_if_nobody_was_there(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-declined-final").await;
        let payment = world.collect(ORDER, card).await;
        let PaymentState::Declined { code, finality, .. } = &payment.state else { panic!("{payment:?}") };
        assert_eq!((code.as_str(), *finality), ("stolen_card", Finality::Final));
        assert_eq!(world.told(payment.id).await, ["failed"]);
        let notices = "SELECT CAST(count(*) AS bigint) FROM notice WHERE kind = $1 AND language = 'fr'";
        assert_eq!(world.count(notices, ["payment.declined".into()]).await, 1);

        let soft = world.card("card-declined-soft").await;
        let new = world.new_payment("orders/2", Means::Method(soft), Initiator::Customer);
        let id = world.begin(new).await.expect("begun");
        let PaymentState::Declined { finality, .. } = world.drive(id).await.state else { panic!("declined") };
        assert_eq!(finality, Finality::Soft);
        assert_eq!(world.count(notices, ["payment.declined".into()]).await, 1, "the customer saw it happen");
    }

    /// R3.6: declined for good is never again on that method, for whatever.
    async fn a_method_declined_for_good_is_not_asked_again(db: TestDatabase) {
        let world = World::new(&db).await;
        let (stolen, poor) = (world.card("card-declined-final").await, world.card("card-declined-soft").await);
        world.collect(ORDER, stolen).await;
        world.collect(ORDER, poor).await;
        let asked = world.provider.calls();
        for reference in [ORDER, "orders/2"] {
            let again = world.begin(world.new_payment(reference, Means::Method(stolen), Initiator::Merchant)).await;
            assert!(matches!(again, Err(Error::MethodNotValid { state: "DECLINED_FOR_GOOD" })), "{again:?}");
        }
        assert_eq!(world.provider.calls(), asked);
        world.begin(world.new_payment(ORDER, Means::Method(poor), Initiator::Merchant)).await.expect("a soft decline may be retried");
    }

    /// R3.6: bank debits take days, and may bounce.
    async fn a_bank_debit_is_pending_until_the_bank_decides(db: TestDatabase) {
        use florin_api::sandbox::v1::{
            DeclinePaymentRequest, payment_outcome_service_server::PaymentOutcomeService,
        };
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        world.collect("orders/1", card).await;
        let bank = world.bank_account().await;
        let (good, bad) = (world.collect("invoices/1", bank).await, world.collect("invoices/2", bank).await);
        assert_eq!(good.state.as_str(), "SCHEDULED");
        world.pass_seconds(2 * 86_400).await;
        assert_eq!(world.payment(good.id).await.state.as_str(), "PENDING");
        world.pass_seconds(3 * 86_400).await;
        assert_eq!(world.payment(good.id).await.state.as_str(), "PENDING");

        world.approve(&payment_name(world.account, good.id)).await.expect("the bank pays");
        let request = DeclinePaymentRequest {
            name: payment_name(world.account, bad.id),
            decline_code: "account_closed".into(),
            decline_final: true,
            request_id: String::new(),
        };
        world.outcome_rpc().decline_payment(world.request(request)).await.expect("the bank refuses");
        assert_eq!(world.told(good.id).await, ["accepted"]);
        assert_eq!(world.told(bad.id).await, ["failed"]);
        assert_eq!(world.count("SELECT CAST(count(*) AS bigint) FROM notice WHERE kind = $1",
            ["payment.declined".into()]).await, 1);
    }

    /// R3.3
    async fn a_payment_link_takes_a_card_with_three_d_secure(db: TestDatabase) {
        let world = World::new(&db).await;
        world.payments.check_one_off("card-approved").await.expect("a card");
        assert!(matches!(world.payments.check_one_off("nothing").await, Err(Error::TokenInvalid)));
        assert!(matches!(world.payments.check_one_off("iban-approved").await, Err(Error::FirstPaymentNeedsCard)));

        let id = world.begin(world.new_payment(ORDER, link("card-approved"), Initiator::Customer)).await.expect("begun");
        let payment = world.drive(id).await;
        let PaymentState::ActionRequired { url, .. } = &payment.state else { panic!("{payment:?}") };
        assert!(url.starts_with("https://"));
        assert_eq!(world.told(id).await, [""; 0]);
        world.approve(&payment_name(world.account, id)).await.expect("the customer approves");
        assert_eq!(world.payment(id).await.state.as_str(), "SUCCEEDED");
        assert!(has_captured(world.platform.db.reader(), world.account).await.expect("a query"));
    }

    /// R3.3
    async fn the_first_payment_is_by_a_card(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let bank = {
            world.collect("orders/1", card).await;
            world.bank_account().await
        };
        // The only captured payment is on its way back: the rule holds again.
        world.books.excuse("what went back of a payment is what its refunds say");
        let give_back = "INSERT INTO payment_refund \
            (account_id, id, payment_id, purpose, amount, currency, state, looks, created_at, updated_at) \
            SELECT account_id, id, id, 'UNWANTED', amount, currency, 'DONE', 0, created_at, updated_at FROM payment \
            WHERE account_id = $1";
        assert_eq!(world.execute(give_back, [world.account.into()]).await.expect("a refund"), 1);
        let refused = world.begin(world.new_payment(ORDER, Means::Method(bank), Initiator::Merchant)).await;
        assert!(matches!(refused, Err(Error::FirstPaymentNeedsCard)), "{refused:?}");
        world.begin(world.new_payment(ORDER, Means::Method(card), Initiator::Merchant)).await.expect("a card may");
    }

    async fn what_cannot_pay_begins_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let validating = world.validating_card().await;
        let begin = |reference: &str, means, amount| {
            let new = NewPayment { amount, ..world.new_payment(reference, means, Initiator::Customer) };
            world.begin(new)
        };
        let euro = |minor| Money::new(minor, Currency::parse("EUR").expect("a currency"));
        let dollars = Money::new(100, Currency::parse("USD").expect("a currency"));
        let foreign = begin(ORDER, Means::Method(card), dollars).await;
        assert!(matches!(foreign, Err(Error::CurrencyMismatch { .. })), "{foreign:?}");
        let nothing = begin(ORDER, Means::Method(card), euro(0)).await;
        assert!(matches!(nothing, Err(Error::NotPayable(_))), "{nothing:?}");
        let unproven = begin(ORDER, Means::Method(validating), euro(100)).await;
        assert!(matches!(unproven, Err(Error::MethodNotValid { state: "VALIDATING" })), "{unproven:?}");

        let first = begin(ORDER, Means::Method(card), euro(100)).await.expect("begun");
        let second = begin(ORDER, Means::Method(card), euro(100)).await;
        let Err(Error::InProgress { payment }) = second else { panic!("{second:?}") };
        assert_eq!(payment, payment_name(world.account, first));
        let none = world.count("SELECT CAST(count(*) AS bigint) FROM payment WHERE account_id = $1", [world.account.into()]);
        assert_eq!(none.await, 1, "what was refused left nothing");
    }

    /// R3.6: the database is the second witness.
    async fn history_cannot_be_changed(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let payment = world.collect(ORDER, card).await;
        for statement in [
            "UPDATE payment SET amount = amount + 1 WHERE id = $1",
            "UPDATE payment SET reference = 'other' WHERE id = $1",
            "UPDATE payment SET state = 'DECLINED', decline_code = 'x', decline_final = TRUE WHERE id = $1",
            "UPDATE payment SET state = 'PROCESSING', settled_at = NULL, look_at = created_at WHERE id = $1",
            "DELETE FROM payment WHERE id = $1",
        ] {
            assert!(world.execute(statement, [payment.id.into()]).await.is_err(), "{statement}");
        }
        assert_eq!(world.payment(payment.id).await, payment);
    }

    async fn payments_are_listed_by_state_and_reference_page_by_page(db: TestDatabase) {
        let world = World::new(&db).await;
        let (good, bad) = (world.card("card-frictionless").await, world.card("card-declined-soft").await);
        let mut expected = Vec::new();
        for n in 0..3 {
            expected.push(payment_name(world.account, world.collect(&format!("orders/{n}"), good).await.id));
            world.collect(&format!("orders/{n}"), bad).await;
        }
        let rpc = PaymentRpc::new(world.platform.clone());
        let parent = format!("accounts/{}", world.account);
        let base = ListPaymentsRequest { parent, states: vec![State::Succeeded.into()], page_size: 2, ..Default::default() };
        let first = rpc.list_payments(world.request(base.clone())).await.expect("a page").into_inner();
        let rest = ListPaymentsRequest { page_token: first.next_page_token, ..base.clone() };
        let rest = rpc.list_payments(world.request(rest)).await.expect("a page").into_inner();
        assert_eq!(rest.next_page_token, "");
        let names: Vec<_> = first.payments.iter().chain(&rest.payments).map(|payment| payment.name.clone()).collect();
        assert_eq!(names, expected);

        let of_one = ListPaymentsRequest { reference: "orders/1".into(), states: Vec::new(), page_size: 0, ..base.clone() };
        let of_one = rpc.list_payments(world.request(of_one)).await.expect("a page").into_inner().payments;
        assert_eq!(of_one.iter().map(|payment| payment.state()).collect::<Vec<_>>(), [State::Succeeded, State::Declined]);
        assert_eq!(of_one[1].decline_code, "insufficient_funds");
        assert!(of_one[0].settle_time.is_some() && of_one[0].amount_incl_tax.as_ref().is_some_and(|m| m.units == 36));

        let many = ListPaymentsRequest { states: vec![State::Pending.into(); 70_000], ..base.clone() };
        let refused = rpc.list_payments(world.request(many)).await.expect_err("more states than there are");
        assert_eq!(reason(&refused), "INVALID_ARGUMENT_VIOLATIONS");
        let unspecified = ListPaymentsRequest { states: vec![0, 99], ..base };
        let refused = rpc.list_payments(world.request(unspecified)).await.expect_err("not states");
        assert_eq!(reason(&refused), "INVALID_ARGUMENT_VIOLATIONS");
        let missing = GetPaymentRequest { name: expected[0].replace("pay_", "pm_") };
        let refused = rpc.get_payment(world.request(missing)).await.expect_err("not a payment's name");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }

    /// R3.2
    async fn a_method_is_found_again_as_it_was_stored(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let found = find_method(world.platform.db.reader(), world.account, card).await.expect("a query");
        let found = found.expect("it exists");
        assert_eq!((found.label.as_str(), found.details.expiry.map(|e| (e.year, e.month))), ("mine", Some((2026, 6))));
    }
}
