//! Chargebacks, bounces and their reversal, in whatever order and number notices of them arrive (R3.7, R6.11).

use florin_payment::{
    CustomerDecisions, DisputeStanding, Finality, NoticeError, Payment, PaymentState, disputes, has_captured,
    provider::{ChargeKey, ChargeOutcome, NoticeRefused},
    take_notice,
};
use florin_settlement::{Currency, Money};
use florin_testbed::on_both_backends;

use crate::world::World;

const ORDER: &str = "accounts/a/creditOrders/o";
const INVOICE: &str = "accounts/a/invoices/i";

fn key(payment: &Payment) -> ChargeKey {
    ChargeKey { account: payment.account, payment: payment.id }
}

async fn paid(world: &World) -> Payment {
    let card = world.card("card-frictionless").await;
    let payment = world.collect(ORDER, card).await;
    assert_eq!(payment.state.as_str(), "SUCCEEDED");
    payment
}

async fn dispute(world: &World, payment: &Payment, minor: Option<i64>, standing: DisputeStanding) {
    let amount = minor.map(|minor| Money::new(minor, Currency::EUR));
    world.provider.dispute_charge(key(payment), amount, standing);
}

async fn decide(world: &World, payment: &Payment, standing: DisputeStanding) {
    world.provider.decide_dispute(key(payment), standing);
}

async fn captured(world: &World) -> bool {
    has_captured(world.platform.db.reader(), world.account).await.expect("a query")
}

