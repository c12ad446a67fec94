//! Lots and plans (R7.6): what an invoice takes, and that nothing else can.

use florin_credit::{Error, lots, loyalty};
use florin_platform::{call::Call, id::AccountId};
use florin_settlement::{
    AccountRef, Due, DueLine, Instant, LineKey, Percentage, Period, Plan, PlanFamily, ProjectRef,
    TaxCategory, TaxRate, plan,
};
use florin_testbed::on_both_backends;

use crate::world::{World, eur, euros};

impl World {
    /// A plan for so many cents due, over the account's lots as they are.
    async fn plan(&self, minor: i64, at: Instant) -> Plan {
        let line = DueLine {
            key: LineKey::from_u32(1),
            family: PlanFamily::Instance,
            tax_category: TaxCategory::Standard,
            tax_rate: TaxRate::parse("20").expect("a rate"),
            plan: "b3-8".to_owned(),
            resource: "one".to_owned(),
            period: Period::month_of(at),
            net: eur(minor),
        };
        let account = AccountRef::from_u128(self.account.as_u128());
        let project = ProjectRef::from_u128(self.project.as_u128());
        let due = Due::try_new(account, project, eur(0).currency(), vec![line]).expect("a due");
        let lots = lots::alive_for(self.platform.db.reader(), self.account, Some(self.project), at).await;
        plan(&due, &lots.expect("lots"), at).expect("a plan")
    }

    async fn debit(&self, settlements: &[(AccountId, String, Plan)]) -> Result<(), Error> {
        let debited = self.platform.db.write(|tx| async move {
            let at = self.platform.clock.now(&tx).await?;
            florin_account::lock(&tx, &[self.account]).await?;
            lots::debit(&tx, at, settlements).await
        });
        debited.await
    }
}

on_both_backends! {
    async fn a_plan_debits_each_lot_once_and_the_rows_say_so(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        world.pay(&order, "card").await.expect("paid");
        world.grant(100).await;
        let at = world.now().await;
        let settlement = (world.account, "accounts/a/invoices/1".to_owned(), world.plan(4000, at).await);
        world.debit(std::slice::from_ref(&settlement)).await.expect("debited");

        let credits = world.credits(world.account).await;
        let remaining: Vec<_> = credits.iter().map(|credit| credit.remaining_amount.clone().expect("an amount").units).collect();
        assert_eq!(remaining, [0, 90], "cloud credit first, then LAUNCHPAD");
        let movements = world.movements(&credits[1].name).await;
        let last = movements.last().expect("a debit");
        assert_eq!(last.amount, Some(euros(10)));
        assert_eq!(last.remaining_after, Some(euros(90)));
        assert_eq!(last.reference, "accounts/a/invoices/1");
        assert_eq!(last.effective_time, Some(florin_platform::wire::timestamp(at)));
        world.check_ledger().await;
        assert!(world.debit(&[settlement]).await.is_err(), "the same invoice debits a lot once");
        world.check_ledger().await;
    }

    /// Two projects settle in one batch: the second sees what the first left, as it was planned.
    async fn several_plans_of_one_account_are_applied_in_their_order(database: TestDatabase) {
        let world = World::new(&database).await;
        world.grant(100).await;
        let at = world.now().await;
        let (first, second) = (world.plan(6000, at).await, world.plan(3000, at).await);
        let batch = [
            (world.account, "accounts/a/invoices/1".to_owned(), first),
            (world.account, "accounts/a/invoices/2".to_owned(), second),
        ];
        world.debit(&batch).await.expect("debited");
        let credits = world.credits(world.account).await;
        let after: Vec<_> = world
            .movements(&credits[0].name)
            .await
            .into_iter()
            .map(|movement| (movement.sequence, movement.remaining_after.expect("an amount").units))
            .collect();
        assert_eq!(after, [(1, 100), (2, 40), (3, 10)]);
        world.check_ledger().await;
    }

    async fn a_stale_plan_takes_nothing_at_all(database: TestDatabase) {
        let world = World::new(&database).await;
        world.grant(100).await;
        let at = world.now().await;
        let stale = world.plan(8000, at).await;
        world.debit(&[(world.account, "accounts/a/invoices/1".to_owned(), world.plan(8000, at).await)]).await.expect("debited");
        let refused = world.debit(&[(world.account, "accounts/a/invoices/2".to_owned(), stale)]).await;
        assert!(matches!(refused, Err(Error::Overdrawn(_))), "{refused:?}");
        assert_eq!(world.credits(world.account).await[0].remaining_amount, Some(euros(20)));
        world.check_ledger().await;
    }

    async fn of_accounts_gives_every_lot_with_value_and_its_owner(database: TestDatabase) {
        let world = World::new(&database).await;
        world.grant(100).await;
        let other = world.new_account("CORPORATION").await;
        let found = lots::of_accounts(world.platform.db.reader(), &[world.account, other]).await.expect("lots");
        assert_eq!(found.iter().map(|(account, _)| *account).collect::<Vec<_>>(), [world.account]);
    }

    /// R6.7: what is paid in money earns loyalty, rounded down, once per invoice.
    async fn an_invoice_earns_loyalty_once(database: TestDatabase) {
        let world = &World::new(&database).await;
        let rate = Percentage::parse("1").expect("a rate");
        let call = &Call::by_job("test");
        let earn = async |minor: i64| {
            let earned = world.platform.db.write(|tx| async move {
                let at = world.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[world.account]).await?;
                let account = florin_account::find(&tx, world.account).await?.expect("an account");
                loyalty::earn(&tx, at, call, &account, "accounts/a/invoices/1", eur(minor), rate).await
            });
            earned.await
        };
        assert!(earn(99).await.expect("nothing to earn").is_none());
        let lot = earn(1999).await.expect("earned").expect("a lot");
        assert_eq!(lot.initial, eur(19));
        assert!(earn(1999).await.is_err(), "the same invoice again");
        world.check_ledger().await;
    }
}
