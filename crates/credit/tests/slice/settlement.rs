//! Lots and plans (R7.6): what an invoice takes, and that nothing else can.

use florin_api::credit::v1::{credit::Origin, movement::Kind};
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
    pub(crate) async fn plan(&self, minor: i64, at: Instant) -> Plan {
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

    pub(crate) async fn debit(&self, settlements: &[(AccountId, String, Plan)]) -> Result<(), Error> {
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
        assert!(earn(1999).await.expect("nothing more").is_none(), "the same invoice again");
        world.check_ledger().await;
    }

    /// R6.7: a credit note or a bounce takes loyalty back from that lot's remaining, and what it no longer has is
    /// netted from later earnings.
    async fn loyalty_is_taken_back_and_a_shortfall_is_netted_from_later_earnings(database: TestDatabase) {
        let world = &World::new(&database).await;
        let rate = Percentage::parse("1").expect("a rate");
        let call = &Call::by_job("test");
        let earn = async |invoice: &'static str, minor: i64| {
            let earned = world.platform.db.write(|tx| async move {
                let at = world.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[world.account]).await?;
                let account = florin_account::find(&tx, world.account).await?.expect("an account");
                loyalty::earn(&tx, at, call, &account, invoice, eur(minor), rate).await
            });
            earned.await.expect("earned").map(|lot| lot.initial.minor())
        };
        let take_back = async |names: (&'static str, &'static str), still_paid: i64| {
            let taken = world.platform.db.write(|tx| async move {
                let at = world.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[world.account]).await?;
                loyalty::take_back(&tx, at, call, world.account, names, eur(still_paid), rate).await
            });
            taken.await.expect("taken back").map(|back| (back.amount.minor(), back.taken.minor()))
        };
        let one = "accounts/a/invoices/1";
        assert_eq!(earn(one, 10_000).await, Some(100));
        // A credit note over 25.50: 74.50 is still paid, 74 cents of it earned.
        assert_eq!(take_back((one, "creditNotes/1"), 7450).await, Some((26, 26)));
        assert_eq!(take_back((one, "creditNotes/1"), 7450).await, None, "once");
        let at = world.now().await;
        let spent = (world.account, "accounts/a/invoices/2".to_owned(), world.plan(70, at).await);
        world.debit(&[spent]).await.expect("debited");
        // The bounce wants all 74 back; 4 are left.
        assert_eq!(take_back((one, "disputes/1"), 0).await, Some((74, 4)));
        assert_eq!(earn("accounts/a/invoices/3", 5000).await, None, "50 of 70 are netted");
        assert_eq!(earn("accounts/a/invoices/3", 5000).await, None, "once");
        assert_eq!(earn("accounts/a/invoices/4", 3000).await, Some(10), "the last 20 are netted");
        assert_eq!(earn(one, 7450).await, Some(74), "paid again after the bounce, earned again");
        assert_eq!(earn(one, 7450).await, None);
        assert_eq!(take_back((one, "disputes/2"), 0).await, Some((74, 74)));
        let kinds: Vec<_> = world.movements(&world.credits(world.account).await[0].name).await;
        assert_eq!(kinds.iter().filter(|movement| movement.kind() == Kind::Clawback).count(), 2);
        world.check_ledger().await;
        for statement in ["UPDATE loyalty_claim SET taken = 0", "DELETE FROM loyalty_claim", "DELETE FROM loyalty_netting"] {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
    }

    /// R7.9: what comes back is a new lot of the same kind, owner, restriction and expiry, never more than was taken.
    async fn what_a_lot_has_paid_can_come_back_as_a_new_lot_and_never_more(database: TestDatabase) {
        let world = &World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        world.pay(&order, "card").await.expect("paid");
        let at = world.now().await;
        let plan = world.plan(2000, at).await;
        world.debit(&[(world.account, "accounts/a/invoices/1".to_owned(), plan)]).await.expect("debited");
        let source = &world.credits(world.account).await[0];
        let id = florin_credit::CreditId::parse(source.name.rsplit('/').next().unwrap_or_default()).expect("an id");
        let call = &Call::by_job("test");
        let back = async |minor: i64, document: &'static str| {
            let back = world.platform.db.write(|tx| async move {
                let at = world.platform.clock.now(&tx).await?;
                florin_account::lock(&tx, &[world.account]).await?;
                let account = florin_account::find(&tx, world.account).await?.expect("an account");
                let cause = florin_credit::ReturnCause::CreditNote;
                let back = lots::GiveBack { source: id, amount: eur(minor), cause, document };
                lots::give_back(&tx, at, call, &account, back).await
            });
            back.await
        };
        back(1500, "accounts/a/creditNotes/1").await.expect("given back");
        assert!(back(501, "accounts/a/creditNotes/2").await.is_err(), "20 were taken");
        back(500, "accounts/a/creditNotes/2").await.expect("the rest");
        assert!(back(1, "accounts/a/creditNotes/3").await.is_err());
        let returned = &world.credits(world.account).await[1];
        assert_eq!((returned.kind(), &returned.project), (source.kind(), &source.project));
        assert_eq!((returned.expire_time, returned.remaining_amount.clone()), (source.expire_time, Some(euros(15))));
        assert_eq!((returned.origin(), &returned.source_credit), (Origin::CreditNote, &source.name));
        assert_eq!(returned.origin_reference, "accounts/a/creditNotes/1");
        world.check_ledger().await;
    }
}
