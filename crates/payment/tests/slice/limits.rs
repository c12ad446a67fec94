//! Nobody tries out stolen cards here (R3.6).

use florin_api::payment::v1::PaymentMethodKind;
use florin_payment::{Error, Initiator, Means, Payment, Purpose, RefundId, refund};
use florin_settlement::{Currency, Money};
use florin_testbed::on_both_backends;

use crate::world::{World, reason};

fn retry_after(status: &tonic::Status) -> Option<std::time::Duration> {
    tonic_types::StatusExt::get_error_details(status).retry_info().and_then(|info| info.retry_delay)
}

/// Has so many cents of `payment` go back, for `purpose`.
async fn give(world: &World, payment: &Payment, purpose: &str, minor: i64) -> Result<RefundId, Error> {
    let given = world.platform.db.write(|tx| async move {
        let at = world.platform.clock.now(&tx).await?;
        florin_account::lock(&tx, &[world.account]).await?;
        let purpose = Purpose::named(purpose).expect("a purpose");
        refund(&tx, at, world.account, payment.id, Money::new(minor, Currency::EUR), purpose).await
    });
    given.await
}

on_both_backends! {
    async fn twenty_registrations_a_day_are_enough(db: TestDatabase) {
        let world = World::new(&db).await;
        for _ in 0..20 {
            world.card("card-frictionless").await;
        }
        world.pass_seconds(600).await;
        let refused = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect_err("too many");
        assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::ResourceExhausted, "PAYMENT_ATTEMPTS_LIMITED"));
        let wait = retry_after(&refused).expect("it says how long to wait").as_secs();
        assert!((85_000..=86_400 - 600).contains(&wait), "until the first of them is a day old: {wait}");
        world.pass_seconds(86_400).await;
        world.card("card-frictionless").await;
    }

    async fn six_refused_cards_a_day_are_enough(db: TestDatabase) {
        let world = World::new(&db).await;
        for _ in 0..6 {
            world.register(PaymentMethodKind::Card, "card-rejected").await.expect("an answer");
        }
        let refused = world.register(PaymentMethodKind::Card, "card-frictionless").await.expect_err("too many");
        assert_eq!(reason(&refused), "PAYMENT_ATTEMPTS_LIMITED");
    }

    async fn registrations_at_once_do_not_slip_past_the_limit(db: TestDatabase) {
        let world = World::new(&db).await;
        let many = (0..30).map(|_| world.register(PaymentMethodKind::Card, "card-frictionless"));
        let answers = futures::future::join_all(many).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20);
    }

    async fn twenty_cards_tried_at_links_a_day_are_enough(db: TestDatabase) {
        let world = World::new(&db).await;
        let begin = |n: usize| {
            let link = Means::OneOff { provider_token: "card-declined-soft".into() };
            world.begin(world.new_payment(&format!("orders/{n}"), link, Initiator::Customer))
        };
        for n in 0..20 {
            let id = begin(n).await.expect("it begins");
            world.drive(id).await;
        }
        assert!(matches!(begin(20).await, Err(Error::AttemptsLimited { .. })));
        world.pass_seconds(86_401).await;
        begin(21).await.expect("the next day");
    }

    /// R7.9: the database holds that no more goes back than was captured.
    async fn refunds_in_parts_never_exceed_what_was_captured(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-frictionless").await;
        let payment = world.collect("orders/1", card).await;
        let give = |purpose, minor| give(&world, &payment, purpose, minor);
        let first = give("creditNotes/1", 1000).await.expect("a part");
        assert_eq!(give("creditNotes/1", 1000).await.expect("the same again"), first);
        give("creditNotes/2", 2600).await.expect("the rest");
        assert!(matches!(give("creditNotes/3", 1).await, Err(Error::NotRefundable(_))));
        world.drive(payment.id).await;
        let back = world.payment(payment.id).await;
        assert_eq!((back.state.as_str(), back.refunded.minor()), ("REFUNDED", 3600));
        assert_eq!(world.provider.refunds(), 2);
        assert_eq!(world.notices("payment.refunded").await, 2);
        let more = "INSERT INTO payment_refund (account_id, id, payment_id, purpose, amount, currency, state, looks, \
            created_at, updated_at) SELECT account_id, account_id, id, 'more', 1, currency, 'DONE', 0, created_at, \
            updated_at FROM payment WHERE id = $1";
        assert!(world.execute(more, [payment.id.into()]).await.is_err(), "whoever writes it");
    }

    /// R6.3: one refund that fails does not stop the others.
    async fn one_refund_that_fails_does_not_stop_the_next(db: TestDatabase) {
        let world = World::new(&db).await;
        let (first, second) = (world.card("card-frictionless").await, world.card("card-frictionless").await);
        let paid = [world.collect("orders/1", first).await, world.collect("orders/2", second).await];
        for payment in &paid {
            give(&world, payment, "creditNotes/1", 1000).await.expect("requested");
        }
        let corrupt = "UPDATE payment_method SET fallback_order = $2 WHERE id = $1";
        world.execute(corrupt, [first.into(), 9_999_999_999_i64.into()]).await.expect("a row nobody can read");
        world.pass_seconds(60).await;
        let back = |n: usize| world.payment(paid[n].id);
        assert_eq!((back(0).await.refunded.minor(), back(1).await.refunded.minor()), (0, 1000));
        world.execute(corrupt, [first.into(), 1_i64.into()]).await.expect("repaired");
        world.pass_seconds(3600).await;
        assert_eq!(back(0).await.refunded.minor(), 1000);
    }
}
