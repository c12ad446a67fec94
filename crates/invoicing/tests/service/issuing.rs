//! Issuing, estimating and explaining, on the real store.

use std::sync::Arc;

use crate::world::{Mood, World, as_estimated, cents, eur};
use florin_api::{
    credit::v1::FundingKind,
    invoicing::v1::{self as wire, invoice::State},
};
use florin_credit::GrantKind;
use florin_invoicing::{MoneyOutcomes, jobs::BillingRunJob};
use florin_payment::{Outcomes, Payment, PaymentId, Settled};
use florin_platform::{
    call::Call,
    db::{Reader, Tx},
    job::Job,
};
use florin_project::DebtStanding;
use florin_testbed::{Backend, on_both_backends};
use sea_orm::ConnectionTrait;

const SETTLEMENT: &str = "2027-04-01T06:00:00Z";

/// Usage of 23.63: an instance for 200 hours (22.20), 250 GiB for 103 hours (1.43).
async fn use_23_63(world: &World, project: &str) {
    world.move_to("2027-03-04T09:40:00Z").await;
    let instance = world.add(project, "instance", 1).await;
    world.move_to("2027-03-10T00:10:00Z").await;
    let volume = world.add(project, "volume", 250).await;
    world.move_to("2027-03-12T16:30:00Z").await;
    world.remove(&instance).await;
    world.move_to("2027-03-14T06:10:00Z").await;
    world.remove(&volume).await;
}

/// The account of the story: a card, LaunchPad 3.00, loyalty 1.00, a project with a voucher of 10.00 and
/// cloud credit of 5.00.
async fn story(world: &World) -> (florin_platform::id::AccountId, String) {
    let account = world.account("ada").await;
    let card = world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    world.grant(account, GrantKind::LaunchPad, 300).await;
    world.grant(account, GrantKind::Loyalty, 100).await;
    world.voucher(&project, 10).await;
    world.buy(account, &project, 5, &card).await.expect("bought");
    (account, project)
}

