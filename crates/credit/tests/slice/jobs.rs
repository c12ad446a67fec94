//! What time does: orders expire, lots lapse, customers are warned (R6.3, R6.8).

use florin_api::credit::v1::{
    GetCreditOrderRequest, GetCreditRequest, credit::State as LotState, credit_order::State,
    credit_order_service_server::CreditOrderService, credit_service_server::CreditService, movement::Kind,
};
use florin_credit::lots;
use florin_platform::wire;
use florin_testbed::on_both_backends;

use crate::world::{PENDING, World, euros, reason};

impl World {
    async fn state(&self, order: &str) -> State {
        let request = GetCreditOrderRequest { name: order.to_owned() };
        self.order_rpc().get_credit_order(self.request(request)).await.expect("an order").get_ref().state()
    }
}

on_both_backends! {
    async fn an_unpaid_order_expires_after_24_hours_and_frees_its_pending_project(database: TestDatabase) {
        let world = World::new(&database).await;
        world.projects.set(world.account, world.project, PENDING);
        let order = world.order(30).await.expect("an order");
        world.pass_days(1).await;
        assert_eq!(world.state(&order.name).await, State::Expired);
        assert_eq!(world.projects.told(), ["unfunded"]);
        assert_eq!(reason(world.pay(&order, "card").await), "ORDER_EXPIRED");
        let text = "SELECT COUNT(*) FROM credit_order WHERE state = 'EXPIRED'";
        assert_eq!(world.count(text, []).await, 1, "the job has written it down");
    }

    /// R6.3: never while a payment is in progress.
    async fn an_order_being_paid_outlives_its_24_hours(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let payment = world.pay(&order, "later").await.expect("begun").payment.expect("a payment");
        world.pass_days(2).await;
        assert_eq!(world.state(&order.name).await, State::Processing);
        world.bank.pass();
        let id = florin_payment::PaymentId::parse(payment.name.rsplit('/').next().unwrap_or_default()).expect("an id");
        let call = florin_platform::call::Call::by_job("test");
        world.payments.drive(&call, world.account, id).await.expect("driven");
        assert_eq!(world.state(&order.name).await, State::Paid);
        assert_eq!(world.credits(world.account).await.len(), 1);
    }

    /// R6.8: at the expiry instant, what remains lapses; the customer was warned 60, 30 and 7 days before.
    async fn what_is_unused_lapses_at_its_expiry_after_three_warnings(database: TestDatabase) {
        let world = World::new(&database).await;
        let credit = world.grant(100).await.credit;
        let expires = wire::instant(&world.credits(world.account).await[0].expire_time.expect("expires")).expect("an instant");
        world.pass_days(400).await;
        let warned = world.count("SELECT COUNT(*) FROM notice WHERE kind = 'credit.expiring'", []).await;
        assert_eq!(warned, 3);
        let lot = &world.credits(world.account).await[0];
        assert_eq!((lot.state(), lot.lapsed_amount.clone()), (LotState::Expired, Some(euros(100))));
        let movements = world.movements(&credit).await;
        let lapse = movements.last().expect("a lapse");
        assert_eq!(lapse.kind(), Kind::Expired);
        assert_eq!(lapse.effective_time, Some(wire::timestamp(expires)));
        assert_eq!(world.count("SELECT COUNT(*) FROM credit_lot_due", []).await, 0);
        world.check_ledger().await;
    }

    /// R6.8: after a long pause the customer hears once, of the latest warning that applies.
    async fn after_a_pause_only_the_latest_warning_is_sent(database: TestDatabase) {
        let world = World::new(&database).await;
        world.execute("UPDATE account SET language = 'nl'", []).await.expect("a Dutch customer");
        world.grant(100).await;
        let expires = wire::instant(&world.credits(world.account).await[0].expire_time.expect("expires")).expect("an instant");
        world.move_to(expires.minus_days(20)).await;
        world.pass_days(1).await;
        let told = "SELECT COUNT(*) FROM notice WHERE kind = 'credit.expiring'";
        assert_eq!(world.count(told, []).await, 1);
        let text = format!("{told} AND subject = 'Uw krediet vervalt over 20 dagen' AND body LIKE $1");
        assert_eq!(world.count(&text, [format!("%{expires}%").into()]).await, 1, "with the expiry of every answer");
        let received = "SELECT COUNT(*) FROM notice WHERE kind = 'credit.received' AND body LIKE $1";
        assert_eq!(world.count(received, [format!("%{expires}%").into()]).await, 1);
        world.pass_days(18).await;
        assert_eq!(world.count(told, []).await, 2, "and seven days before, once");
        world.pass_days(2).await;
        assert_eq!(world.count(told, []).await, 2);
    }

    /// One unreadable lot never stops the others.
    async fn a_lot_that_cannot_be_read_is_put_off_and_the_others_lapse(database: TestDatabase) {
        let world = World::new(&database).await;
        world.books.excuse("a lot begins with what its ISSUED movement says");
        let credit = world.grant(100).await.credit;
        let bad = florin_credit::CreditId::from_u128(1);
        let text = "INSERT INTO credit_lot (account_id, id, kind, currency, initial, remaining, issued_at, expires_at, \
                    restriction, origin, origin_reference, description) SELECT account_id, $1, kind, currency, initial, \
                    remaining, issued_at, expires_at, restriction, 'NOWHERE', 'x', description FROM credit_lot";
        world.execute(text, [bad.into()]).await.expect("a row nobody can read");
        let text = "INSERT INTO credit_lot_due (account_id, lot_id, task, due_at) \
                    SELECT account_id, $1, 'LAPSE', due_at FROM credit_lot_due WHERE task = 'LAPSE'";
        world.execute(text, [bad.into()]).await.expect("and that is due");
        let due = world.count("SELECT COUNT(*) FROM credit_lot_due WHERE task = 'LAPSE'", []).await;
        assert_eq!(due, 2);
        let request = GetCreditRequest { name: credit.clone(), ..Default::default() };
        let expires = world.credit_rpc().get_credit(world.request(request)).await.expect("a lot").get_ref().expire_time;
        let expires = wire::instant(&expires.expect("expires")).expect("an instant");
        world.move_to(expires).await;
        world.pass_days(0).await;
        assert_eq!(world.movements(&credit).await.last().expect("a lapse").kind(), Kind::Expired);
        let left = world.count("SELECT COUNT(*) FROM credit_lot_due WHERE task = 'LAPSE'", []).await;
        assert_eq!(left, 1, "the unreadable one is looked at again");
    }

    /// R7.3: a lapse is not recorded while an invoice with an earlier settlement instant is unissued, and the
    /// lot is expired all the same (R6.8).
    async fn a_lapse_waits_for_an_unissued_invoice_and_the_lot_is_expired_all_the_same(database: TestDatabase) {
        let world = World::new(&database).await;
        let credit = world.grant(100).await.credit;
        world.unissued.since(Some(world.now().await));
        world.pass_days(370).await;
        assert_eq!(world.movements(&credit).await.len(), 1, "nothing recorded yet");
        let lot = &world.credits(world.account).await[0];
        assert_eq!((lot.state(), lot.remaining_amount.clone()), (LotState::Expired, Some(euros(0))));
        let now = world.now().await;
        let alive = lots::alive_for(world.platform.db.reader(), world.account, None, now).await.expect("lots");
        assert!(alive.is_empty());
        let held = lots::of_accounts(world.platform.db.reader(), &[world.account]).await.expect("lots");
        assert_eq!(held.len(), 1, "the earlier settlement can still use it");
        world.unissued.since(None);
        world.pass_days(1).await;
        assert_eq!(world.movements(&credit).await.len(), 2);
        world.check_ledger().await;
    }

    /// R6.8: a deleted project forfeits its own lots, and not the account's.
    async fn a_deleted_project_forfeits_its_own_lots(database: TestDatabase) {
        let world = &World::new(&database).await;
        world.grant(100).await;
        let order = world.order(30).await.expect("an order");
        world.pay(&order, "card").await.expect("paid");
        let forfeit = async || {
            let forfeited = world.platform.db.write(|tx| async move {
                let at = world.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[world.account]).await?;
                lots::forfeit(&tx, at, world.account, Some(world.project)).await
            });
            forfeited.await
        };
        assert_eq!(forfeit().await.expect("forfeited").len(), 1);
        assert!(forfeit().await.expect("again").is_empty());
        let states: Vec<_> = world.credits(world.account).await.iter().map(|lot| lot.state()).collect();
        assert_eq!(states, [LotState::Active, LotState::Forfeited]);
        world.check_ledger().await;
    }
}
