//! Topping up by itself (R6.10).

use std::sync::Arc;

use florin_api::credit::v1::{
    ConfigureTopUpRequest, CreditOrder, GetTopUpRequest, ListCreditOrdersRequest, TopUp, credit_order,
    credit_order_service_server::CreditOrderService, credit_service_server::CreditService, top_up::State,
};
use florin_credit::{AvailableFunds, PortError, ProjectGate, ProjectId, jobs::TopUps, lots, project_name};
use florin_platform::{db::Tx, id::AccountId, job::Job, wire};
use florin_settlement::{Currency, Instant, Money};
use florin_testbed::on_both_backends;
use tonic::{Response, Status};

use crate::world::{World, euros, reason};

/// Projects that use nothing: what is available to them is what their lots have.
struct Idle;

#[async_trait::async_trait]
impl AvailableFunds for Idle {
    async fn available(
        &self,
        tx: &Tx,
        at: Instant,
        account: AccountId,
        project: ProjectId,
    ) -> Result<Option<Money>, PortError> {
        let lots = lots::alive_for(tx, account, Some(project), at).await?;
        Ok(Some(Money::sum(lots.iter().map(florin_settlement::Lot::remaining), Currency::EUR)?))
    }
}

impl World {
    fn top_ups(&self) -> TopUps {
        let gate: Arc<dyn ProjectGate> = self.projects.clone();
        let funds: Arc<dyn AvailableFunds> = Arc::new(Idle);
        TopUps::new(&self.platform, &self.payments, &gate, &funds, &self.links)
    }

    fn top_up_name(&self) -> String {
        format!("{}/topUp", project_name(self.account, self.project))
    }

    async fn configure(&self, change: impl FnOnce(&mut TopUp)) -> Result<TopUp, Status> {
        let mut top_up = TopUp {
            name: self.top_up_name(),
            enabled: true,
            threshold_amount: Some(euros(10)),
            amount: Some(euros(30)),
            interval: Some(prost_types::Duration { seconds: 24 * 3600, nanos: 0 }),
            monthly_ceiling_amount: Some(euros(70)),
            ..TopUp::default()
        };
        change(&mut top_up);
        let request = ConfigureTopUpRequest { top_up: Some(top_up), ..Default::default() };
        self.credit_rpc().configure_top_up(self.request(request)).await.map(Response::into_inner)
    }

    async fn top_up(&self) -> TopUp {
        let request = GetTopUpRequest { name: self.top_up_name() };
        self.credit_rpc().get_top_up(self.request(request)).await.expect("a top-up").into_inner()
    }

    /// Lets so many hours pass, looking whenever a look is due.
    async fn look_for(&self, hours: u32) {
        let job = self.top_ups();
        let end = self.now().await.plus_hours(hours);
        while let Some(due) = job.next_due().await.expect("a query").filter(|due| *due <= end) {
            self.move_to(due.max(self.now().await)).await;
            assert!(job.run(10).await.expect("it runs") > 0, "what is due is done");
        }
        self.move_to(end).await;
    }

    async fn orders_in(&self, states: &[credit_order::State]) -> Vec<CreditOrder> {
        let states = states.iter().map(|state| (*state).into()).collect();
        let parent = wire::account_name(self.account);
        let request = ListCreditOrdersRequest { parent, states, page_size: 100, ..Default::default() };
        let listed = self.order_rpc().list_credit_orders(self.request(request)).await.expect("a list");
        listed.into_inner().credit_orders
    }

    async fn spend(&self, minor: i64, invoice: u32) {
        let plan = self.plan(minor, self.now().await).await;
        let settlement = (self.account, format!("accounts/a/invoices/{invoice}"), plan);
        self.debit(&[settlement]).await.expect("debited");
    }
}

on_both_backends! {
    /// R6.10: under the threshold an order is placed and charged, once an interval, within the ceiling of a month.
    async fn credit_is_bought_under_the_threshold_once_an_interval_and_within_the_ceiling(database: TestDatabase) {
        let world = World::new(&database).await;
        world.register_card("card").await;
        let paid = [credit_order::State::Paid];
        world.move_to(florin_settlement::Instant::midnight(2027, 2, 1).expect("a day")).await;
        assert_eq!(world.configure(|_| {}).await.expect("configured").state(), State::Active);
        world.look_for(0).await;
        assert_eq!(world.orders_in(&paid).await.len(), 1, "nothing is available: the first look buys");
        assert_eq!(world.credits(world.account).await[0].remaining_amount, Some(euros(30)));
        world.spend(2500, 1).await;
        world.look_for(23).await;
        assert_eq!(world.orders_in(&paid).await.len(), 1, "the interval is not over");
        world.look_for(1).await;
        assert_eq!(world.orders_in(&paid).await.len(), 2);
        assert_eq!(world.top_up().await.bought_amount, Some(euros(60)));
        world.spend(3400, 2).await;
        world.look_for(26 * 24).await;
        assert_eq!(world.orders_in(&paid).await.len(), 2, "a third would exceed the ceiling of the month");
        world.look_for(2 * 24).await;
        assert_eq!(world.orders_in(&paid).await.len(), 3, "another month");
        world.look_for(48).await;
        assert_eq!(world.orders_in(&paid).await.len(), 3, "31 euros are enough");
        assert_eq!(world.configure(|top_up| top_up.enabled = false).await.expect("off").state(), State::Off);
        world.spend(3000, 3).await;
        world.look_for(72).await;
        assert_eq!(world.orders_in(&paid).await.len(), 3);
        world.check_ledger().await;
    }

    /// R6.10: after a decline it stops and says so, and starts when the customer configures it again.
    async fn a_decline_stops_it_until_the_customer_configures_it_again(database: TestDatabase) {
        let world = World::new(&database).await;
        world.register_card("card").await;
        world.bank.refuse(true);
        world.configure(|_| {}).await.expect("configured");
        world.look_for(24 * 5).await;
        let stopped = world.top_up().await;
        assert_eq!((stopped.state(), stopped.stop_reason.as_str()), (State::Stopped, "declined"));
        assert_eq!(world.count("SELECT COUNT(*) FROM payment", []).await, 1, "no retry storm");
        assert_eq!(world.orders_in(&[credit_order::State::Canceled]).await.len(), 1);
        let told = "SELECT COUNT(*) FROM notice WHERE kind = 'credit.top_up_stopped'";
        assert_eq!(world.count(told, []).await, 1);
        let facts = "SELECT COUNT(*) FROM event WHERE kind = 'florin.event.v1.TopUpStopped'";
        assert_eq!(world.count(facts, []).await, 1);
        world.bank.refuse(false);
        world.look_for(24).await;
        assert_eq!(world.count("SELECT COUNT(*) FROM payment", []).await, 1);
        world.configure(|_| {}).await.expect("configured again");
        world.look_for(1).await;
        assert_eq!(world.top_up().await.state(), State::Active);
        assert_eq!(world.credits(world.account).await.len(), 1);
    }

    async fn what_cannot_be_configured_is_refused_with_every_violation(database: TestDatabase) {
        let world = World::new(&database).await;
        assert_eq!(reason(world.configure(|_| {}).await), "TOP_UP_NEEDS_METHOD");
        let wrong = world.configure(|top_up| {
            top_up.amount = Some(euros(80));
            top_up.interval = None;
        });
        assert_eq!(reason(wrong.await), "INVALID_ARGUMENT_VIOLATIONS");
        assert_eq!(reason(world.configure(|top_up| top_up.enabled = false).await), "NOT_FOUND");
    }
}