on_both_backends! {
    /// R7.1, R7.4, R8.5, R7.8: 23.63 = 10.00 + 5.00 + 3.00 + 1.00 + 4.63, taxed 0.93, paid 5.56.
    async fn the_story_is_billed_in_debit_order_to_the_cent(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        let estimated = world.estimate(&project).await;
        world.bill().await;

        let invoices = world.monthly(account).await;
        let [invoice] = invoices.as_slice() else { panic!("one monthly invoice, not {}", invoices.len()) };
        assert_eq!(estimated, as_estimated(invoice));
        assert_eq!(invoice.number, "FR-2027-000001");
        assert_eq!(invoice.state(), State::Paid);
        let debits = invoice.debits.iter().map(|debit| (debit.kind(), cents(debit.amount.as_ref())));
        assert_eq!(
            debits.collect::<Vec<_>>(),
            [
                (FundingKind::Voucher, 1000),
                (FundingKind::CloudCredit, 500),
                (FundingKind::Launchpad, 300),
                (FundingKind::Loyalty, 100),
                (FundingKind::PaymentMethod, 463),
            ]
        );
        assert_eq!(cents(invoice.net_total.as_ref()), 2363);
        assert_eq!(cents(invoice.tax_total.as_ref()), 93);
        assert_eq!(cents(invoice.amount_incl_tax.as_ref()), 556);
        assert_eq!(cents(invoice.amount_paid_incl_tax.as_ref()), 556);
        let settlement = florin_platform::wire::timestamp(crate::world::at(SETTLEMENT));
        assert_eq!(invoice.settlement_time, Some(settlement));
    }

    /// R7.8: the explanation adds up, and the stored record alone proves it.
    async fn a_settlement_is_explained_and_proven_from_its_record(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        for invoice in world.invoices(account).await {
            let explained = world.explain(&invoice.name).await;
            let taken: i64 = explained.considered_lots.iter().map(|lot| cents(lot.taken.as_ref())).sum();
            assert_eq!(cents(explained.due.as_ref()), taken + cents(explained.remainder.as_ref()));
            for lot in &explained.considered_lots {
                let allocated: i64 = lot.allocations.iter().map(|part| cents(part.amount.as_ref())).sum();
                assert_eq!(allocated, cents(lot.taken.as_ref()));
            }
            let name = florin_platform::wire::parse_child("invoices", &invoice.name).expect("a name");
            florin_invoicing::prove_settlement(world.platform.db.reader(), name.0, name.1).await.expect("proven");
        }
    }

    /// R7.8, R6.8: what had expired by the settlement is named, whether or not a job had recorded its lapse before; what
    /// expired in an earlier month is not news any more.
    async fn credit_that_had_expired_is_explained_whoever_recorded_it_when(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        world.grant_until(account, GrantKind::LaunchPad, 700, "2027-03-20T00:00:00Z").await;
        world.grant_until(account, GrantKind::Loyalty, 900, "2027-04-01T05:00:00Z").await;
        use_23_63(&world, &project).await;
        world.move_to("2027-03-21T00:00:00Z").await;
        world.lapse().await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        let march = world.monthly(account).await.remove(0);
        let expired = |explained: &wire::ExplainSettlementResponse| {
            let reason = wire::considered_lot::SkipReason::Expired;
            let lots = explained.considered_lots.iter().filter(|lot| lot.skip_reason() == reason);
            let lot = |lot: &wire::ConsideredLot| {
                [&lot.balance_before, &lot.taken, &lot.balance_after].map(|sum| cents(sum.as_ref()))
            };
            lots.map(lot).collect::<Vec<_>>()
        };
        assert_eq!(expired(&world.explain(&march.name).await), [[700, 0, 700], [900, 0, 900]]);
        let (owner, id) = florin_platform::wire::parse_child("invoices", &march.name).expect("a name");
        florin_invoicing::prove_settlement(world.platform.db.reader(), owner, id).await.expect("proven");
        let instance = world.add(&project, "instance", 1).await;
        world.live_until("2027-04-01T09:30:00Z").await;
        world.lapse().await;
        world.remove(&instance).await;
        world.live_until("2027-05-01T06:00:00Z").await;
        let april = world.monthly(account).await.remove(1);
        assert_eq!(expired(&world.explain(&april.name).await), [[900, 0, 900]]);
    }

    /// R6.3, R6.2: a paid order has its purchase invoice, in a series of its own, and no lot paid for it.
    async fn a_paid_order_has_its_invoice(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, _) = story(&world).await;
        let invoices = world.invoices(account).await;
        let [invoice] = invoices.as_slice() else { panic!("one invoice, not {}", invoices.len()) };
        assert_eq!(invoice.number, "FR-P-2027-000001");
        assert_eq!(invoice.state(), State::Paid);
        assert_eq!(cents(invoice.net_total.as_ref()), 500);
        assert_eq!(cents(invoice.credit_applied.as_ref()), 0);
        assert_eq!(cents(invoice.amount_incl_tax.as_ref()), 600);
        assert!(world.explain(&invoice.name).await.considered_lots.is_empty());
    }

    /// R6.7: 1 % of the 4.63 paid in money, rounded down, is earned by the invoice; bought credit earns none.
    async fn an_invoice_paid_in_money_earns_loyalty_once(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        assert_eq!(lots(&world, account).await, [("LOYALTY", 4)]);
    }

    /// R8.4: the rate is that of the last day of what was used, whenever it is invoiced; what was credited of it keeps it.
    async fn vat_is_that_of_the_period_and_not_of_the_day_of_issue(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        use_23_63(&world, &project).await;
        let rate = "INSERT INTO vat_rate (country, effective_at, rate) SELECT country, $1, '21' FROM vat_rate";
        let from = florin_platform::column::At::from(crate::world::at("2027-04-01T00:00:00Z"));
        let connection = db.connect().await;
        let rate = florin_platform::db::sql(&connection, rate, [from.into()]);
        connection.execute_raw(rate).await.expect("a rate from April on");
        world.move_to("2027-04-01T05:00:00Z").await;
        let instance = world.add(&project, "instance", 1).await;
        world.live_until("2027-04-01T09:30:00Z").await;
        world.remove(&instance).await;
        world.live_until("2027-05-01T06:00:00Z").await;
        let rates = |invoice: &wire::Invoice| {
            let rates = invoice.tax_lines.iter().map(|line| line.rate.clone().expect("a rate").value);
            rates.collect::<Vec<_>>()
        };
        assert_eq!(world.monthly(account).await.iter().map(rates).collect::<Vec<_>>(), [["20"], ["21"]]);
    }

    /// R9.1, R9.3: a declined payment leaves the invoice OVERDUE and the account in debt.
    async fn a_declined_payment_is_a_debt(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        world.till.set(Mood::Declines);
        world.bill().await;
        assert_eq!(world.monthly(account).await[0].state(), State::Overdue);
        assert!(has_debt(&world, account).await);
    }

    /// R9.1: so does an account without any method.
    async fn no_method_is_a_debt(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("ada").await;
        world.grant(account, GrantKind::LaunchPad, 300).await;
        let project = world.project(account, None).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        assert!(!has_debt(&world, account).await);
        world.bill().await;
        let invoice = world.monthly(account).await.remove(0);
        assert_eq!(invoice.state(), State::Overdue);
        assert_eq!(cents(invoice.net_after_credit.as_ref()), 2063);
        assert!(has_debt(&world, account).await);
    }

    /// R8.1, R8.2: covered in full, an invoice is PAID at once; a project that used nothing gets none.
    async fn what_credit_covers_is_paid_at_once(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("ada").await;
        world.grant(account, GrantKind::LaunchPad, 10_000).await;
        let project = world.project(account, None).await;
        world.project(account, None).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        let invoices = world.invoices(account).await;
        assert_eq!(invoices.len(), 1);
        assert_eq!(invoices[0].state(), State::Paid);
        assert_eq!(cents(invoices[0].amount_incl_tax.as_ref()), 0);
        assert_eq!(world.till.charges(), 0);
    }

    /// R7.7, R8.5: two projects share a lot in the order they were created, in estimates as in invoices.
    async fn a_shared_lot_is_spent_once(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("ada").await;
        world.grant(account, GrantKind::LaunchPad, 3000).await;
        let first = world.project(account, None).await;
        world.move_to("2027-03-02T00:00:00Z").await;
        let second = world.project(account, None).await;
        world.move_to("2027-03-03T00:00:00Z").await;
        let resources = [world.add(&first, "instance", 1).await, world.add(&second, "instance", 1).await];
        world.move_to("2027-03-11T07:59:00Z").await;
        for resource in &resources {
            world.remove(resource).await;
        }
        let applied = |invoice: &wire::Invoice| cents(invoice.credit_applied.as_ref());
        let estimates = [applied(&world.estimate(&first).await), applied(&world.estimate(&second).await)];
        assert_eq!(estimates, [2220, 780]);
        world.move_to(SETTLEMENT).await;
        let estimates = [world.estimate(&first).await, world.estimate(&second).await];
        world.bill().await;
        let invoices = world.monthly(account).await;
        assert_eq!(invoices.iter().map(applied).collect::<Vec<_>>(), [2220, 780]);
        assert_eq!(invoices.iter().map(as_estimated).collect::<Vec<_>>(), estimates);
    }

    /// R7.3: what counted at the settlement instant pays, however late the invoice is issued and whatever
    /// lapses in between.
    async fn a_lot_that_expired_before_a_late_issue_still_pays(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("ada").await;
        world.grant_until(account, GrantKind::LaunchPad, 300, "2027-04-01T07:00:00Z").await;
        let project = world.project(account, None).await;
        use_23_63(&world, &project).await;
        world.move_to("2027-04-01T09:00:00Z").await;
        let gate: Arc<dyn florin_credit::ProjectGate> = Arc::new(florin_project::Gate);
        let horizon: Arc<dyn florin_credit::SettlementHorizon> = Arc::new(florin_invoicing::Horizon);
        let jobs = florin_credit::jobs::all(&world.platform, &gate, &horizon);
        for job in &jobs {
            job.run(100).await.expect("run");
        }
        world.bill().await;
        let invoice = world.monthly(account).await.remove(0);
        assert_eq!(cents(invoice.credit_applied.as_ref()), 300);
    }

    /// R7.3: also while an earlier month is still being billed and this account is done with it.
    async fn a_lapse_waits_for_the_month_after_the_one_being_billed(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("ada").await;
        world.grant_until(account, GrantKind::LaunchPad, 3000, "2027-05-01T07:00:00Z").await;
        let project = world.project(account, None).await;
        use_23_63(&world, &project).await;
        let other = world.account("later").await;
        world.grant(other, GrantKind::LaunchPad, 100_000).await;
        let others = world.project(other, None).await;
        world.add(&others, "instance", 1).await;
        world.move_to("2027-04-04T00:00:00Z").await;
        let instance = world.add(&project, "instance", 1).await;
        world.move_to("2027-04-06T23:59:00Z").await;
        world.remove(&instance).await;
        world.move_to("2027-05-01T09:00:00Z").await;
        let march = BillingRunJob::new(world.platform.clone(), world.runs().with_batch(1));
        assert_eq!(march.run(1).await.expect("the first account of March"), 1);
        let gate: Arc<dyn florin_credit::ProjectGate> = Arc::new(florin_project::Gate);
        let horizon: Arc<dyn florin_credit::SettlementHorizon> = Arc::new(florin_invoicing::Horizon);
        for job in &florin_credit::jobs::all(&world.platform, &gate, &horizon) {
            job.run(100).await.expect("run");
        }
        world.bill().await;
        let applied = world.monthly(account).await;
        let applied = applied.iter().map(|invoice| cents(invoice.credit_applied.as_ref()));
        assert_eq!(applied.collect::<Vec<_>>(), [2363, 637]);
    }

    /// R6.4, R6.7: an outcome told again changes nothing; money nobody waits for goes back.
    async fn an_outcome_told_again_changes_nothing(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        let before = (world.invoices(account).await, lots(&world, account).await);
        for invoice in &before.0 {
            let reference = if invoice.credit_order.is_empty() { &invoice.name } else { &invoice.credit_order };
            let reader = world.platform.db.reader();
            let payments = florin_payment::of_reference(reader, account, reference).await.expect("payments");
            let [payment] = payments.as_slice() else { panic!("one payment for {reference}") };
            let other = Payment { id: PaymentId::generate(world.now().await), ..payment.clone() };
            let less = Payment { amount: eur(1), ..payment.clone() };
            assert_eq!(settled(&world, payment).await, Settled::Accepted);
            assert_eq!(settled(&world, &other).await, Settled::Unwanted);
            assert_eq!(settled(&world, &less).await, Settled::Unwanted);
        }
        assert_eq!((world.invoices(account).await, lots(&world, account).await), before);
    }

    /// R8.2: the database itself refuses to change or forget what was issued.
    async fn issued_rows_refuse_update_and_delete(db: TestDatabase) {
        let world = World::open(&db).await;
        let (_, project) = story(&world).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        world.bill().await;
        let connection = db.connect().await;
        let frozen = [
            ("invoice", "amount_incl_tax = amount_incl_tax + 1"),
            ("invoice_line", "net = net + 1"),
            ("invoice_debit", "amount = amount + 1"),
            ("invoice_tax", "tax = tax + 1"),
            ("settlement_lot", "skip_reason = 'EMPTY', taken = 0, remaining_after = remaining_before"),
            ("settlement_debit", "amount = amount + 1"),
            ("invoice_number", "number = number + 1"),
        ];
        for (table, change) in frozen {
            let count = format!("SELECT COUNT(*) FROM {table}");
            let rows = connection.query_one_raw(sea_orm::Statement::from_string(
                connection.get_database_backend(),
                count,
            ));
            let rows: i64 = rows.await.expect("a count").expect("a row").try_get_by_index(0).expect("a number");
            assert!(rows > 0, "{table} is empty: nothing is shown");
            for attempt in [format!("UPDATE {table} SET {change}"), format!("DELETE FROM {table}")] {
                assert!(connection.execute_unprepared(&attempt).await.is_err(), "{attempt} was let through");
            }
        }
    }

    /// R7.3, R8.2, R9.3: a run keeps its month and its instant, a state stays with its invoice, and a
    /// debt is not replaced by a smaller one.
    async fn runs_states_and_debts_are_not_rewritten(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = story(&world).await;
        use_23_63(&world, &project).await;
        world.move_to(SETTLEMENT).await;
        world.till.set(Mood::Declines);
        world.bill().await;
        assert!(has_debt(&world, account).await);
        let connection = db.connect().await;
        let mut attempts = vec![
            "UPDATE billing_run SET settlement_at = started_at, month = '2027-02'",
            "UPDATE billing_run SET state = 'RUNNING', finished_at = NULL",
            "DELETE FROM billing_run",
            "DELETE FROM invoice_state",
            "DELETE FROM debt",
        ];
        if db.backend() == Backend::Sqlite {
            attempts.extend([
                "INSERT OR REPLACE INTO debt SELECT account_id, invoice_id, invoice_id, currency, 1, opened_at, \
                 NULL FROM debt",
                "INSERT OR REPLACE INTO settlement_lot SELECT account_id, invoice_id, position + 1000, lot_id, \
                 kind, owner_project_id, currency, initial, initial, initial, 0, issued_at, expires_at, \
                 restriction, NULL FROM settlement_lot",
                "UPDATE OR REPLACE settlement_debit SET rowid = rowid + 1",
            ]);
        }
        for attempt in attempts {
            assert!(connection.execute_unprepared(attempt).await.is_err(), "{attempt} was let through");
        }
    }
}

async fn has_debt(world: &World, account: florin_platform::id::AccountId) -> bool {
    let debts = florin_invoicing::Debts;
    debts.has_debt(Reader::Committed(&world.platform.db), account).await.expect("an answer")
}

/// What is left of the account's lots.
async fn lots(world: &World, account: florin_platform::id::AccountId) -> Vec<(&'static str, i64)> {
    let lots = florin_credit::lots::of_accounts(world.platform.db.reader(), &[account]).await.expect("lots");
    lots.iter().map(|(_, lot)| (lot.kind().as_str(), lot.remaining().minor())).collect()
}

/// Tells once more that the money of `payment` came.
async fn settled(world: &World, payment: &Payment) -> Settled {
    let now = world.now().await;
    let call = &Call::by_job("test");
    let told = |tx: Tx| async move {
        florin_account::lock(&tx, &[payment.account]).await?;
        MoneyOutcomes
            .settled(&tx, now, call, payment)
            .await
            .map_err(|error| sea_orm::DbErr::Custom(error.to_string()))
    };
    world.platform.db.write(told).await.expect("told")
}
