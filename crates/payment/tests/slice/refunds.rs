//! Money that nothing wants goes back to its source (R6.3).

use florin_payment::{Initiator, Means, Payment, PaymentState, payment_name};
use florin_platform::job::Job;
use florin_testbed::on_both_backends;

use crate::{scripted::Network, world::World};

const ORDER: &str = "accounts/a/creditOrders/o";

async fn paid_twice(world: &World) -> (Payment, Payment) {
    let card = world.card("card-frictionless").await;
    (world.collect(ORDER, card).await, world.collect(ORDER, card).await)
}

on_both_backends! {
    /// R6.3
    async fn money_that_arrives_twice_goes_back_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let (first, second) = paid_twice(&world).await;
        assert_eq!(first.state.as_str(), "SUCCEEDED");
        assert_eq!(second.state.as_str(), "REFUNDED");
        assert_eq!(world.told(second.id).await, ["unwanted"]);
        futures::future::join_all((0..8).map(|_| world.drive(second.id))).await;
        assert_eq!(world.provider.refunds(), 1);
        for kind in ["PaymentRefundRequested", "PaymentRefunded"] {
            let events = world.count(
                "SELECT CAST(count(*) AS bigint) FROM event WHERE kind = $1",
                [format!("florin.event.v1.{kind}").into()],
            );
            assert_eq!(events.await, 1, "{kind}");
        }
        let notices = "SELECT CAST(count(*) AS bigint) FROM notice WHERE kind = $1";
        assert_eq!(world.count(notices, ["payment.returned".into()]).await, 1);
    }

    /// R6.3
    async fn a_lost_refund_is_finished_by_the_job(db: TestDatabase) {
        let world = World::new(&db).await;
        let card = world.card("card-answer-lost").await;
        let first = world.collect(ORDER, card).await;
        world.pass_seconds(60).await;
        assert_eq!(world.payment(first.id).await.state.as_str(), "SUCCEEDED");
        let second = world.collect(ORDER, card).await;
        world.provider.network(Network::AnswersLost);
        world.pass_seconds(61).await;
        assert_eq!(world.payment(second.id).await.state.as_str(), "SUCCEEDED", "captured, and not back yet");
        assert_eq!(world.provider.refunds(), 1, "it arrived");
        world.provider.network(Network::Up);
        world.pass_seconds(3600).await;
        assert_eq!(world.payment(second.id).await.state.as_str(), "REFUNDED");
        assert_eq!(world.provider.refunds(), 1);
    }

    /// R3.6, R6.3: the customer leaves the first 3-D Secure page, pays again, and then finishes both.
    async fn a_customer_who_starts_again_pays_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let link = || Means::OneOff { provider_token: "card-approved".into() };
        let left = world.begin(world.new_payment(ORDER, link(), Initiator::Customer)).await.expect("begun");
        world.drive(left).await;
        let again = world.begin(world.new_payment(ORDER, link(), Initiator::Customer)).await.expect("begun anew");
        world.drive(again).await;
        world.approve(&payment_name(world.account, left)).await.expect("approved");
        world.approve(&payment_name(world.account, again)).await.expect("approved");
        assert_eq!(world.told(left).await, ["accepted"]);
        assert_eq!(world.told(again).await, ["unwanted"]);
        assert!(matches!(world.payment(again).await.state, PaymentState::Refunded { .. }));
        assert_eq!(world.provider.refunds(), 1);
    }

    /// What was left behind fails without undoing what took its place.
    async fn the_failure_of_a_replaced_payment_is_told_to_nobody(db: TestDatabase) {
        use florin_api::sandbox::v1::{
            DeclinePaymentRequest, payment_outcome_service_server::PaymentOutcomeService,
        };
        let world = World::new(&db).await;
        let link = || Means::OneOff { provider_token: "card-approved".into() };
        let left = world.begin(world.new_payment(ORDER, link(), Initiator::Customer)).await.expect("begun");
        world.drive(left).await;
        let again = world.begin(world.new_payment(ORDER, link(), Initiator::Customer)).await.expect("begun anew");
        world.drive(again).await;
        let decline = |name| async {
            let request = DeclinePaymentRequest { name, ..DeclinePaymentRequest::default() };
            world.outcome_rpc().decline_payment(world.request(request)).await.expect("declined")
        };
        decline(payment_name(world.account, left)).await;
        assert_eq!(world.told(left).await, [""; 0]);
        decline(payment_name(world.account, again)).await;
        assert_eq!(world.told(again).await, ["failed"]);
        assert_eq!(world.job.next_due().await.expect("a query"), None, "nothing is left to do");
    }
}