on_both_backends! {
    /// R3.3, R6.11
    async fn a_chargeback_and_its_reversal_are_told_once_each_however_often_they_are_noticed(db: TestDatabase) {
        let world = World::new(&db).await;
        let payment = paid(&world).await;
        dispute(&world, &payment, None, DisputeStanding::Open).await;
        assert_eq!(world.deliver(3).await, 3);
        assert_eq!(world.told(payment.id).await, ["accepted", "disputed 36.00 EUR"]);
        let disputed = world.payment(payment.id).await;
        assert_eq!((disputed.state.as_str(), disputed.disputed.minor()), ("SUCCEEDED", 3600));
        assert!(!captured(&world).await, "what is disputed does not lift the rule of the first payment");

        decide(&world, &payment, DisputeStanding::Won).await;
        assert_eq!(world.deliver(3).await, 3);
        assert_eq!(world.told(payment.id).await, ["accepted", "disputed 36.00 EUR", "won 36.00 EUR"]);
        assert_eq!(world.payment(payment.id).await.disputed.minor(), 0);
        assert!(captured(&world).await);
        for (event, count) in [("PaymentDisputed", 1), ("PaymentDisputeWon", 1), ("PaymentDisputeLost", 0)] {
            assert_eq!(world.events(event).await, count, "{event}");
        }
    }

    /// R6.11: the notice of the end comes first, and both come many times.
    async fn notices_in_the_wrong_order_change_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let payment = paid(&world).await;
        dispute(&world, &payment, None, DisputeStanding::Open).await;
        decide(&world, &payment, DisputeStanding::Won).await;
        assert_eq!(world.deliver(2).await, 4);
        assert_eq!(world.told(payment.id).await, ["accepted"], "it was over before anybody here heard of it");
        assert!(captured(&world).await);
        let known = disputes(world.platform.db.reader(), world.account, payment.id).await.expect("a query");
        assert_eq!(known.iter().map(|dispute| dispute.standing).collect::<Vec<_>>(), [DisputeStanding::Won]);
    }

    /// R3.7: a bank debit that bounces after it had succeeded, and a bank that comes round.
    async fn a_debit_that_bounces_is_told_once_and_so_is_its_reversal(db: TestDatabase) {
        let world = World::new(&db).await;
        let payment = paid(&world).await;
        dispute(&world, &payment, None, DisputeStanding::Lost).await;
        world.deliver(2).await;
        assert_eq!(world.told(payment.id).await, ["accepted", "disputed 36.00 EUR"]);
        decide(&world, &payment, DisputeStanding::Won).await;
        world.deliver(2).await;
        assert_eq!(world.told(payment.id).await, ["accepted", "disputed 36.00 EUR", "won 36.00 EUR"]);
    }

    /// R6.11
    async fn disputes_of_parts_add_up_and_are_told_one_by_one(db: TestDatabase) {
        let world = World::new(&db).await;
        let payment = paid(&world).await;
        dispute(&world, &payment, Some(1000), DisputeStanding::Open).await;
        world.deliver(1).await;
        dispute(&world, &payment, Some(600), DisputeStanding::Lost).await;
        world.deliver(1).await;
        assert_eq!(world.told(payment.id).await, ["accepted", "disputed 10.00 EUR", "disputed 6.00 EUR"]);
        assert_eq!(world.payment(payment.id).await.disputed.minor(), 1600);
    }

    /// R6.11: sixteen deliveries at once are one dispute.
    async fn many_deliveries_at_once_are_one_dispute(db: TestDatabase) {
        let world = World::new(&db).await;
        let payment = paid(&world).await;
        dispute(&world, &payment, None, DisputeStanding::Open).await;
        let raw = &world.provider.pushed(world.now().await)[0];
        let deliveries = (0..16).map(|_| take_notice(&world.payments, &world.methods, &world.call, raw));
        for taken in futures::future::join_all(deliveries).await {
            taken.expect("the notice is taken in");
        }
        assert_eq!(world.told(payment.id).await, ["accepted", "disputed 36.00 EUR"]);
    }

    /// R6.3: money nothing wanted went back; nobody had it.
    async fn a_dispute_of_money_nothing_wanted_is_told_to_nobody(db: TestDatabase) {
        let world = World::new(&db).await;
        paid(&world).await;
        let card = world.card("card-frictionless").await;
        let second = world.collect(ORDER, card).await;
        assert_eq!(second.state.as_str(), "REFUNDED");
        dispute(&world, &second, None, DisputeStanding::Open).await;
        world.deliver(1).await;
        assert_eq!(world.told(second.id).await, ["unwanted"]);
        assert_eq!(world.payment(second.id).await.disputed.minor(), 3600, "and it is known");
    }

    /// R6.11: whoever is told cannot take it in.
    async fn a_dispute_that_cannot_be_told_is_not_recorded_and_told_with_the_next_notice(db: TestDatabase) {
        let world = World::new(&db).await;
        let payment = paid(&world).await;
        dispute(&world, &payment, None, DisputeStanding::Open).await;
        let raw = &world.provider.pushed(world.now().await)[0];
        let take = || take_notice(&world.payments, &world.methods, &world.call, raw);
        world.ledger.fails.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(matches!(take().await, Err(NoticeError::Later(_))));
        assert_eq!(world.payment(payment.id).await.disputed.minor(), 0);
        world.ledger.fails.store(false, std::sync::atomic::Ordering::SeqCst);
        take().await.expect("delivered again");
        assert_eq!(world.told(payment.id).await, ["accepted", "disputed 36.00 EUR"]);
    }

    async fn forged_and_late_notices_are_not_believed_and_ask_nobody(db: TestDatabase) {
        let world = World::new(&db).await;
        let payment = paid(&world).await;
        dispute(&world, &payment, None, DisputeStanding::Open).await;
        let raw = world.provider.pushed(world.now().await).remove(0);
        let asked = world.provider.calls();
        let mut forged = raw.clone();
        forged.body.push(b'!');
        let taken = take_notice(&world.payments, &world.methods, &world.call, &forged).await;
        assert!(matches!(taken, Err(NoticeError::Refused(NoticeRefused::Forged))), "{taken:?}");
        world.pass_seconds(3600).await;
        let taken = take_notice(&world.payments, &world.methods, &world.call, &raw).await;
        assert!(matches!(taken, Err(NoticeError::Refused(NoticeRefused::Stale))), "{taken:?}");
        assert_eq!(world.provider.calls(), asked);
        assert_eq!(world.told(payment.id).await, ["accepted"]);
    }

    /// R3.6: a notice finishes what was lost, before the job looks; and a late one takes nothing back.
    async fn a_notice_is_a_reason_to_ask_and_the_answer_counts(db: TestDatabase) {
        let world = World::new(&db).await;
        paid(&world).await;
        let lost = world.card("card-answer-lost").await;
        let payment = world.collect(INVOICE, lost).await;
        assert_eq!(payment.state.as_str(), "PROCESSING");
        world.payments.noticed(&world.call, world.account, payment.id).await.expect("it is looked at");
        assert_eq!(world.payment(payment.id).await.state.as_str(), "SUCCEEDED");
        world.provider.says_of_charge(key(&payment), ChargeOutcome::Pending);
        let later = world.payments.noticed(&world.call, world.account, payment.id).await.expect("looked at");
        assert_eq!(later.state.as_str(), "SUCCEEDED");
        assert_eq!(world.told(payment.id).await, ["accepted"]);
    }

    /// R3.6: the bank pays days later, or it does not.
    async fn a_pending_debit_that_fails_days_later_is_declined_once(db: TestDatabase) {
        let world = World::new(&db).await;
        paid(&world).await;
        let bank = world.bank_account().await;
        let payment = world.collect(INVOICE, bank).await;
        world.pass_seconds(3 * 86_400).await;
        assert_eq!(world.payment(payment.id).await.state.as_str(), "PENDING");
        let code = "insufficient_funds".to_owned();
        let declined = florin_payment::Decision::Declined { code, finality: Finality::Soft };
        world.provider.decide_charge(key(&payment), &declined).await.expect("an answer");
        world.deliver(3).await;
        let PaymentState::Declined { finality, .. } = world.payment(payment.id).await.state else {
            panic!("the bank did not pay")
        };
        assert_eq!(finality, Finality::Soft);
        assert_eq!(world.told(payment.id).await, ["failed"]);
        assert_eq!(world.notices("payment.declined").await, 1);
    }
}
